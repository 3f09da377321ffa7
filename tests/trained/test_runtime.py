"""A stored network answers without TensorFlow where an export lies beside its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from study.core.errors import UsageError, WeightsError
from study.core.record import Record
from study.core.store import Store
from study.trained.runtime import BATCH, open_runtime
from tests.factories import make_card
from tests.hidden import run_hidden
from tests.trained.runs import add_onnx, band_images, keep

OPEN = """
import sys
import numpy as np
from study.trained.runtime import open_runtime
from study.trained.winner import open_run
runtime = open_runtime(*open_run(sys.argv[1]))
print(runtime.kind, runtime.probabilities(np.zeros((1, 48, 48), np.uint8)).shape)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", "faces")


@pytest.fixture
def record(store: Store) -> Record:
    record = keep(store)
    add_onnx(store, record)
    return record


def test_it_needs_no_backend(store: Store, record: Record, tmp_path: Path) -> None:
    done = run_hidden(["-c", OPEN, store.results], tmp_path, ("tensorflow", "keras", "jax", "sklearn", "pandas"))
    assert done.code == 0, done.err
    assert done.out.split() == ["onnx", "(1,", "7)"]


def test_it_says_what_it_takes_and_gives(store: Store, record: Record) -> None:
    runtime = open_runtime(store, record)
    assert runtime.kind == "onnx" and runtime.key == record.key and runtime.notice == ""
    assert runtime.classes == tuple(record.dataset.classes) and runtime.image_shape == (48, 48, 1)


@pytest.mark.parametrize("count", [0, 1, BATCH, 2 * BATCH + 3])
def test_any_number_of_images_is_answered_in_order(store: Store, record: Record, count: int) -> None:
    labels = np.arange(count) % 7
    images = band_images(labels)
    runtime = open_runtime(store, record)
    probabilities = runtime.probabilities(images)
    assert probabilities.shape == (count, 7) and probabilities.dtype == np.float32
    assert np.array_equal(probabilities.argmax(axis=1), labels)
    assert np.array_equal(runtime.probabilities(images[..., 0]), probabilities)


@pytest.mark.parametrize(
    "images",
    [np.zeros((1, 48, 48, 3), np.uint8), np.zeros((1, 47, 48, 1), np.uint8), np.zeros((1, 48, 48, 1), np.float32)],
    ids=["colour", "size", "type"],
)
def test_other_images_are_refused(store: Store, record: Record, images: np.ndarray) -> None:
    with pytest.raises(UsageError, match="takes uint8 images of 48x48x1"):
        open_runtime(store, record).probabilities(images)


def test_a_network_of_drawn_faces_says_so(store: Store) -> None:
    record = keep(store, card=make_card(drawn=True))
    add_onnx(store, record)
    assert "drawn faces" in open_runtime(store, record).notice


def test_an_altered_export_is_not_used(store: Store, record: Record) -> None:
    path = add_onnx(store, record)
    path.write_bytes(path.read_bytes() + b"\0")
    store.weights_path(record.spec).unlink()
    with pytest.raises(WeightsError, match="study retrain"):  # Keras would come next
        open_runtime(store, record)


def test_the_weights_file_is_needed_for_nothing_else(store: Store, record: Record) -> None:
    store.weights_path(record.spec).unlink()
    assert open_runtime(store, record).kind == "onnx"
