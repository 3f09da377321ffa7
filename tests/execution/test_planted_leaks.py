"""Planted leaks of many kinds: the guard, the contamination or the audit flags each, and clean data never."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from study.core.errors import DataError
from study.core.spec import SPLITS, RunProtocol
from study.datasets import synthetic
from study.datasets.audit import audit
from study.datasets.image_set import ImageSet, hash_images, make_image_set
from study.datasets.readers import fer2013
from study.protocols import PROTOCOLS, resolve
from study.protocols.contamination import guard_run, measure_run
from study.protocols.splits import Splits, make_splits
from tests.changed import replace

COPIED = 6
"""Images that a planted leak copies, out of 40 test images."""


@pytest.fixture(scope="module")
def clean() -> ImageSet:
    return synthetic.make(images=400)


def protocol(name: str = "baseline") -> RunProtocol:
    return resolve(PROTOCOLS.get(name), family="custom", weights_source="none", train_images=320)


def flags(data: ImageSet, name: str = "baseline", splits: Splits | None = None) -> list[str]:
    """Return everything that speaks against a run of a protocol on a set: refusal, contamination, warnings."""
    settings = protocol(name)
    splits = splits or make_splits(data, settings)
    declared = settings.leak != "none"
    found = [f"declared: {settings.leak}"] if declared else []
    try:
        guard_run(data, splits, declared)
    except DataError as error:
        found.append(f"refused: {error}")
    seen = measure_run(data, splits, declared=False)
    found += [
        f"contamination: {name}" for name in ("trained_on_test_ids", "selected_on_test", "leaky") if getattr(seen, name)
    ]
    if len(np.unique(data.hashes)) > 1 and data.image_shape[0] > 1:
        found += [f"audit: {warning}" for warning in audit(data).warnings]
    return found


def copied(data: ImageSet, source: str, target: str, change: Callable[[Any], Any] = lambda image: image) -> ImageSet:
    """Put changed copies of images of one split in the place of images of another, with the labels of the originals."""
    random = np.random.default_rng(0)
    originals = random.choice(data.indices(source), COPIED, replace=False)
    images, labels = np.array(data.images), data.labels.copy()
    for row in originals:
        places = np.setdiff1d(data.indices(target)[data.labels[data.indices(target)] == data.labels[row]], originals)
        place = random.choice(places)
        images[place] = change(images[row, :, :, 0]).reshape(images.shape[1:])
    return rebuilt(data, images, labels)


def rebuilt(data: ImageSet, images: Any, labels: Any, splits: Any = None) -> ImageSet:
    splits = data.splits if splits is None else splits
    return make_image_set(data.name, images, labels, data.classes, data.ids, splits, data.split_source)


def jpeg(image: Any) -> Any:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE)


def brighter(image: Any, by: int = 25) -> Any:
    return np.clip(image.astype(int) + by, 0, 255).astype(np.uint8)


def contrast(image: Any) -> Any:
    return np.clip((image.astype(float) - 128) * 0.7 + 128, 0, 255).astype(np.uint8)


def noisy(image: Any) -> Any:
    return np.clip(image + np.random.default_rng(1).normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def shifted(image: Any) -> Any:
    return np.roll(image, 1, axis=1)


def cropped(image: Any) -> Any:
    return cv2.resize(image[1:-1, 1:-1], image.shape[::-1], interpolation=cv2.INTER_AREA)


def smaller_and_back(image: Any) -> Any:
    side = (image.shape[1] * 3 // 4, image.shape[0] * 3 // 4)
    return cv2.resize(cv2.resize(image, side, interpolation=cv2.INTER_AREA), image.shape[::-1])


IN_PIXELS: dict[str, Callable[[ImageSet], ImageSet]] = {
    "test images copied into training": lambda data: copied(data, "test", "train"),
    "training images copied into test": lambda data: copied(data, "train", "test"),
    "validation images copied into training": lambda data: copied(data, "validation", "train"),
    "test images copied into validation": lambda data: copied(data, "test", "validation"),
    "mirrored copies": lambda data: copied(data, "test", "train", lambda image: image[:, ::-1]),
    "copies encoded anew": lambda data: copied(data, "test", "train", jpeg),
    "brighter copies": lambda data: copied(data, "test", "train", brighter),
    "darker copies": lambda data: copied(data, "test", "train", lambda image: brighter(image, -25)),
    "copies of lower contrast": lambda data: copied(data, "test", "train", contrast),
    "noisy copies": lambda data: copied(data, "test", "train", noisy),
    "copies shifted by a pixel": lambda data: copied(data, "test", "train", shifted),
    "copies cut at the border": lambda data: copied(data, "test", "train", cropped),
    "copies scaled down and up": lambda data: copied(data, "test", "train", smaller_and_back),
    "mirrored, brightened and encoded anew": lambda data: copied(
        data, "test", "train", lambda image: jpeg(brighter(image[:, ::-1]))
    ),
    "a blurred training split": lambda data: changed_split(data, "train", lambda image: cv2.blur(image, (5, 5))),
    "an equalised test split": lambda data: changed_split(data, "test", cv2.equalizeHist),
}


def changed_split(data: ImageSet, split: str, change: Callable[[Any], Any]) -> ImageSet:
    images = np.array(data.images)
    for row in data.indices(split):
        images[row] = change(images[row, :, :, 0]).reshape(images.shape[1:])
    return rebuilt(data, images, data.labels)


@pytest.mark.parametrize("plant", IN_PIXELS.values(), ids=IN_PIXELS.keys())
def test_a_leak_in_the_pixels_is_flagged(clean: ImageSet, plant: Callable[[ImageSet], ImageSet]) -> None:
    assert flags(plant(clean))


@pytest.mark.parametrize(("one", "other"), [("test", "train"), ("validation", "train"), ("test", "validation")])
def test_an_id_in_two_splits_is_refused(clean: ImageSet, one: str, other: str) -> None:
    ids = clean.ids.copy()
    ids[clean.indices(one)[0]] = ids[clean.indices(other)[0]]
    found = flags(replace(clean, ids=ids))
    assert any(flag.startswith("refused") and f"1 ids of {one} are in {other}" in flag for flag in found)


LEAKY = [one.name for one in PROTOCOLS if "leaky" in one.groups]


@pytest.mark.parametrize("name", LEAKY)
def test_a_leaky_protocol_is_flagged_by_what_it_uses_and_not_only_by_its_name(clean: ImageSet, name: str) -> None:
    found = flags(clean, name)
    assert any(flag.startswith("declared") for flag in found)
    assert "contamination: leaky" in found, "measured without its declaration"


@pytest.mark.parametrize("name", sorted({*LEAKY} - {"leaky/checkpoint-on-test"}))  # whose splits are honest ones
def test_a_leaky_split_under_an_honest_name_is_refused(clean: ImageSet, name: str) -> None:
    assert any(flag.startswith("refused") for flag in flags(clean, splits=make_splits(clean, protocol(name))))


def own(data: ImageSet, **changes: Any) -> Splits:
    return replace(make_splits(data, protocol()), **changes)


HIDDEN: dict[str, Callable[[ImageSet], Splits]] = {
    "training on everything": lambda data: own(data, train=np.arange(len(data))),
    "training on one test image": lambda data: own(
        data, train=np.append(data.indices("train"), data.indices("test")[:1])
    ),
    "training on a changed copy of a test image": lambda data: own(
        data, train=np.append(data.indices("train"), data.indices("test")[:1] + len(data))
    ),
    "validation and test exchanged for the choice": lambda data: own(data, chosen_on=data.indices("test")),
    "validation on test": lambda data: own(data, validation=data.indices("test"), chosen_on=data.indices("test")),
    "validation on test and validation": lambda data: own(
        data, chosen_on=np.concatenate([data.indices("validation"), data.indices("test")])
    ),
    "validation on training images": lambda data: own(data, validation=data.indices("train")[:40]),
}


@pytest.mark.parametrize("plant", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_leak_in_the_indices_of_a_run_is_flagged(clean: ImageSet, plant: Callable[[ImageSet], Splits]) -> None:
    assert flags(clean, splits=plant(clean))


def official(moves: dict[str, str] | None = None, rows: slice = slice(None), labels: int | None = None) -> ImageSet:
    """Return one-pixel images with FER-2013's name and counts, some of them moved to another split or relabelled."""
    numbers = np.concatenate([np.repeat(np.arange(7), fer2013.OFFICIAL_COUNTS[split]) for split in SPLITS])
    splits = np.repeat(np.arange(3), [sum(fer2013.OFFICIAL_COUNTS[split]) for split in SPLITS]).astype(np.uint8)
    moved = splits.copy()
    for split, other in (moves or {}).items():
        moved[np.flatnonzero(splits == SPLITS.index(split))[rows]] = SPLITS.index(other)
    if labels is not None:
        numbers[np.flatnonzero(numbers != labels)[0]] = labels
    ids = np.arange(fer2013.TOTAL).astype(str)
    hashes = np.char.zfill(ids, 32).astype("S32")
    images = np.zeros((fer2013.TOTAL, 1, 1, 1), np.uint8)
    return make_image_set(fer2013.NAME, images, numbers, fer2013.CLASSES, ids, moved, "The test says so.", hashes)


