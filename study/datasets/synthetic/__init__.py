"""The built-in dataset: drawn grey faces with seven expressions, made in seconds, with nothing to download."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.errors import DataError
from study.core.spec import SPLITS, derive_seed
from study.datasets.image_set import ImageSet, make_image_set
from study.datasets.synthetic.drawing import draw_faces
from study.datasets.synthetic.person import CLASSES

# Images per class in FER-2013 (all three splits), in the order of CLASSES.
FER2013_COUNTS = (4953, 547, 5121, 8989, 6077, 4002, 6198)
DEFAULTS = {"images": 10_000, "difficulty": 0.5, "label_noise": 0.1, "seed": 0}
# Fewer images would leave a class without one in some split.
LEAST_IMAGES = 200
MOST_IMAGES = 1_000_000
SHARES = (0.8, 0.1, 0.1)
CHUNK = 128


def make(images: int = 10_000, difficulty: float = 0.5, label_noise: float = 0.1, seed: int = 0) -> ImageSet:
    """Draw the dataset; the same settings give the same bytes.

    A share ``label_noise`` of the images gets the label of another class, drawn by how frequent the classes are and not
    by what the face shows. Nobody can foresee these, so in expectation no classifier beats the share of clean labels:
    ``bound`` is that share, counted in the test split, or None where no label is wrong. Expressions overlap, so what
    can really be reached lies below.

    Args:
        images: 200 to a million.
        difficulty: 0 (strong expressions, frontal, even light) to 1.
        label_noise: Share of wrong labels, 0 to 0.5.
        seed: Of everything random, 0 to 2^63 - 1.

    Raises:
        DataError: a setting is out of range.
    """
    settings: dict[str, Any] = {
        "images": images,
        "difficulty": float(difficulty),
        "label_noise": float(label_noise),
        "seed": seed,
    }
    check(images, difficulty, label_noise, seed)
    generator = np.random.default_rng(derive_seed(seed, "synthetic", "labels"))
    # The expression to draw on each face: in FER-2013's proportions and random order.
    ends = np.rint(np.cumsum(FER2013_COUNTS) / sum(FER2013_COUNTS) * images).astype(np.int64)
    drawn = generator.permutation(np.searchsorted(ends, np.arange(images), side="right").astype(np.int64))
    labels = _mislabel(drawn, label_noise, generator)
    splits = _split(labels, generator)
    faces = np.arange(images, dtype=np.int64)
    pictures = np.empty((images, 48, 48, 1), np.uint8)
    for start in range(0, images, CHUNK):
        rows = slice(start, start + CHUNK)
        pictures[rows] = draw_faces(drawn[rows], faces[rows], float(difficulty), seed)
    test = splits == SPLITS.index("test")
    return make_image_set(
        set_name(**settings),
        pictures,
        labels,
        CLASSES,
        np.array([f"synthetic/{face:06d}" for face in faces.tolist()]),
        splits,
        "Drawn with the set: 80 % train, 10 % validation, 10 % test, stratified by label.",
        drawn=True,
        bound=float(np.mean(labels[test] == drawn[test])) if label_noise else None,
        settings=settings,
    )


def set_name(images: int, difficulty: float, label_noise: float, seed: int) -> str:
    """Return ``synthetic``, followed by every setting that is not the default."""
    parts = ["synthetic"]
    if images != DEFAULTS["images"]:
        parts.append(str(images))
    if difficulty != DEFAULTS["difficulty"]:
        parts.append(f"d{difficulty:g}")
    if label_noise != DEFAULTS["label_noise"]:
        parts.append(f"noise{label_noise:g}")
    if seed != DEFAULTS["seed"]:
        parts.append(f"seed{seed}")
    return "-".join(parts)


def check(images: int, difficulty: float, label_noise: float, seed: int) -> None:
    """Refuse settings that are out of range.

    Raises:
        DataError: with all that are.
    """
    rules = (
        ("images", images, LEAST_IMAGES <= images <= MOST_IMAGES, f"a number from {LEAST_IMAGES} to {MOST_IMAGES:,}"),
        ("difficulty", difficulty, 0.0 <= difficulty <= 1.0, "a number from 0 to 1"),
        ("label_noise", label_noise, 0.0 <= label_noise <= 0.5, "a share from 0 to 0.5"),
        ("seed", seed, 0 <= seed < 1 << 63, "a whole number from 0 to 2^63 - 1"),
    )
    wrong = [f"{name} must be {rule}, got {value}" for name, value, good, rule in rules if not good]
    if wrong:
        raise DataError(f"the synthetic dataset cannot be made: {'; '.join(wrong)}.")


def _mislabel(drawn: NDArray[np.int64], share: float, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return labels (n,) of which a share is wrong, drawn from the other classes by their frequency."""
    labels = drawn.copy()
    wrong = generator.permutation(len(drawn))[: round(share * len(drawn))]
    frequency = np.array(FER2013_COUNTS, dtype=float)
    for row in wrong.tolist():
        others = frequency.copy()
        others[drawn[row]] = 0.0
        labels[row] = generator.choice(len(CLASSES), p=others / others.sum())
    return labels


def _split(labels: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Return the split code (n,) of each image, 80/10/10 within each label."""
    splits = np.zeros(len(labels), np.uint8)
    for label in range(len(CLASSES)):
        rows = generator.permutation(np.flatnonzero(labels == label))
        held_out = max(1, round(SHARES[1] * len(rows)))
        splits[rows[:held_out]] = SPLITS.index("validation")
        splits[rows[held_out : 2 * held_out]] = SPLITS.index("test")
    return splits
