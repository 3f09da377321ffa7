"""The model card says what a network is, what it scores and where its limits are, and nothing of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.analysis.evaluations import Robustness, keep_evaluations
from study.core.store import Store
from study.report.wording import percent, with_interval_inline
from study.trained.formats import FORMATS
from study.trained.model_card import build_card
from study.trained.scores import OVERALL, stored_scores, validation_scores
from tests.changed import replace
from tests.factories import make_card
from tests.trained.runs import keep

ROBUST = Robustness(
    images=250, clean=(0.4, 0.3, 0.5), mean=(0.61, 0.5, 0.7), errors={"blur": (0.1, 0.2, 0.3, 0.4, 0.5)}
)
EXPORTS = {
    kind: {"file": form.file, "bytes": 5_000_000, "largest_difference": 2e-7, "checked_on": "256 images"}
    for kind, form in FORMATS.items()
}
EXPORTS["litert-int8"] |= {
    "validation_images": 250,
    "validation_accuracy": 0.498,
    "validation_accuracy_float32": 0.5,
    "gain": [-0.002, -0.01, 0.006],
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "faces")


def test_every_metric_is_there_with_its_interval(store: Store) -> None:
    record = keep(store)
    text = build_card(store, record, EXPORTS)
    scores = stored_scores(store, record)
    for metric in OVERALL:
        if metric != "log_loss":
            found = scores.score(metric)
            assert f"{percent(found.value)} ({percent(found.low)}" in text
    for name in record.dataset.classes:
        assert f"\n| {name}" in text
    assert record.key in text and record.dataset.fingerprint[:12] in text


def test_the_validation_accuracy_has_its_interval(store: Store) -> None:
    record = keep(store)
    found = validation_scores(store, record).score("accuracy")
    arrays = store.load_arrays(record).arrays
    right = arrays["validation_probabilities"].argmax(axis=1) == arrays["validation_labels"]
    assert found.value == pytest.approx(right.mean()) and found.low < found.value < found.high
    assert f"were chosen: {with_interval_inline(found)} %." in build_card(store, record, {})


def test_corruptions_stand_on_it_where_they_were_measured(store: Store) -> None:
    record = keep(store)
    assert "Robustness" not in build_card(store, record, {})
    keep_evaluations(store, record, robustness=ROBUST)
    text = build_card(store, record, {})
    assert f"wrong for {percent(ROBUST.mean[0])} % of the images" in text
    assert all(f"| {name}" in text for name in ROBUST.errors)


def test_every_export_is_listed_with_its_call(store: Store) -> None:
    text = build_card(store, keep(store), EXPORTS)
    for form in FORMATS.values():
        assert f"`{form.file}`" in text
        assert form.python.format(file=form.file) in text
        assert len(form.python.splitlines()) <= 5
    assert "49.80 %" in text and "−0.20 points (95 % interval −1.00 to +0.60)" in text
    assert build_card(store, keep(store), {"onnx": EXPORTS["onnx"]}).count("tflite") == 0


def test_it_names_no_folder_of_this_machine(store: Store) -> None:
    text = build_card(store, keep(store), EXPORTS)
    assert str(store.results) not in text and "study retrain --run" in text


def test_contamination_and_missing_convergence_are_said(store: Store) -> None:
    text = build_card(store, keep(store, converged=False), EXPORTS)
    assert "identical copy among the training images: 18; validation images: 17" in text
    assert "**Not converged**" in text and "leaked" not in text
    leaky = build_card(store, keep(store, "cnn3", "leaky/oversample-before-split"), EXPORTS)
    assert "leaked test images" in leaky


def test_drawn_faces_and_other_data_have_their_own_words(store: Store, tmp_path: Path) -> None:
    assert "Trained on drawn faces" not in build_card(store, keep(store), EXPORTS)
    drawn = Store(tmp_path, "drawn")
    text = build_card(drawn, keep(drawn, card=make_card(drawn=True)), EXPORTS)
    assert "**Trained on drawn faces" in text and "drawn by the project itself" in text


def test_the_start_of_a_transfer_network_is_said_with_its_licence(store: Store) -> None:
    text = build_card(store, keep(store, "vgg16"), EXPORTS)
    assert "Starts from ImageNet" in text and "CC BY 4.0" in text


def test_mixed_precision_is_said(store: Store) -> None:
    record = keep(store)
    mixed = replace(record, spec=replace(record.spec, precision="mixed_bfloat16"))
    assert "compute in float32" in build_card(store, store.keep(mixed), EXPORTS)


def test_it_is_tidy_markdown(store: Store) -> None:
    text = build_card(store, keep(store), EXPORTS)
    lines = text.splitlines()
    assert lines[0].startswith("# ") and "\n\n\n" not in text and all(line == line.rstrip() for line in lines)
    for place, line in enumerate(lines):
        if line.startswith("|") and not lines[place - 1].startswith("|"):
            assert not lines[place - 1], f"no empty line before {line}"
