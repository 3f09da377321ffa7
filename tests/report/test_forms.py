"""The HTML page and the LaTeX tables say what the Markdown report says, and need nothing but themselves."""

import base64
import hashlib
import re
import shutil

import pytest

from study.core.store import Store
from study.report.latex import escaped
from study.report.write import HTML, LATEX, check_report, write_report
from tests.factories import make_card, make_record, make_store

STRANGE = ("a|b", "<script>alert(1)</script>", "50 % & $x_y$", "d", "e", "f", "javascript:alert(1)")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("results"), models=("cnn2", "cnn3"), protocols=("baseline", "augment"))


@pytest.fixture(scope="module")
def written(store, tmp_path_factory):
    return write_report(store, tmp_path_factory.mktemp("reports"), forms=(HTML, LATEX)).parent


@pytest.fixture
def copied(store, written, tmp_path):
    shutil.copytree(written, tmp_path / store.study)
    return store, tmp_path


def page_of(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_page_fetches_nothing(written):
    page = page_of(written)
    fetched = re.findall(r'(?:src|href|srcset|action)="([^"]*)"', page)
    assert len(fetched) > 20
    assert [one[:40] for one in fetched if not one.startswith(("data:", "#"))] == []
    assert "@import" not in page and "url(" not in page and '<link rel="stylesheet' not in page
    assert "default-src 'none'" in page


def test_only_the_pages_own_script_may_run(written):
    page = page_of(written)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{allowed}'" in page


def test_every_figure_and_table_is_inside(written):
    page, text = page_of(written), (written / "README.md").read_text(encoding="utf-8")
    figures = re.findall(r"\]\(figures/([^)]+)\)", text)
    assert len(figures) > 5
    for name in figures:
        assert base64.b64encode((written / "figures" / name).read_bytes()).decode() in page, name
    for name in set(re.findall(r"\]\(tables/([^)]+\.csv)\)", text)):
        table = (written / "tables" / name.replace("%2B", "+")).read_bytes()
        assert base64.b64encode(table).decode() in page, name


def test_every_link_within_the_page_leads_somewhere(written):
    page = page_of(written)
    names = set(re.findall(r'id="([^"]+)"', page))
    links = re.findall(r'href="#([^"]+)"', page)
    assert len(links) >= 10
    assert [link for link in links if link not in names] == []


def test_markup_in_names_stays_text(tmp_path):
    store = Store(tmp_path / "results", "one")
    store.keep(make_record(card=make_card("<img src=x>", classes=STRANGE)))
    page = page_of(write_report(store, tmp_path / "reports", forms=(HTML,)).parent)
    assert page.count("<script>") == 1 and "<img src=x>" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_same_store_gives_the_same_page(store, written, tmp_path):
    again = write_report(store, tmp_path, forms=(HTML,)).parent
    assert page_of(again) == page_of(written)


def test_a_form_that_is_there_is_kept_up_to_date(copied):
    store, reports = copied
    path = reports / store.study / "report.html"
    path.write_text("stale")
    (reports / store.study / "latex" / "old.tex").write_text("stale")
    found = check_report(store, reports)
    assert [line.split()[0] for line in found] == ["report.html", "latex/old.tex"]
    write_report(store, reports)
    assert path.read_text(encoding="utf-8") != "stale"
    assert check_report(store, reports) == []


def test_no_form_is_written_unasked(store, tmp_path):
    folder = write_report(store, tmp_path).parent
    assert not (folder / "report.html").exists() and not (folder / "latex").exists()


def test_every_row_of_a_latex_table_has_a_cell_for_every_column(written):
    files = sorted((written / "latex").glob("*.tex"))
    assert [path.name for path in files] == [
        "leaderboard.tex", "per-class-f1.tex", "per-class-precision.tex", "per-class-recall.tex",
    ]  # fmt: skip
    for path in files:
        text = path.read_text(encoding="utf-8")
        (columns,) = re.findall(r"\\begin\{tabular\}\{@\{\}([lr]+)@\{\}\}", text)
        rows = [line for line in text.splitlines() if re.search(r"\\\\(\[2pt\])?$", line)]
        assert len(rows) > 3 and {row.count(" & ") + 1 for row in rows} == {len(columns)}, path.name
        assert text.count("{") == text.count("}")
        assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]


def test_latex_marks_what_the_report_marks(written):
    text = (written / "latex" / "leaderboard.tex").read_text(encoding="utf-8")
    (row,) = [line for line in text.splitlines() if "cnn2 & augment" in line]
    assert r"augment~\textdagger{}" in row
    (leaky,) = [line for line in text.splitlines() if "leaky/test-as-validation" in line]
    assert leaky.strip().startswith("-- &")
    assert "trained networks alone" in text, "one seed makes no claim about recipes"


def test_names_are_escaped_for_latex():
    assert escaped(r"50 % & $x_y$ #1 {a} ~b ^c \d") == (
        r"50 \% \& \$x\_y\$ \#1 \{a\} \textasciitilde{}b \textasciicircum{}c \textbackslash{}d"
    )
