"""Images of any dataset as a run takes them: in its size and channels, labelled in its classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError
from study.core.record import Record
from study.core.spec import SPLITS
from study.core.store import Store
from study.datasets.image_set import ImageSet, hash_images
from study.trained.class_map import map_classes
from study.trained.study_images import resized

ALL = "all"


@dataclass(frozen=True)
class Foreign:
    """Labelled images for a run.

    Attributes:
        images: uint8 (n, height, width, channels) of the run's image shape.
        labels: int64 (n,), in the run's classes.
        ids: (n,), of the dataset.
        hashes: bytes (n,), content hashes of ``images``.
        split: Which of the dataset's images these are: ``all``, ``train``, ``validation`` or ``test``.
        mapped: The run's class by the dataset's.
        left_out: Images by class of the dataset that has no counterpart.
        own: Whether it is the run's own dataset.
        seen: bool (n,), whether the run trained on the image or on an identical one, or chose by it; None where the
            study does not tell.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    ids: NDArray[np.str_]
    hashes: NDArray[np.bytes_]
    split: str
    mapped: Mapping[str, str]
    left_out: Mapping[str, int]
    own: bool
    seen: NDArray[np.bool_] | None


def prepare(
    store: Store,
    record: Record,
    image_set: ImageSet,
    table: Mapping[str, str] | None = None,
    split: str | None = None,
) -> Foreign:
    """Return a dataset's images as a run takes them.

    Args:
        store: Where the run is.
        record: The run.
        image_set: The dataset.
        table: The run's class by the dataset's, as ``map_classes`` takes it.
        split: One split of the dataset, or ``all``; None for the test split of the run's own dataset, else ``all``.

    Raises:
        UsageError: no class has a counterpart, or fewer than two images are left.
    """
    classes = list(record.dataset.classes)
    own = image_set.fingerprint == record.dataset.fingerprint
    split = split or ("test" if own else ALL)
    mapped = map_classes(image_set.classes, classes, table)
    chosen = np.arange(len(image_set)) if split == ALL else image_set.indices(split)
    translated = np.array([classes.index(mapped[name]) if name in mapped else -1 for name in image_set.classes])
    labels = translated[image_set.labels[chosen]]
    counts = np.bincount(image_set.labels[chosen], minlength=len(image_set.classes))
    left_out = {
        name: int(count) for name, count in zip(image_set.classes, counts, strict=True) if name not in mapped and count
    }
    kept = chosen[labels >= 0]
    if len(kept) < 2:
        raise UsageError(f"scores need at least two images, {image_set.name} has {len(kept)} of the run's classes.")
    images = resized(np.ascontiguousarray(image_set.images[kept]), record.dataset.image_shape)
    hashes = hash_images(images)
    return Foreign(
        images=images,
        labels=labels[labels >= 0].astype(np.int64),
        ids=image_set.ids[kept],
        hashes=hashes,
        split=split,
        mapped=mapped,
        left_out=left_out,
        own=own,
        seen=_seen(store.find_dataset(), hashes),
    )


def _seen(dataset: Mapping[str, NDArray[Any]] | None, hashes: NDArray[np.bytes_]) -> NDArray[np.bool_] | None:
    if dataset is None:
        return None
    known = dataset["hashes"][dataset["splits"] != SPLITS.index("test")]
    return np.asarray(np.isin(hashes, known))
