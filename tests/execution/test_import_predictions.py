"""An imported record is ranked and tested like any other, marked, and blank where it cannot say anything."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from study.cli.import_ import app
from study.core.errors import DataError, UsageError
from study.core.record import Record
from study.core.spec import SPLITS
from study.core.store import Store
from study.execution.import_predictions import import_predictions, write_template
from study.report.build import build_report
from study.report.collect import StudyData, collect
from tests.factories import make_card, make_counts, make_dataset, make_record

CARD = make_card("faces", make_counts(300, 60, 80))
TEST = "test"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a study with two recipes of three seeds and its dataset file."""
    found = Store(tmp_path / "results", "faces")
    for seed in range(3):
        for protocol in ("baseline", "augment"):
            found.keep(make_record("cnn3", protocol, seed, card=CARD))
    found.keep_dataset(make_dataset(CARD))
    return found


def predictions(store: Store, skill: float = 6.0) -> dict[str, NDArray[Any]]:
    """Return somebody's probabilities for all images, better than the study's own."""
    dataset = store.load_dataset()
    rng = np.random.default_rng(5)
    odds = np.exp(rng.normal(0, 1, (len(dataset["ids"]), 7)) + skill / 2 * np.eye(7)[dataset["labels"]])
    return {**dataset, "odds": odds / odds.sum(axis=1, keepdims=True)}


def write(path: Path, store: Store, splits: tuple[str, ...] = ("validation", TEST), labels: bool = False) -> Path:
    found = predictions(store)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image", *(["label"] if labels else CARD.classes)])
        for place in np.flatnonzero(np.isin(found["splits"], [SPLITS.index(split) for split in splits])):
            odds = found["odds"][place]
            rows.writerow([found["ids"][place], *([CARD.classes[odds.argmax()]] if labels else odds)])
    return path


def taken(store: Store, path: Path, **more: Any) -> tuple[Record, StudyData]:
    record = import_predictions(path, "peer", store, **more)
    return record, collect(store)


def test_it_is_ranked_compared_and_marked(store: Store, tmp_path: Path) -> None:
    record, data = taken(store, write(tmp_path / "p.csv", store))
    read = store.find(record.spec)
    assert read is not None and read.to_json() == record.to_json(), "what is stored is what is read"
    first = data.standings[0]
    assert (first.rank, str(first.recipe)) == (1, "peer / imported")
    expected = predictions(store)
    test = expected["splits"] == SPLITS.index(TEST)
    right = expected["odds"][test].argmax(axis=1) == expected["labels"][test]
    assert first.measures["test_accuracy"].mean == pytest.approx(right.mean())
    assert data.found is not None and first.recipe in data.found.networks.compared
    assert len(data.found.networks.compared) == 3, "compared with the networks of one seed"
    report = build_report(store)
    assert "Imported predictions: peer. They are scored like the others" in report.markdown
    assert "| peer    |         – | imported | not known" in report.markdown
    assert f"`{record.key}` | imported" in report.markdown
    assert "study import predictions.csv --name peer --study faces" in report.markdown


def test_what_is_not_known_of_it_takes_no_part(store: Store, tmp_path: Path) -> None:
    _, data = taken(store, write(tmp_path / "p.csv", store))
    report = build_report(store)
    assert data.seeds == [0, 1, 2] and "1 model under 2 protocols" in report.markdown
    assert "missing" not in report.markdown.split("## Conclusions")[0]
    assert "peer" not in report.tables["coverage.csv"] and "imported" not in report.tables["protocols.csv"]
    assert "imported" not in report.tables["schedules.csv"]
    assert data.found is not None
    assert all("peer" not in key for one in data.found.effects.overall["accuracy"] for key in one.difference.runs)
    assert "pareto.png" not in report.pictures, "two recipes of one network show no trade-off"


def test_labels_alone_leave_blank_what_needs_probabilities(store: Store, tmp_path: Path) -> None:
    record, data = taken(store, write(tmp_path / "p.csv", store, labels=True))
    assert record.imported.probabilities is False
    report = build_report(store)
    row = next(one for one in csv.DictReader(report.tables["leaderboard.csv"].splitlines()) if one["model"] == "peer")
    assert row["rank"] == "1" and float(row["test_accuracy"]) > 0.5 and float(row["test_macro_f1"]) > 0
    assert row["test_log_loss"] == ""
    calibration = next(
        one for one in csv.DictReader(report.tables["calibration.csv"].splitlines()) if one["model"] == "peer"
    )
    assert all(not calibration[name] for name in ("log_loss", "brier", "ece", "temperature", "ece_with_temperature"))
    assert all(panel["model"] != "peer" for panel in report.pictures["reliability.png"].data)
    assert data.found is not None
    assert all("peer" not in run.record.key for one in data.found.ensembles for run in one.runs)


