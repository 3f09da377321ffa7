"""Samplings: as the images are, oversampled to equal classes, or with weighted classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from study.core.spec import derive_seed
from study.protocols.piece import SAMPLINGS, Sampling


@SAMPLINGS.register("none")
class Plain(Sampling, frozen=True):
    """Every image once a pass."""


@SAMPLINGS.register("oversample")
class Oversample(Sampling, frozen=True):
    """Images of the smaller classes repeated at random until all classes are as large as the largest."""

    def pool(self, train: NDArray[np.int64], labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
        """Return the indices, repeated; imbalanced-learn's RandomOverSampler, on indices."""
        from imblearn.over_sampling import RandomOverSampler

        sampler = RandomOverSampler(random_state=derive_seed(seed, "oversample"))
        pool, _ = sampler.fit_resample(train.reshape(-1, 1), labels)
        return np.asarray(pool, dtype=np.int64).ravel()


@SAMPLINGS.register("class-weights")
class ClassWeights(Sampling, frozen=True):
    """Each class weighted by its inverse frequency."""

    def weights(self, labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
        """Return n / (classes * count) per class (scikit-learn's "balanced"), float32 (classes,)."""
        counts = np.bincount(labels, minlength=classes)
        return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)


@SAMPLINGS.register("oversample-before-split")
class OversampleBeforeSplit(Sampling, frozen=True):
    """The leak: classes were made equal before the split (``study.protocols.splits``): nothing is left to do."""
