"""What the page says and what it never says."""

import csv
import re
import subprocess
import sys

import numpy as np
import pytest

from study.core.errors import StoreError
from study.core.record import Imported
from study.core.store import REMARKS_FILE, Store
from study.report.build import build_report
from study.report.write import write_report
from tests.changed import replace
from tests.factories import CLASSES, make_card, make_dataset, make_record, make_store


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
    lines = section(page.read_text(), "Leaderboard").splitlines()
    rows = [line for line in lines if line.startswith("|") and "leaky/" in line]
    assert rows[0].split("|")[1].strip() == "–"


def test_one_seed_makes_no_claim_about_recipes(page):
    text = page.read_text()
    assert "another seed may change them" in section(text, "Conclusions")
    methods = section(text, "How the numbers are made")
    assert "**Networks.**" in methods and not re.search(r"\*\*(Recipes|Best on validation|Equivalence)", methods)


def test_two_seeds_get_no_letters_for_those_of_one_network(tmp_path):
    store = make_store(tmp_path, models=["cnn3"], protocols=["baseline", "augment"], seeds=(0, 1), flaws=False)
    report = build_report(store)
    assert not any(row["group"] for row in rows_of(report, "leaderboard"))
    assert "share a letter" not in report.markdown


def test_what_imported_predictions_saw_is_not_known_and_the_head_speaks_of_the_others(tmp_path):
    record = make_record("cnn5")
    imported = Imported(file_sha256="0" * 64, splits=("validation", "test"))
    store = make_one(tmp_path, make_record(), replace(record, imported=imported, outcome=None, history=()))
    (store.folder / REMARKS_FILE).write_text("It was hot.\n", encoding="utf-8")
    report = build_report(store)
    trained, foreign = rows_of(report, "contamination")
    assert trained["test_copies_in_train"] == "18" and trained["leaky"] == "False"
    assert not any(value for name, value in foreign.items() if name not in ("protocols", "runs"))
    assert section(report.markdown, "Contamination").count("not known") == 5
    head = report.markdown.split("\n## ")[0]
    assert "seed 0;" in head and "For the runs trained here, every choice" in head
    assert "from the records, except for the remarks." in head


def test_a_vote_is_compared_with_its_best_member_on_validation(seeded):
    accuracy = {row["key"]: row for row in rows_of(seeded[1], "runs")}
    for row in rows_of(seeded[1], "ensembles"):
        members = [accuracy[key] for key in row["runs"].split()]
        best = max(members, key=lambda one: float(one["validation_accuracy"]))
        gain = float(row["accuracy"]) - float(best["test_accuracy"])
        assert float(row["gain_over_best_member"]) == pytest.approx(gain, abs=1e-5)
        assert float(row["gain_over_best_member_low"]) <= gain <= float(row["gain_over_best_member_high"])


def test_only_f1_of_each_class_has_its_table_on_the_page(seeded):
    classes = section(seeded[1].markdown, "Classes")
    assert classes.count("| model") == 1 and "](figures/per-class-recall.png)" in classes
    assert "[tables/per-class-recall.csv](tables/per-class-recall.csv)" in classes
    assert rows_of(seeded[1], "per-class-recall")


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


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """The report of a study with three seeds of four recipes, and one seed of a fifth."""
    store = make_store(tmp_path_factory.mktemp("seeded"), models=["cnn3"], seeds=(0, 1, 2), flaws=False)
    store.keep(make_record("cnn2"))
    return store, build_report(store)


def rows_of(report, name):
    return list(csv.DictReader(report.tables[f"{name}.csv"].splitlines()))


def test_three_seeds_make_statements_on_recipes_and_one_on_its_network(seeded):
    rows = {(row["model"], row["statement_about"]) for row in rows_of(seeded[1], "leaderboard")}
    assert rows == {("cnn3", "recipe"), ("cnn2", "network")}
    text = section(seeded[1].markdown, "Conclusions")
    assert "cnn2 / baseline has fewer than 3 seeds" in text
    assert "no claim about recipes is made" not in text


def test_recipes_and_networks_are_never_compared_with_each_other(seeded):
    assert {row["model"] for row in rows_of(seeded[1], "contrasts-recipes")} == {"cnn3"}
    for row in rows_of(seeded[1], "contrasts-networks"):
        assert all("seed_0" in key for key in row["runs"].split())


def test_intervals_of_the_leaderboard_hold_their_scores(seeded):
    for row in rows_of(seeded[1], "leaderboard"):
        for name in ("test_accuracy", "test_macro_f1", "test_balanced_accuracy", "test_log_loss"):
            assert float(row[f"{name}_low"]) < float(row[name]) < float(row[f"{name}_high"])


def test_every_statistic_names_the_runs_that_it_came_from(seeded):
    store, report = seeded
    keys = {record.key for record in store.records()}
    told = [name for name in report.tables if "runs" in report.tables[name].split("\n", 1)[0].split(",")]
    assert {"leaderboard.csv", "contrasts-recipes.csv", "factor-effects.csv", "calibration.csv"} <= set(told)
    for name in set(told) - {"contamination.csv"}:
        for row in rows_of(report, name.removesuffix(".csv")):
            assert row["runs"], name
            assert set(row["runs"].split()) <= keys


