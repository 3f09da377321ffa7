"""What the page says and what it never says."""

import re
import subprocess
import sys

import pytest

from study.errors import StoreError
from study.report.page import build_report, write_report
from study.store import Store
from tests.factories import CLASSES, make_card, make_record, make_store


def make_one(tmp_path, *records):
    store = Store(tmp_path / "results", "one")
    for record in records:
        store.keep(record)
    return store


def section(text, title):
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_linked_file_exists(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    assert len(links) > 10
    for link in links:
        assert (page.parent / link.replace("%2B", "+")).exists(), link


def test_every_done_run_has_a_confusion_matrix_as_csv(page, store):
    done = {record.key for record in store.records() if record.status == "done"}
    assert {path.stem for path in (page.parent / "tables" / "confusion").glob("*.csv")} == done


def test_pictures_are_small(page):
    sizes = {path.name: path.stat().st_size for path in (page.parent / "figures").glob("*.png")}
    assert max(sizes.values()) < 100_000, sizes


def test_random_weights_are_marked_in_every_table(page):
    for line in page.read_text().splitlines():
        if line.startswith("|") and "resnet50" in line and "seed_" not in line:
            assert "resnet50 (random weights)" in line


def test_unconverged_recipes_carry_a_dagger(page):
    rows = [line for line in section(page.read_text(), "Leaderboard").splitlines() if "†" in line]
    assert len([row for row in rows if row.startswith("|") and "cnn2" in row]) == 2


def test_a_failed_run_and_a_missing_cell_are_shown(page):
    runs = section(page.read_text(), "Runs")
    assert "ResourceExhaustedError" in runs
    assert "failed: 0" in runs
    assert re.search(r"cnn5 .*missing: 0", runs)


def test_leaky_runs_are_marked_and_not_ranked(page):
    rows = [line for line in section(page.read_text(), "Leaderboard").splitlines() if "leaky/" in line]
    assert rows
    assert rows[0].split("|")[1].strip() == "–"


def test_one_seed_makes_no_claim_about_recipes(page):
    assert "no claim about recipes is made" in section(page.read_text(), "Conclusions")


def test_drawn_faces_are_named_in_the_title(tmp_path):
    store = make_one(tmp_path, make_record(card=make_card("synthetic", drawn=True, bound=0.9)))
    text = build_report(store).markdown
    assert "drawn faces (synthetic)" in text.splitlines()[0]
    assert "90.0 %" in section(text, "Data")


def test_photographs_are_not_called_drawn(page):
    assert "drawn faces" not in page.read_text()


def test_a_study_without_a_finished_run_has_a_report(tmp_path):
    store = make_one(tmp_path, make_record(status="failed"))
    path = write_report(store, tmp_path / "reports")
    assert "nothing can be concluded" in path.read_text()


def test_a_study_without_records_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="has no records"):
        build_report(Store(tmp_path, "empty"))


def test_other_classes_and_marks_in_names_survive(tmp_path):
    classes = ("a|b", "<b>", "$x_y$", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m")
    store = make_one(tmp_path, make_record(card=make_card(classes=classes)))
    report = build_report(store)
    counts = section(report.markdown, "Data")
    assert "a\\|b" in counts
    assert "<b>" not in report.markdown
    assert all(picture.png().startswith(b"\x89PNG") for picture in report.pictures.values())


def test_reasons_lose_the_folders_of_the_machine(tmp_path):
    store = make_one(tmp_path, make_record(status="failed", reason="No space in /home/someone/study/results/x.npz"))
    report = build_report(store)
    everything = report.markdown + "".join(report.tables.values())
    assert "/home/someone" not in everything
    assert "…/x.npz" in everything


def test_files_that_the_report_no_longer_has_are_removed(tmp_path):
    store = make_one(tmp_path, make_record())
    page = write_report(store, tmp_path / "reports")
    stale = page.parent / "figures" / "old.png"
    stale.write_bytes(b"")
    kept = page.parent / "local" / "samples.png"
    kept.parent.mkdir()
    kept.write_bytes(b"")
    write_report(store, tmp_path / "reports")
    assert not stale.exists()
    assert kept.exists()


def test_pictures_that_show_the_same_are_not_drawn_again(tmp_path):
    store = make_one(tmp_path, make_record())
    page = write_report(store, tmp_path / "reports")
    picture = page.parent / "figures" / "leaderboard.png"
    before = picture.stat().st_mtime_ns
    write_report(store, tmp_path / "reports")
    assert picture.stat().st_mtime_ns == before


def test_means_and_spreads_are_shown_over_seeds(tmp_path):
    store = make_store(tmp_path, models=["cnn3"], seeds=(0, 1, 2), flaws=False)
    text = build_report(store).markdown
    assert "<sub>±" in section(text, "Leaderboard")
    assert "no claim about recipes" not in section(text, "Conclusions")


def test_class_names_keep_their_order(page):
    lines = section(page.read_text(), "Data").splitlines()
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("|")]
    assert rows[2:9] == list(CLASSES)


def test_the_report_is_written_where_tensorflow_is_not_installed(tmp_path):
    store = make_one(tmp_path, make_record(), make_record(protocol="augment"))
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'keras_cv', 'jax'): sys.modules[name] = None\n"
        "from study.store import Store\nfrom study.report.page import write_report\n"
        f"write_report(Store({str(store.results)!r}, {store.study!r}), {str(tmp_path / 'reports')!r})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=240)
    assert (tmp_path / "reports" / store.study / "README.md").is_file()


def test_importing_the_report_is_light():
    heavy = ("pandas", "sklearn", "matplotlib", "seaborn", "scipy", "cv2", "jinja2", "tabulate", "PIL")
    code = (
        "import sys, study.report.check, study.report.local, study.verbs.report\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
