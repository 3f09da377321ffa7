"""Duplicates are found however they were disguised, and different images are left alone."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from study.datasets import synthetic
from study.datasets.audit.near_duplicates import (
    exact_groups,
    find_near,
    members,
    near_groups,
    near_pairs,
)
from study.datasets.image_set import ImageSet, hash_images

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def faces() -> ImageSet:
    return synthetic.make(images=300, difficulty=0.5)


def encoded_anew(image: Picture) -> Picture:
    file = io.BytesIO()
    Image.fromarray(image[..., 0]).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file))[..., None]


def filtered(image: Picture) -> Picture:
    return np.asarray(Image.fromarray(image[..., 0]).filter(ImageFilter.GaussianBlur(0.8)))[..., None]


def resized(image: Picture) -> Picture:
    return np.asarray(Image.fromarray(image[..., 0]).resize((36, 36)).resize((48, 48)))[..., None]


def levels(image: Picture, factor: float, offset: float) -> Picture:
    return np.clip(np.round(factor * image.astype(float) + offset), 0, 255).astype(np.uint8)


DISGUISES: dict[str, Callable[[Picture], Picture]] = {
    "mirrored": lambda image: image[:, ::-1],
    "encoded anew": encoded_anew,
    "brighter": lambda image: levels(image, 1, 40),
    "darker": lambda image: levels(image, 0.5, 0),
    "less contrast": lambda image: levels(image, 0.5, 64),
    "shifted by a pixel": lambda image: np.roll(image, 1, axis=1),
    "blurred": filtered,
    "resized and back": resized,
    "with some noise": lambda image: levels(image, 1, np.random.default_rng(0).normal(0, 5, image.shape)),
    "mirrored, darker, encoded anew": lambda image: encoded_anew(levels(image[:, ::-1], 0.7, 10)),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_disguised_copy_is_found(faces: ImageSet, disguise: str) -> None:
    copies = np.stack([DISGUISES[disguise](image) for image in faces.images[:20]])
    images = np.concatenate([faces.images, copies])
    found = near_pairs(images, hash_images(images), least_similarity=0.9)
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert len(pairs & {(row, 300 + row) for row in range(20)}) >= 19
    assert all(second == 300 + first for first, second in pairs), "only the planted copies"
    assert set(found.mirrored.tolist()) == {"mirrored" in disguise}


def test_drawn_faces_and_noise_hold_no_near_copies(faces: ImageSet) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 48, 48, 1), dtype=np.uint8)
    assert len(find_near(faces)) == 0
    assert len(near_pairs(noise, hash_images(noise))) == 0


def test_images_without_contrast_are_like_nothing() -> None:
    flat = np.repeat(np.arange(0, 250, 10, dtype=np.uint8), 48 * 48).reshape(-1, 48, 48, 1)
    assert len(near_pairs(flat, hash_images(flat))) == 0


@pytest.mark.parametrize("shape", [(96, 96, 3), (20, 28, 1)])
def test_size_and_colour_do_not_matter(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(1)
    images = np.kron(rng.integers(0, 256, (12, 12 if shape[0] > 90 else 5, 7, 1)), np.ones((1, 8, 8, 1)))
    images = np.repeat(images[:, : shape[0], : shape[1]], shape[2], axis=-1).astype(np.uint8)
    images = np.concatenate([images, levels(images[:4, :, ::-1], 0.8, 20)])
    found = near_pairs(images, hash_images(images))
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [(row, 12 + row) for row in range(4)]
    assert found.mirrored.all()


def test_groups_join_identical_images_and_chains_of_near_ones(faces: ImageSet) -> None:
    one = faces.images[0]
    darker, mirrored = levels(one, 0.6, 0), one[:, ::-1]
    images = np.concatenate([faces.images[:3], np.stack([one, darker, mirrored, darker]), faces.images[3:5]])
    hashes = hash_images(images)
    assert [group.tolist() for group in exact_groups(hashes)] == [[0, 3], [4, 6]]
    groups = near_groups(hashes, near_pairs(images, hashes))
    assert groups.tolist() == [0, 1, 2, 0, 0, 0, 0, 3, 4]
    assert [group.tolist() for group in members(groups)] == [[0, 3, 4, 5, 6]]


def test_nothing_has_no_duplicates() -> None:
    images = np.empty((0, 48, 48, 1), np.uint8)
    hashes = hash_images(images)
    assert exact_groups(hashes) == []
    assert near_groups(hashes, near_pairs(images, hashes)).tolist() == []
