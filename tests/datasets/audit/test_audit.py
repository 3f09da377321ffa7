"""The audit finds what was planted, and warns of nothing in clean data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from study.core.spec import SPLITS
from study.datasets import synthetic
from study.datasets.audit import Audit, audit
from study.datasets.image_set import ImageSet, make_image_set
from tests.changed import replace

TRAIN, VALIDATION, TEST = range(3)


@pytest.fixture(scope="module")
def clean() -> ImageSet:
    return synthetic.make(images=600, difficulty=0.5)


def changed(data: ImageSet, images: NDArray[np.uint8] | None = None, **parts: object) -> ImageSet:
    """Return the set with other images, labels or splits; it counts as photographs."""
    found = {"labels": data.labels, "ids": data.ids, "splits": data.splits, **parts}
    images = data.images if images is None else images
    return make_image_set("made", images, classes=data.classes, split_source="The test says so.", **found)


def filtered(data: ImageSet, split: int | None, change: Callable[[Image.Image], Image.Image]) -> ImageSet:
    """Return the set with every image of one split, or of all, changed by Pillow."""
    images = data.images.copy()
    for row in np.flatnonzero(data.splits == split) if split is not None else range(len(data)):
        images[row, ..., 0] = np.asarray(change(Image.fromarray(images[row, ..., 0])))
    return changed(data, images)


def copied(
    data: ImageSet, sources: int, targets: int, count: int, change: Callable[..., NDArray[np.uint8]]
) -> ImageSet:
    """Return the set with the first images of one split put over those of another, same classes, changed."""
    images, labels = data.images.copy(), data.labels.copy()
    for one, two in zip(data.indices(SPLITS[sources])[:count], data.indices(SPLITS[targets])[:count], strict=True):
        images[two], labels[two] = change(images[one]), labels[one]
    return changed(data, images, labels=labels)


def told(found: Audit) -> str:
    return "\n".join(found.warnings)


@pytest.mark.parametrize("settings", [{}, {"seed": 5}, {"difficulty": 0.0}, {"images": 300}])
def test_clean_data_are_never_warned_of(settings: dict[str, float]) -> None:
    found = audit(synthetic.make(**{"images": 400, **settings}))
    assert found.warnings == ()
    assert found.distinct == len(found.data)


def test_identical_copies_are_counted_by_split_pair_and_class(clean: ImageSet) -> None:
    found = audit(copied(clean, TRAIN, TEST, 5, lambda image: image))
    assert (found.copies("test", "train", near=False).copied, found.copies("train", "test", near=False).copied) == (
        5,
        5,
    )
    assert found.copies("validation", "train", near=True).copied == 0
    classes = [
        (one.label, one.copied) for one in found.identical_overlaps if (one.split, one.other) == ("test", "train")
    ]
    labels = clean.labels[clean.indices("train")[:5]]
    assert dict(classes) == {label: int(np.sum(labels == label)) for label in range(7)}
    assert "5 of 60 (8.3 %) test images have an identical copy in train." in told(found)


def test_mirrored_and_brighter_copies_are_near_ones(clean: ImageSet) -> None:
    found = audit(copied(clean, TRAIN, VALIDATION, 6, lambda image: np.minimum(image[:, ::-1], 225) + np.uint8(30)))
    assert found.copies("validation", "train", near=False).copied == 0
    assert found.copies("validation", "train", near=True).copied >= 6
    assert "validation images have a near copy in train" in told(found)


def test_copies_within_a_split_do_not_leak(clean: ImageSet) -> None:
    images = clean.images.copy()
    first, second = clean.indices("train")[:2]
    images[second] = images[first]
    labels = clean.labels.copy()
    labels[second] = labels[first]
    found = audit(changed(clean, images, labels=labels))
    assert found.copies("train", "train", near=False).copied == 2
    assert [rows.tolist() for rows in found.identical] == [[first, second]]
    assert "copy" not in told(found)


def test_conflicting_labels_are_counted_by_group_and_pair(clean: ImageSet) -> None:
    images, labels = clean.images.copy(), clean.labels.copy()
    rows = clean.indices("train")[:3]
    images[rows] = images[rows[0]]
    labels[rows] = [3, 3, 4]
    found = audit(changed(clean, images, labels=labels))
    assert found.conflicts == [(3, 4, 1)]
    assert "1 of 1 groups of identical images carry different labels" in told(found)


def test_constant_and_nearly_constant_images_are_counted(clean: ImageSet) -> None:
    images = clean.images.copy()
    images[:2] = np.array([7, 9], np.uint8)[:, None, None, None]
    images[2] = np.arange(48, dtype=np.uint8)[:, None, None] % 2
    found = audit(changed(clean, images))
    assert "2 constant and 1 nearly constant images show nothing at all." in found.warnings


def test_a_blurred_training_split_is_warned_of_plainly(clean: ImageSet) -> None:
    found = audit(filtered(clean, TRAIN, lambda image: image.filter(ImageFilter.GaussianBlur(1))))
    lines = [line for line in found.warnings if "training images are blurred compared with those of test" in line]
    assert len(lines) == 1 and "stall near 35 %" in lines[0]
    assert {(one.measure, one.split) for one in found.pixel_drifts if one.large} >= {
        ("sharpness", "test"),
        ("sharpness", "validation"),
    }


def test_a_sharpened_test_split_is_warned_of_as_well(clean: ImageSet) -> None:
    found = audit(filtered(clean, TEST, lambda image: image.filter(ImageFilter.UnsharpMask(2, 300, 0))))
    assert "blurred compared with those of test" in told(found)
    assert "those of validation" not in told(found)


def test_an_equalised_copy_is_warned_of(clean: ImageSet) -> None:
    assert "The images of all splits have been histogram-equalised" in told(
        audit(filtered(clean, None, ImageOps.equalize))
    )
    assert "The images of train have been histogram-equalised" in told(audit(filtered(clean, TRAIN, ImageOps.equalize)))


def test_a_darker_split_is_warned_of(clean: ImageSet) -> None:
    found = audit(filtered(clean, TEST, lambda image: image.point(lambda level: level // 2)))
    assert "training images are brighter compared with those of test" in told(found)


def test_shares_of_classes_that_differ_are_warned_of(clean: ImageSet) -> None:
    happy = clean.classes.index("happy")
    labels = np.where((clean.splits == TEST) & (np.arange(600) % 2 == 0), happy, clean.labels)
    found = audit(changed(clean, labels=labels))
    assert "The classes of test are not as frequent as those of train" in told(found)
    assert "happy makes up" in told(found)


def test_a_class_that_is_missing_in_a_split_is_warned_of(clean: ImageSet) -> None:
    labels = np.where((clean.splits == VALIDATION) & (clean.labels == 1), 0, clean.labels)
    assert "The validation split has no image of disgust." in audit(changed(clean, labels=labels)).warnings


def test_a_set_that_is_not_fer2013_is_told_nothing_about_it(clean: ImageSet) -> None:
    names = tuple("abcdefg")
    data = replace(filtered(clean, TRAIN, lambda image: image.filter(ImageFilter.GaussianBlur(1))), classes=names)
    assert "blurred" in told(audit(data)) and "FER-2013" not in told(audit(data))
