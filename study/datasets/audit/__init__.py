"""The audit of an image set: duplicates, conflicting labels, empty images and drift, and what to be warned of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.spec import SPLITS
from study.datasets.audit.drift import (
    ClassDrift,
    PixelDrift,
    PixelMeasures,
    class_drifts,
    equalised,
    measure_pixels,
    pixel_drifts,
)
from study.datasets.audit.near_duplicates import NearPairs, exact_groups, find_near, members, near_groups
from study.datasets.image_set import ImageSet
from study.datasets.readers import fer2013

LEAKS = (("test", "train"), ("validation", "train"), ("test", "validation"))
"""Split pairs of which copies are warned: those that make a score look better than it is."""

_WORDS = {
    "brightness": ("brighter", "darker"),
    "contrast": ("of higher contrast", "of lower contrast"),
    "sharpness": ("sharper", "blurred"),
    "unevenness": ("of less even grey levels", "of more even grey levels, as after histogram equalisation,"),
}
_CIRCULATING = (
    "Changed copies of FER-2013 are in circulation, one with a blurred training split, on which networks stall near "
    "35 %, another histogram-equalised: get an untouched copy before comparing with published scores."
)


@dataclass(frozen=True)
class ClassOverlap:
    """The images of one class in one split that have a copy in another split, or elsewhere in the same one."""

    label: int
    split: str
    other: str  #: Split of the copies.
    images: int  #: Images of the class in the split.
    copied: int  #: Of these, the images with a copy in the other split.
    relabelled: int  #: Of these, the images with a copy there that has another label.


@dataclass(frozen=True)
class Audit:
    """What was found in an image set."""

    data: ImageSet
    identical: tuple[NDArray[np.int64], ...]  #: Rows of each group of identical images.
    near: NearPairs  #: Pairs of different images of one photograph.
    alike: NDArray[np.int64]  #: Group number (int64, n) of each image; identical images and near pairs share one.
    pixels: PixelMeasures
    class_drifts: tuple[ClassDrift, ...]
    pixel_drifts: tuple[PixelDrift, ...]
    equalised: tuple[str, ...]  #: Splits whose images have been histogram-equalised.

    @cached_property
    def groups(self) -> list[NDArray[np.int64]]:
        """Rows of each group of two or more images of one photograph, identical or near."""
        return members(self.alike)

    @cached_property
    def identical_overlaps(self) -> list[ClassOverlap]:
        """Identical copies by split pair and class."""
        return _overlaps(self.data, self.data.hashes)

    @cached_property
    def alike_overlaps(self) -> list[ClassOverlap]:
        """Identical or near copies by split pair and class."""
        return _overlaps(self.data, self.alike)

    @cached_property
    def conflicting(self) -> list[NDArray[np.int64]]:
        """Groups of identical images with different labels."""
        return self._conflicting(self.identical)

    @cached_property
    def conflicting_alike(self) -> list[NDArray[np.int64]]:
        """Groups of identical or near copies with different labels."""
        return self._conflicting(self.groups)

    def _conflicting(self, groups: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        return [rows for rows in groups if len(np.unique(self.data.labels[rows])) > 1]

    @cached_property
    def conflicts(self) -> list[tuple[int, int, int]]:
        """Pairs of labels (label, label, groups in which both occur) of identical images, most frequent first."""
        labels = (np.unique(self.data.labels[rows]).tolist() for rows in self.conflicting)
        pairs = Counter(pair for found in labels for pair in combinations(found, 2))
        return sorted(((*pair, count) for pair, count in pairs.items()), key=lambda one: (-one[2], one))

    def copies(self, split: str, other: str, near: bool) -> ClassOverlap:
        """Return the sum over classes (label -1) of identical copies, with ``near`` of near ones too."""
        every = self.alike_overlaps if near else self.identical_overlaps
        found = [one for one in every if (one.split, one.other) == (split, other)]
        counts = (sum(getattr(one, name) for one in found) for name in ("images", "copied", "relabelled"))
        return ClassOverlap(-1, split, other, *counts)

    @property
    def distinct(self) -> int:
        """Number of different images."""
        return len(self.data) - sum(len(rows) - 1 for rows in self.identical)

    @property
    def imbalance(self) -> float:
        """How many times as many training images the largest class has as the smallest; infinite without any."""
        counts = self.data.counts()["train"]
        return max(counts) / min(counts) if min(counts) else float("inf")

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each problem; none for clean data."""
        return (*self._pixel_warnings(), *self._copy_warnings(), *self._class_warnings())

    def _pixel_warnings(self) -> Iterator[str]:
        own_form = (fer2013.CLASSES, (fer2013.SIDE_PX, fer2013.SIDE_PX, 1))
        told = f" {_CIRCULATING}" if (self.data.classes, self.data.image_shape) == own_form else ""
        for measure, (more, less) in _WORDS.items():
            for one in self.pixel_drifts:
                if one.measure == measure and one.large:
                    is_more = one.delta > 0
                    yield (
                        f"The training images are {more if is_more else less} compared with those of {one.split}: "
                        f"median {measure} {one.train_median:.3g} against {one.median:.3g}, "
                        f"{'greater' if is_more else 'smaller'} in {50 * (1 + abs(one.delta)):.0f} % of all pairs. "
                        f"A score on {one.split} measures this difference too.{told}"
                    )
        if self.equalised:
            splits = " and ".join(self.equalised) if len(self.equalised) < len(SPLITS) else "all splits"
            yield (
                f"The images of {splits} have been histogram-equalised: their grey levels are spread evenly, which "
                f"those of photographs are not. Networks trained on them expect the same of every later image.{told}"
            )

    def _copy_warnings(self) -> Iterator[str]:
        for split, other in LEAKS:
            identical, alike = (self.copies(split, other, near) for near in (False, True))
            near = f"{'near ' if not identical.copied else ''}copy in {other}"
            if identical.copied:
                told = f", {identical.relabelled:,} of them with another label" if identical.relabelled else ""
                line = f"{_count(identical.copied, identical.images)} {split} images have an identical {near}{told}"
                if alike.copied > identical.copied:
                    line += f"; with near copies it is {_count(alike.copied, alike.images)}"
                yield f"{line}."
            elif alike.copied:
                yield (
                    f"{_count(alike.copied, alike.images)} {split} images have a {near}: the same photograph, shifted, "
                    "mirrored, brightened, re-encoded or written on."
                )
        if self.conflicting:
            yield (
                f"{len(self.conflicting):,} of {len(self.identical):,} groups of identical images carry different "
                "labels: no network can be right about all of them."
            )

    def _class_warnings(self) -> Iterator[str]:
        flat, nearly = int(self.pixels.constant.sum()), int(self.pixels.nearly_constant.sum())
        if flat or nearly:
            parts = [f"{flat:,} constant"] * bool(flat) + [f"{nearly:,} nearly constant"] * bool(nearly)
            yield f"{' and '.join(parts)} {'image shows' if flat + nearly == 1 else 'images show'} nothing at all."
        counts = self.data.counts()
        for split, row in counts.items():
            empty = [name for name, count in zip(self.data.classes, row, strict=True) if not count]
            if empty:
                yield f"The {split} split has no image of {', '.join(empty)}."
        for drift in self.class_drifts:
            if drift.large:
                shares = np.array([counts["train"], counts[drift.split]], float)
                shares /= shares.sum(axis=1, keepdims=True)
                most = int(np.abs(shares[1] - shares[0]).argmax())
                yield (
                    f"The classes of {drift.split} are not as frequent as those of train (Cramer's V "
                    f"{drift.cramers_v:.2f}): {self.data.classes[most]} makes up {100 * shares[1, most]:.1f} % there "
                    f"and {100 * shares[0, most]:.1f} % in train."
                )


