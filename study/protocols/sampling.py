"""Sampling: which training image comes when, as indices. A pure function of the seed; no image is copied."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from study.core.spec import derive_seed


def training_pool(train: NDArray[np.int64], labels: NDArray[np.int64], sampling: str, seed: int) -> NDArray[np.int64]:
    """Return the indices that epochs draw from.

    Args:
        train: Positions of the training split (n,).
        labels: Labels of those images (n,).
        sampling: ``oversample`` repeats images of the smaller classes at random until all classes are as large as the
            largest (imbalanced-learn's RandomOverSampler, on indices); anything else returns ``train``.
        seed: Seed of the run.
    """
    if sampling != "oversample":
        return train
    from imblearn.over_sampling import RandomOverSampler

    sampler = RandomOverSampler(random_state=derive_seed(seed, "oversample"))
    pool, _ = sampler.fit_resample(train.reshape(-1, 1), labels)
    return np.asarray(pool, dtype=np.int64).ravel()


def epoch_order(pool: NDArray[np.int64], start: int, count: int, seed: int) -> NDArray[np.int64]:
    """Return ``count`` indices of an endless stream of shuffled passes over the pool, from position ``start``.

    Every image comes once a pass; a pass that ends inside an epoch is followed by the next, so that all batches are
    full.
    The order of pass k follows from the seed and k alone, so that a run resumes at any epoch without generator state.
    """
    parts = []
    n = len(pool)
    position, end = start, start + count
    while position < end:
        number, offset = divmod(position, n)
        shuffled = pool[np.random.default_rng(derive_seed(seed, "order", number)).permutation(n)]
        part = shuffled[offset : offset + end - position]
        parts.append(part)
        position += len(part)
    return np.concatenate(parts) if parts else pool[:0]


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Return n / (classes * count) per class (scikit-learn's "balanced"), float32 (classes,)."""
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)
