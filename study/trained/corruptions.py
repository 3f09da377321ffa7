"""Corruptions of images at five severities, seeded by the image itself, and what a network scores on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.analysis.contrasts import Sample
from study.analysis.evaluations import BySeverity, Robustness
from study.analysis.influence import linearise_mean
from study.analysis.scores import stated
from study.core.spec import derive_seed

Image = NDArray[np.uint8]
SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """One way to spoil an image."""

    #: Takes an image uint8 (height, width, channels), a strength and a generator; returns the spoilt one.
    apply: Callable[[Image, float, np.random.Generator], Image]
    #: What the five severities mean; lengths are shares of the image's side.
    strengths: tuple[float, float, float, float, float]
    words: str  #: The same for a person.


def corrupt(name: str, images: Image, severity: int, hashes: NDArray[np.bytes_]) -> Image:
    """Return images spoilt by one of ``CORRUPTIONS``.

    Chance is seeded by corruption, severity (1 to 5) and the image's content hash: an image is spoilt alike in any
    set, on any machine.
    """
    corruption = CORRUPTIONS[name]
    strength = corruption.strengths[severity - 1]
    spoilt = np.empty_like(images)
    for target, image, content in zip(spoilt, images, hashes, strict=True):
        generator = np.random.default_rng(derive_seed(severity, "corruption", name, content.hex()))
        target[:] = corruption.apply(image, strength, generator).reshape(image.shape)
    return spoilt


def measure_robustness(
    call: Callable[[Image], NDArray[np.float32]],
    images: Image,
    labels: NDArray[np.int64],
    hashes: NDArray[np.bytes_],
    say: Callable[[str], None] = lambda line: None,
) -> Robustness:
    """Score a network on every corruption of clean images at every severity; ``say`` is told after each corruption.

    Hashes (n,) are equal for identical images, which count as one draw.
    """
    wrong = np.zeros(len(labels))
    errors: dict[str, BySeverity] = {}
    for name in CORRUPTIONS:
        by_severity = []
        for severity in SEVERITIES:
            missed = call(corrupt(name, images, severity, hashes)).argmax(axis=1) != labels
            by_severity.append(float(missed.mean()))
            wrong += missed
        errors[name] = cast(BySeverity, tuple(by_severity))
        say(f"  {name:<12} error at severity 1 to 5, %: {'  '.join(f'{100 * one:5.1f}' for one in by_severity)}")
    clean = call(images).argmax(axis=1) != labels
    return Robustness(
        images=len(labels),
        clean=share_with_interval(clean.astype(np.float64), hashes),
        mean=share_with_interval(wrong / (len(CORRUPTIONS) * len(SEVERITIES)), hashes),
        errors=errors,
    )


def share_with_interval(per_image: NDArray[np.float64], groups: ArrayLike) -> tuple[float, float, float]:
    """Return the mean of a number per image, 0 to 1, with its 95 % interval over new images."""
    found = stated(Sample.of(linearise_mean(per_image[None]), groups))
    return float(found.value), max(0.0, float(found.low)), min(1.0, float(found.high))


def _rounded(pixels: NDArray[Any]) -> Image:
    return np.asarray(np.clip(np.rint(pixels), 0, 255), np.uint8)


def _noise(image: Image, strength: float, generator: np.random.Generator) -> Image:
    return _rounded(image + 255 * strength * generator.standard_normal(image.shape))


def _blur(image: Image, strength: float, generator: np.random.Generator) -> Image:
    import cv2

    return np.asarray(cv2.GaussianBlur(image, (0, 0), strength * image.shape[1]))


def _motion(image: Image, strength: float, generator: np.random.Generator) -> Image:
    import cv2

    length = max(2, round(strength * image.shape[1]))
    size = length | 1  # odd, so that the image stays where it is
    line = np.zeros((size, size), np.float32)
    line[size // 2] = 1
    turn = cv2.getRotationMatrix2D((size // 2, size // 2), generator.uniform(0, 180), 1)
    kernel = cv2.warpAffine(line, turn, (size, size))
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE))


def _contrast(image: Image, strength: float, generator: np.random.Generator) -> Image:
    mean = image.mean()
    return _rounded(mean + strength * (image - mean))


def _brightness(image: Image, strength: float, generator: np.random.Generator) -> Image:
    return _rounded(image + 255 * strength)


def _jpeg(image: Image, strength: float, generator: np.random.Generator) -> Image:
    import cv2

    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(strength)])
    grey = image.shape[2] == 1
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR), np.uint8)


def _pixelation(image: Image, strength: float, generator: np.random.Generator) -> Image:
    import cv2

    height, width = image.shape[:2]
    small = (max(1, round(strength * width)), max(1, round(strength * height)))
    coarse = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST))


def _occlusion(image: Image, strength: float, generator: np.random.Generator) -> Image:
    height, width = (max(1, round(strength * side)) for side in image.shape[:2])
    top = generator.integers(0, image.shape[0] - height + 1)
    left = generator.integers(0, image.shape[1] - width + 1)
    covered = image.copy()
    covered[top : top + height, left : left + width] = 128
    return covered


def _rotation(image: Image, strength: float, generator: np.random.Generator) -> Image:
    import cv2

    height, width = image.shape[:2]
    degrees = strength * generator.choice((-1, 1))
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE))


#: In the order of every table. The kinds are those of Hendrycks and Dietterich (ICLR 2019, arXiv:1903.12261) that suit
#: small pictures of faces, and occlusion and rotation, which happen to faces; the strengths are our own.
CORRUPTIONS: Mapping[str, Corruption] = {
    "noise": Corruption(
        _noise, (0.04, 0.07, 0.10, 0.14, 0.20), "Gaussian noise; standard deviation as a share of white"
    ),
    "blur": Corruption(_blur, (0.012, 0.018, 0.026, 0.036, 0.05), "Gaussian blur; standard deviation in sides"),
    "motion": Corruption(
        _motion, (0.06, 0.10, 0.15, 0.20, 0.27), "blur along a line in any direction; length in sides"
    ),
    "contrast": Corruption(_contrast, (0.6, 0.45, 0.3, 0.2, 0.12), "less contrast; the share that is kept"),
    "brightness": Corruption(_brightness, (0.1, 0.2, 0.3, 0.4, 0.5), "brighter; by a share of white"),
    "darkness": Corruption(_brightness, (-0.1, -0.2, -0.3, -0.4, -0.5), "darker; by a share of white"),
    "jpeg": Corruption(_jpeg, (40, 25, 15, 10, 5), "JPEG compression; quality"),
    "pixelation": Corruption(_pixelation, (0.6, 0.45, 0.35, 0.28, 0.2), "fewer pixels; the share that is kept a side"),
    "occlusion": Corruption(_occlusion, (0.2, 0.3, 0.4, 0.5, 0.6), "a grey square anywhere; its side in sides"),
    "rotation": Corruption(_rotation, (10, 20, 30, 45, 60), "turned to the left or right; degrees"),
}