def audit(data: ImageSet) -> Audit:
    """Audit an image set; nothing is written. The complete FER-2013 takes about ten seconds on two cores."""
    near = find_near(data)
    pixels = measure_pixels(data.images)
    return Audit(
        data=data,
        identical=tuple(exact_groups(data.hashes)),
        near=near,
        alike=near_groups(data.hashes, near),
        pixels=pixels,
        class_drifts=tuple(class_drifts(data)),
        pixel_drifts=tuple(pixel_drifts(data, pixels)),
        equalised=tuple(equalised(data, pixels)),
    )


def _overlaps(data: ImageSet, groups: NDArray[Any]) -> list[ClassOverlap]:
    """Count copies, images of equal groups (n,), for every ordered pair of splits (one with itself too) and class."""
    _, codes = np.unique(groups, return_inverse=True)
    width = len(data.classes)
    each = np.zeros((len(SPLITS), codes.max(initial=0) + 1, width), np.int64)
    np.add.at(each, (data.splits, codes, data.labels), 1)
    found = []
    for one, split in enumerate(SPLITS):
        rows = data.indices(split)
        own = codes[rows], data.labels[rows]
        for two, other in enumerate(SPLITS):
            there = each[two].sum(axis=1)[own[0]] - (one == two)
            alike = each[two][own] - (one == two)
            for label in range(width):
                mine = own[1] == label
                copied = mine & (there > 0)
                counts = (int(rows.sum()) for rows in (mine, copied, copied & (there > alike)))
                found.append(ClassOverlap(label, split, other, *counts))
    return found


def _count(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({100 * part / whole:.1f} %)"
