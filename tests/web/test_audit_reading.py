"""An audit's page is shown as it was written, folds and all, and only for the dataset it was made of."""

import time

from study.web.audit_reading import cut, find_audit
from tests.committed import copy_committed

PAGE = """# Audit of faces

Fingerprint `0123456789ab`.

## Copies

[tables/copies.csv](tables/copies.csv)

<details><summary>More</summary>

| a |

</details>

The end.
"""


def test_folds_are_told_from_open_text_in_order():
    parts = cut(PAGE)
    assert [part.summary for part in parts] == ["", "More", ""]
    assert parts[1].text == "| a |" and parts[2].text == "The end."


def test_the_title_goes_and_headings_are_one_lower():
    first = cut(PAGE)[0].text
    assert "Audit of" not in first and "### Copies" in first


def test_links_to_files_are_words():
    assert "`tables/copies.csv`" in cut(PAGE)[0].text
    assert cut("![](https://example.org/pixel.png)")[0].text == "[](https://example.org/pixel.png)", (
        "nothing is fetched"
    )
    assert cut("[paper](https://example.org)")[0].text == "[paper](https://example.org)"


def test_folds_that_never_end_are_read_at_once():
    start = time.process_time()
    assert len(cut("<details><summary>x" * 100_000)) == 1
    assert len(cut("<details><summary>x</summary>" * 100_000)) == 1
    assert time.process_time() - start < 2


def test_an_audit_of_other_images_does_not_count(tmp_path):
    folder = tmp_path / "faces-audit"
    folder.mkdir()
    (folder / "README.md").write_text(PAGE, encoding="utf-8")
    assert find_audit(tmp_path, "faces", "0123456789abcdef").parts == tuple(cut(PAGE))
    assert find_audit(tmp_path, "faces", "fedcba9876543210") is None
    assert find_audit(tmp_path, "others", "0123456789abcdef") is None


def test_the_committed_audit_is_read_whole(tmp_path):
    page = "reports/published/fer2013-audit/README.md"
    text = (copy_committed(tmp_path, page) / page).read_text(encoding="utf-8")
    parts = cut(text)
    assert sum(bool(part.summary) for part in parts) == text.count("<details")
    assert not any("<details" in part.text or "</details" in part.text for part in parts)