SPLIT_AGAIN: dict[str, Callable[[], ImageSet]] = {
    "validation and test swapped": lambda: official({"validation": "test", "test": "validation"}),
    "train and test swapped": lambda: official({"train": "test", "test": "train"}),
    "validation merged into train": lambda: official({"validation": "train"}, slice(0, -100)),
    "test merged into train": lambda: official({"test": "train"}, slice(0, -100)),
    "validation merged into test": lambda: official({"validation": "test"}, slice(0, -100)),
    "one test image moved into train": lambda: official({"test": "train"}, slice(0, 1)),
    "one image relabelled": lambda: official(labels=3),
}


@pytest.mark.parametrize("make", SPLIT_AGAIN.values(), ids=SPLIT_AGAIN.keys())
def test_a_changed_split_of_fer2013_is_refused(make: Callable[[], ImageSet]) -> None:
    assert any("swapped, merged or changed split" in flag for flag in flags(make()))


def test_clean_data_and_honest_runs_are_never_flagged(clean: ImageSet) -> None:
    assert flags(official()) == []
    for one in PROTOCOLS:
        if "leaky" not in one.groups:
            assert flags(clean, one.name) == [], one.name


@pytest.mark.parametrize("seed", range(5))
def test_clean_data_of_other_seeds_are_never_flagged(seed: int) -> None:
    assert flags(synthetic.make(images=400, seed=seed + 1)) == []


def test_at_least_twenty_kinds_are_planted() -> None:
    assert len(IN_PIXELS) + 3 + len(LEAKY) + len(HIDDEN) + len(SPLIT_AGAIN) >= 20


def test_changed_copies_have_other_contents(clean: ImageSet) -> None:
    """Otherwise the tests above would only show that identical images are found."""
    for change in (jpeg, brighter, contrast, noisy, shifted, cropped, smaller_and_back):
        image = np.array(clean.images[0, :, :, 0])
        assert hash_images(change(image)[None, ..., None]) != hash_images(image[None, ..., None])
