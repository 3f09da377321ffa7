"""An evaluation scores a run on other images as its report does, and touches none of its records."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from study.analysis.runs import score_run
from study.core.record import Record
from study.core.store import Store
from study.datasets.image_set import ImageSet, make_image_set
from study.trained.evaluation import Evaluation, evaluate, write_evaluation
from study.trained.images import prepare
from study.trained.scores import stored_scores
from tests.factories import make_card
from tests.trained.runs import contents, keep

CLASSES = ("happy", "sad", "contempt")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", "faces")


@pytest.fixture
def record(store: Store) -> Record:
    return keep(store)


def others(count: int = 60, drawn: bool = False) -> ImageSet:
    rng = np.random.default_rng(0)
    return make_image_set(
        "others",
        rng.integers(0, 256, (count, 48, 48, 1), dtype=np.uint8),
        np.arange(count, dtype=np.int64) % 3,
        CLASSES,
        np.array([f"image-{place}" for place in range(count)]),
        np.arange(count, dtype=np.uint8) % 3,
        "Given.",
        drawn=drawn,
    )


def answers(right: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return probabilities that are right where they shall be and say neutral elsewhere."""
    answered = np.where(right, labels, 6)
    return (0.05 + 0.65 * np.eye(7)[answered]).astype(np.float32)


def run(store: Store, record: Record, image_set: ImageSet, share: float = 0.75) -> Evaluation:
    foreign = prepare(store, record, image_set)
    right = np.arange(len(foreign.labels)) < share * len(foreign.labels)
    return evaluate(store, record, image_set, foreign, answers(right, foreign.labels))


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_scores_are_those_of_the_answers_with_intervals(store: Store, record: Record) -> None:
    found = run(store, record, others())
    accuracy = found.here.score("accuracy")
    assert accuracy.value == pytest.approx(0.75)
    assert 0.55 < accuracy.low < 0.75 < accuracy.high < 0.92
    assert found.home.score("accuracy").value == score_run(store.load_arrays(record)).test.accuracy


def test_the_page_has_scores_classes_and_what_was_left_out(store: Store, record: Record, tmp_path: Path) -> None:
    found = run(store, record, others())
    page = write_evaluation(found, store, tmp_path / "reports", "onnx")
    assert page.parent.parent == tmp_path / "reports" / "faces" / "evaluations"
    text = page.read_text()
    assert "| others" in text and "75.0<br>" in text
    assert "contempt: **no counterpart**, 20 images left out" in text
    assert "No image here has the label angry or disgust or fear or surprise or neutral" in text
    assert "it is not known whether the network met any of these" in text
    assert str(tmp_path) not in text and "\n\n\n" not in text


def test_tables_hold_the_same_numbers(store: Store, record: Record, tmp_path: Path) -> None:
    folder = write_evaluation(run(store, record, others()), store, tmp_path, "onnx").parent
    scores = rows(folder / "tables" / "scores.csv")
    assert [row["images_of"] for row in scores] == ["others", "its own test split"]
    assert float(scores[0]["accuracy"]) == 0.75 and scores[0]["images"] == "40"
    classes = rows(folder / "tables" / "per-class.csv")
    assert {row["class"]: int(row["images"]) for row in classes} == {"happy": 20, "sad": 20}
    assert all(float(row["precision"]) == 1.0 for row in classes)
    confusion = {row["true"]: row for row in rows(folder / "tables" / "confusion.csv")}
    wrong = sum(int(row["predicted_neutral"]) for row in confusion.values())
    assert set(confusion) == {"happy", "sad"} and wrong == 10
    assert (folder / "figures" / "confusion.png").stat().st_size > 1000


def test_nothing_of_the_study_is_touched(store: Store, record: Record, tmp_path: Path) -> None:
    before = contents(store.results)
    write_evaluation(run(store, record, others()), store, tmp_path / "reports", "onnx")
    assert contents(store.results) == before


def test_what_the_run_has_met_is_scored_apart(store: Store, record: Record, tmp_path: Path) -> None:
    both = others()
    labels = record.arrays["test_labels"]
    splits = np.repeat(np.array([0, 2], np.uint8), [21, len(labels)])
    hashes = np.concatenate([both.hashes[:21], np.arange(len(labels)).astype("S32")])
    everything = np.concatenate([both.labels[:21], labels])
    store.keep_dataset({"labels": everything, "ids": hashes.astype(str), "splits": splits, "hashes": hashes})
    found = run(store, record, both, share=0.5)
    assert found.foreign.seen is not None and found.foreign.seen.sum() == 14  # of 21, those of a known class
    assert found.unseen is not None and len(found.unseen.run.correct) == 26
    assert found.here.score("accuracy").value == 0.5
    assert found.unseen.score("accuracy").value == pytest.approx(6 / 26)
    text = write_evaluation(found, store, tmp_path, "onnx").read_text()
    assert "identical to ones that the run trained on or was chosen by" in text and "| new to the run" in text


def test_copies_widen_the_interval(store: Store, record: Record) -> None:
    once = others(30)
    images = np.repeat(once.images, 4, axis=0)
    copied = make_image_set(
        "copies", images, np.repeat(once.labels, 4), CLASSES, np.arange(120).astype(str),
        np.arange(120, dtype=np.uint8) % 3, "Given.",
    )  # fmt: skip

    def width(image_set: ImageSet) -> float:
        accuracy = run(store, record, image_set).here.score("accuracy")
        return accuracy.high - accuracy.low

    assert width(copied) > 0.8 * width(once)


def test_drawn_faces_are_told_from_photographs(tmp_path: Path) -> None:
    store = Store(tmp_path, "drawn")
    record = keep(store, card=make_card(drawn=True))
    text = write_evaluation(run(store, record, others(drawn=True)), store, tmp_path, "keras").read_text()
    assert "Trained on drawn faces" in text and "The images are drawn faces" in text


def test_stored_scores_count_copies_as_one(store: Store, record: Record) -> None:
    test = len(record.arrays["test_labels"])
    alone = stored_scores(store, record).score("accuracy")
    store.keep_dataset(
        {
            "labels": record.arrays["test_labels"],
            "ids": np.arange(test).astype(str),
            "splits": np.full(test, 2, np.uint8),
            "hashes": (np.arange(test) // 5).astype("S32"),
        }
    )
    grouped = stored_scores(store, record).score("accuracy")
    assert grouped.value == alone.value and grouped.high - grouped.low != alone.high - alone.low