def test_without_the_validation_split_it_is_shown_but_not_ranked(store: Store, tmp_path: Path) -> None:
    _, data = taken(store, write(tmp_path / "p.csv", store, splits=(TEST,)))
    last = data.standings[-1]
    assert str(last.recipe) == "peer / imported" and last.rank is None
    assert last.measures["validation_accuracy"].mean is None and last.measures["test_accuracy"].mean is not None
    report = build_report(store)
    assert "not ranked: imported without predictions on the validation split" in report.markdown
    assert "leaks test images on purpose" not in report.markdown
    splits = {
        row["split"] for row in csv.DictReader(report.tables["per-class.csv"].splitlines()) if row["model"] == "peer"
    }
    assert splits == {"test"}


def test_the_pictures_that_lack_something_can_be_drawn(store: Store, tmp_path: Path) -> None:
    for name, options in {"full": {}, "labels": {"labels": True}, "test": {"splits": (TEST,)}}.items():
        import_predictions(write(tmp_path / f"{name}.csv", store, **options), f"peer-{name}", store)
    for model in ("cnn2", "cnn5"):
        store.keep(make_record(model, card=CARD))
    pictures = build_report(store).pictures
    for name in ("leaderboard", "reliability", "pareto", "learning-curves"):
        assert pictures[f"{name}.png"].png().startswith(b"\x89PNG")
    assert all("peer" not in row["model"] for row in pictures["pareto.png"].data), "what it costs is not known"


def test_three_seeds_make_a_recipe(store: Store, tmp_path: Path) -> None:
    for seed in range(3):
        import_predictions(write(tmp_path / "p.csv", store), "peer", store, seed=seed)
    data = collect(store)
    assert data.found is not None
    assert "peer / imported" in {str(one) for one in data.found.recipes.compared}


def test_the_same_file_again_changes_nothing_and_another_is_refused(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", store)
    first = import_predictions(path, "peer", store)
    assert import_predictions(path, "peer", store).key == first.key
    assert len(store.records()) == 7
    with pytest.raises(UsageError, match="'peer', seed 0, has been imported with other predictions"):
        import_predictions(write(tmp_path / "q.csv", store, labels=True), "peer", store)


@pytest.mark.parametrize("name", ["", "../up", "a/b", "-x", "a b", "x" * 65])
def test_names_that_are_no_folder_are_refused(store: Store, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="a name must be letters"):
        import_predictions(write(tmp_path / "p.csv", store), name, store)


def test_the_name_of_a_trained_model_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'cnn3' is a model that study 'faces' trained"):
        import_predictions(write(tmp_path / "p.csv", store), "cnn3", store)


def test_a_study_without_dataset_file_is_refused(tmp_path: Path) -> None:
    bare = Store(tmp_path, "bare")
    bare.keep(make_record("cnn3", card=CARD))
    with pytest.raises(UsageError, match="no records to compare with"):
        import_predictions(tmp_path / "p.csv", "peer", bare)


def test_a_filled_template_can_be_imported(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "images.csv"
    assert write_template(path, store) == 141
    lines = path.read_text().splitlines()
    assert lines[0] == "image,label" and len(lines) == 142
    with pytest.raises(DataError, match="line 2: expected a class"):
        import_predictions(path, "peer", store)
    path.write_text("\n".join([lines[0], *(f"{line}happy" for line in lines[1:])]))
    assert import_predictions(path, "peer", store).imported.splits == ("validation", "test")


@pytest.fixture
def run(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.chdir(store.results.parent)

    def call(*words: str) -> str:
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return call


def test_the_verb_says_what_it_did(store: Store, tmp_path: Path, run: Callable[..., str]) -> None:
    write(tmp_path / "p.csv", store, splits=(TEST,), labels=True)
    output = run("p.csv", "--name", "peer", "--study", "faces")
    assert "Imported peer-imported-seed_0-" in output and "80 images, labels" in output
    assert "shown but not ranked" in output
    assert "names 141 images" in run("t.csv", "--study", "faces", "--template")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("p.csv", "--name", "peer", "--study", "other"), "unknown study 'other'"),
        (("p.csv", "--study", "faces"), "give --name PEER"),
        (("p.csv", "--name", "vgg16", "--study", "faces"), "'vgg16' is the name of a model of this package"),
    ],
)
def test_the_verb_refuses_what_cannot_be(run: Callable[..., str], words: tuple[str, ...], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        run(*words)
