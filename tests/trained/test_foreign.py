"""Images of another dataset reach a run in its size, channels and classes; what it has met before is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from study.core.errors import UsageError
from study.core.record import Record
from study.core.store import Store
from study.datasets import synthetic
from study.datasets.image_set import ImageSet, make_image_set
from study.trained.images import prepare, resized
from tests.trained.runs import band_images, keep, keep_images

CLASSES = ("Happiness", "contempt", "sad")


def image_set(labels: list[int], images: np.ndarray | None = None, classes: tuple[str, ...] = CLASSES) -> ImageSet:
    count = len(labels)
    pixels = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 48, 48, 1), np.uint8)
    return make_image_set(
        "others",
        pixels if images is None else images,
        np.array(labels, np.int64),
        classes,
        np.array([f"image-{place}" for place in range(count)]),
        np.arange(count, dtype=np.uint8) % 3,
        "Given.",
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "faces")


@pytest.fixture
def record(store: Store) -> Record:
    return keep(store)


def test_labels_are_the_runs_and_classes_without_counterpart_are_left_out(store: Store, record: Record) -> None:
    found = prepare(store, record, image_set([0, 1, 2, 0, 1, 2]))
    assert [record.dataset.classes[label] for label in found.labels] == ["happy", "sad", "happy", "sad"]
    assert found.ids.tolist() == ["image-0", "image-2", "image-3", "image-5"]
    assert found.left_out == {"contempt": 2} and found.split == "all" and not found.own


def test_two_classes_may_mean_one(store: Store, record: Record) -> None:
    found = prepare(store, record, image_set([0, 1, 2]), {"contempt": "sad"})
    assert [record.dataset.classes[label] for label in found.labels] == ["happy", "sad", "sad"]
    assert found.left_out == {}


def test_one_split_can_be_chosen(store: Store, record: Record) -> None:
    assert prepare(store, record, image_set([0, 0, 0] * 3), split="test").ids.tolist() == [
        "image-2",
        "image-5",
        "image-8",
    ]


def test_too_few_images_are_one_line(store: Store, record: Record) -> None:
    with pytest.raises(UsageError, match="at least two images"):
        prepare(store, record, image_set([1, 1, 0]))


def test_the_runs_own_dataset_is_its_test_split(store: Store) -> None:
    faces = synthetic.make(images=300)
    record = keep(store, card=faces.card())
    keep_images(store, faces)
    found = prepare(store, record, faces)
    assert found.own and found.split == "test"
    assert np.array_equal(found.labels, faces.labels[faces.indices("test")])
    assert found.seen is not None and not found.seen.any()


def test_images_that_the_run_has_met_are_known_by_their_content(store: Store, record: Record) -> None:
    known = band_images(np.array([0, 1, 2]))  # one in each split
    keep_images(store, image_set([0, 1, 2], known))
    new = np.full((3, 48, 48, 1), 7, np.uint8)
    found = prepare(store, record, image_set([0, 0, 2, 2, 0, 0], np.concatenate([known, new])))
    assert found.seen is not None and found.seen.tolist() == [True, True, False, False, False, False]


def test_without_the_studys_hashes_nothing_is_claimed(store: Store, record: Record) -> None:
    assert prepare(store, record, image_set([0, 2, 0])).seen is None


@pytest.mark.parametrize("shape", [(48, 48, 1), (24, 24, 1), (96, 96, 3), (48, 48, 3), (20, 60, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_size_and_channels_follow_the_run(shape: tuple[int, int, int], channels: int) -> None:
    ramp = np.linspace(0, 255, shape[1]).astype(np.uint8)
    images = np.broadcast_to(ramp[None, None, :, None], (2, *shape)).copy()
    result = resized(images, (48, 48, channels))
    assert result.shape == (2, 48, 48, channels) and result.dtype == np.uint8
    expected = np.linspace(0, 255, 48)[None, None, :, None]
    assert np.abs(result - expected).max() < 9


def test_colour_becomes_grey_by_bt601() -> None:
    red = np.zeros((1, 4, 4, 3), np.uint8)
    red[..., 0] = 200
    assert np.abs(resized(red, (4, 4, 1)).astype(int) - round(0.299 * 200)).max() <= 1
