"""Duplicate groups: images with the same content are one draw of the population, so sums are taken group by group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.core.errors import UsageError


@dataclass(frozen=True)
class Clusters:
    """Images sorted into groups that are resampled or counted as one."""

    index: NDArray[np.int64]  #: int64 (images,), the group of each image, 0 to ``count - 1``.
    count: int  #: Number of groups, at most the number of images.
    order: NDArray[np.int64]  #: int64 (images,), the images sorted by group.
    starts: NDArray[np.int64]  #: int64 (count,), where each group starts in ``order``.

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.index)

    @classmethod
    def of(cls, groups: ArrayLike | Clusters | None, images: int) -> Clusters:
        """Sort images into clusters.

        Args:
            groups: (images,) ids of any type, equal for images of equal content; None where every image stands alone;
                clusters made before are returned as they are.
            images: Number of images, at least 2.

        Raises:
            UsageError: another number of ids than of images, or fewer than two groups.
        """
        if isinstance(groups, Clusters):
            clusters = groups
        elif groups is None:
            alone = np.arange(images)
            clusters = cls(alone, images, alone, alone)
        else:
            _, index = np.unique(np.asarray(groups), return_inverse=True)
            index = index.astype(np.int64)
            order = np.argsort(index, kind="stable")
            count = int(index.max()) + 1 if len(index) else 0
            clusters = cls(index, count, order, np.searchsorted(index[order], np.arange(count)))
        if clusters.images != images or clusters.count < 2:
            raise UsageError(
                f"a group id for each image and at least two groups are needed, got {clusters.images} ids in "
                f"{clusters.count} groups for {images} images. Pass the content hashes of the same split."
            )
        return clusters

    def sums(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the sums over each group: (..., images) to (..., count)."""
        if self.count == self.images:
            return values[..., self.order]
        return np.add.reduceat(values[..., self.order], self.starts, axis=-1)
