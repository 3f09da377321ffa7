"""Corruptions spoil images more at each severity, alike everywhere, and a network's error under them is measured."""

from __future__ import annotations

import numpy as np
import pytest

from study.datasets.image_set import hash_images
from study.datasets.synthetic.drawing import draw_faces
from study.trained.corruptions import CORRUPTIONS, SEVERITIES, corrupt, measure_robustness, share_with_interval
from tests.trained.runs import band_images


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return draw_faces(np.arange(24) % 7, np.arange(24), 0.5, 0).reshape(24, 48, 48, 1)


def distance(name: str, severity: int, images: np.ndarray) -> float:
    spoilt = corrupt(name, images, severity, hash_images(images))
    assert spoilt.shape == images.shape and spoilt.dtype == np.uint8
    return float(np.abs(spoilt.astype(float) - images).mean())


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_severity_spoils_more(name: str, faces: np.ndarray) -> None:
    distances = [distance(name, severity, faces) for severity in SEVERITIES]
    assert distances == sorted(distances) and distances[0] > 0.5


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(48, 48, 3), (64, 40, 1), (8, 8, 1)])
def test_colour_and_other_sizes_are_spoilt_too(name: str, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)
    assert distance(name, 5, images) > 1


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_an_image_is_spoilt_alike_in_any_set(name: str, faces: np.ndarray) -> None:
    hashes = hash_images(faces)
    whole = corrupt(name, faces, 3, hashes)
    np.testing.assert_array_equal(corrupt(name, faces[5:7], 3, hashes[5:7]), whole[5:7])


def test_chance_differs_from_image_to_image_and_by_severity() -> None:
    images = np.full((2, 48, 48, 1), 100, np.uint8)
    images[1, 0, 0] = 101
    first, second = corrupt("noise", images, 3, hash_images(images)).astype(int)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] < 0.1
    weaker = corrupt("noise", images, 2, hash_images(images))[0].astype(int)
    assert np.corrcoef(first.ravel(), weaker.ravel())[0, 1] < 0.1


def test_the_strength_of_noise_is_what_the_table_says() -> None:
    images = np.full((4, 48, 48, 1), 128, np.uint8)
    spoilt = corrupt("noise", images, 1, hash_images(images))
    assert spoilt.std() == pytest.approx(0.04 * 255, rel=0.05)


def brightest(images: np.ndarray) -> np.ndarray:
    """Answer with the brightest of seven bands, as the network of ``add_onnx`` does."""
    means = np.stack([band.mean(axis=(1, 2, 3)) for band in np.array_split(images.astype(float), 7, axis=1)], axis=1)
    return (np.exp(means / 10) / np.exp(means / 10).sum(axis=1, keepdims=True)).astype(np.float32)


def test_errors_are_those_of_the_answers() -> None:
    labels = np.arange(70) % 7
    images = band_images(labels)
    images[:, 0, 0, 0] = np.arange(70)  # all different
    hashes = hash_images(images)
    lines: list[str] = []
    found = measure_robustness(brightest, images, labels, hashes, lines.append)
    assert found.images == 70 and found.clean[0] == 0 and len(lines) == len(CORRUPTIONS)
    for name, errors in found.errors.items():
        by_hand = [(brightest(corrupt(name, images, one, hashes)).argmax(1) != labels).mean() for one in SEVERITIES]
        assert errors == pytest.approx(by_hand)
    assert found.mean[0] == pytest.approx(np.mean(list(found.errors.values())))
    assert 0 <= found.mean[1] < found.mean[0] < found.mean[2] <= 1
    assert found.errors["contrast"] == (0,) * 5 and found.errors["rotation"][4] > 0.3


def test_copies_of_one_image_count_as_one() -> None:
    wrong = np.random.default_rng(0).random(1000)
    groups = np.arange(1000)
    value, low, high = share_with_interval(wrong, groups)
    often = share_with_interval(np.repeat(wrong, 4), np.repeat(groups, 4))
    assert value == pytest.approx(wrong.mean()) == pytest.approx(often[0])
    assert high - low == pytest.approx(2 * 1.96 * wrong.std() / 1000**0.5, rel=0.05)
    assert often[2] - often[1] == pytest.approx(high - low, rel=0.05)