def test_a_factor_effect_is_the_mean_difference_of_its_recipes(seeded):
    score = {row["protocol"]: float(row["test_accuracy"]) for row in rows_of(seeded[1], "leaderboard")[:4]}
    found = {row["factor"]: float(row["accuracy"]) for row in rows_of(seeded[1], "factor-effects")}
    first, second = score["augment"] - score["baseline"], score["oversample+augment"] - score["oversample"]
    assert found["augmentation"] == pytest.approx((first + second) / 2, abs=1e-5)
    assert found["oversampling × augmentation"] == pytest.approx(second - first, abs=1e-5)


def test_groups_agree_with_the_pairs(seeded):
    letters = {f"cnn3 / {row['protocol']}": set(row["group"]) for row in rows_of(seeded[1], "leaderboard")[:4]}
    for row in rows_of(seeded[1], "pairs-recipes"):
        apart = not letters[row["first"]] & letters[row["second"]]
        assert apart == (float(row["p_all_pairs"]) < 0.05)


def test_a_wider_margin_turns_not_shown_into_equivalent(seeded):
    store, _ = seeded
    shown = [
        {row["equivalent"] for row in rows_of(build_report(store, margin), "contrasts-recipes")}
        for margin in (1e-4, 0.9)
    ]
    assert shown == [{"False"}, {"True"}]


def test_each_run_is_a_dot_and_the_best_has_its_probability(seeded):
    _, report = seeded
    rows = report.pictures["leaderboard.png"].data["rows"]
    runs = [float(row["test_accuracy"]) for row in rows_of(report, "runs")]
    assert sorted(one for row in rows for one in row["test"]) == pytest.approx(sorted(runs), abs=1e-5)
    chances = [float(row["probability_best"]) for row in rows_of(report, "leaderboard") if row["probability_best"]]
    assert len(chances) > 1 and sum(chances) == pytest.approx(1.0, abs=1e-4)


def test_the_region_of_practical_equivalence_stands_beside_the_two_tests(seeded):
    store, report = seeded
    wide = rows_of(build_report(store, 0.9), "contrasts-recipes")
    for row, other in zip(rows_of(report, "contrasts-recipes"), wide, strict=True):
        assert 0 <= float(row["probability_equivalent"]) < float(other["probability_equivalent"]) <= 1
        assert float(row["p_equivalence"]) > float(other["p_equivalence"])
    assert "probability" in section(report.markdown, "Differences").split("equivalent within 2")[1]


def test_every_accuracy_of_the_ranking_stands_with_and_without_copies(tmp_path):
    card = make_card()
    store = make_store(tmp_path, models=["cnn3"], seeds=(0, 1, 2), flaws=False, card=card)
    store.keep_dataset(make_dataset(card))
    rows = rows_of(build_report(store), "leaderboard")
    assert all(row["test_accuracy_without_copies"] and row["test_accuracy"] for row in rows)
    assert any(row["test_accuracy_without_copies"] != row["test_accuracy"] for row in rows)


def test_copies_among_test_images_count_as_one_and_unknown_ones_are_named(tmp_path, seeded):
    _, alone = seeded
    assert "treated as independent" in alone.markdown
    store = make_store(tmp_path, models=["cnn3"], protocols=["baseline"], seeds=(0, 1, 2), flaws=False)
    arrays = store.load_arrays(store.records()[0]).arrays
    counts = [2000, len(arrays["validation_labels"]), len(arrays["test_labels"])]
    labels = np.concatenate([np.zeros(2000, np.int64), arrays["validation_labels"], arrays["test_labels"]])
    hashes = np.arange(sum(counts)).astype("S32")
    hashes[-1] = hashes[-2]
    splits = np.repeat(np.arange(3, dtype=np.uint8), counts)
    store.keep_dataset({"labels": labels, "ids": hashes.astype(str), "splits": splits, "hashes": hashes})
    assert f"(1 of {counts[2]} are copies of another) count as one draw" in build_report(store).markdown


def test_a_dataset_file_of_other_images_is_an_error(tmp_path):
    store = make_one(tmp_path, make_record())
    arrays = {"labels": np.zeros(9, np.int64), "ids": np.arange(9).astype(str), "splits": np.full(9, 2, np.uint8)}
    store.keep_dataset(arrays | {"hashes": np.arange(9).astype("S32")})
    with pytest.raises(StoreError, match="not those of the study's dataset file"):
        build_report(store)


def test_a_network_that_diverged_does_not_stop_the_report(tmp_path):
    record = make_record(protocol="augment")
    arrays = {name: np.full_like(one, np.nan) if one.ndim > 1 else one for name, one in record.arrays.items()}
    store = make_one(tmp_path, make_record(), replace(record, arrays=arrays))
    assert "cnn3" in section(build_report(store).markdown, "Leaderboard")


def test_class_names_keep_their_order(page):
    lines = section(page.read_text(), "Data").splitlines()
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("|")]
    assert rows[2:9] == list(CLASSES)


def test_the_report_is_written_where_tensorflow_is_not_installed(tmp_path):
    store = make_one(tmp_path, make_record(), make_record(protocol="augment"))
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'keras_cv', 'jax'): sys.modules[name] = None\n"
        "from study.core.store import Store\nfrom study.report.write import write_report\n"
        f"write_report(Store({str(store.results)!r}, {store.study!r}), {str(tmp_path / 'reports')!r})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=240)
    assert (tmp_path / "reports" / store.study / "README.md").is_file()


def test_importing_the_report_is_light():
    heavy = ("pandas", "sklearn", "matplotlib", "seaborn", "scipy", "cv2", "jinja2", "tabulate", "PIL")
    code = (
        "import sys, study.report.write, study.report.local, study.cli.report\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
