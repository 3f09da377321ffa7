"""Contamination of a run: which test images its training and its choices saw, and the guard against it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from study.core.errors import DataError
from study.core.record import Contamination
from study.core.spec import SPLITS
from study.datasets.contamination import guard
from study.datasets.image_set import ImageSet
from study.protocols.splits import Splits

#: What ``seen_in_training`` says of an image: trained on itself, or an image of identical content was.
SEEN_ID, SEEN_CONTENT = 1, 2


def seen_in_training(data: ImageSet, splits: Splits) -> NDArray[np.uint8]:
    """Return for each scored image, uint8, whether the run trained on it (``SEEN_ID``) or on its like, added up.

    A changed copy of an image has the image's id: training on it is training on the image. Its content is another.
    """
    trained = splits.origins(splits.train)
    unchanged = splits.train[splits.train < splits.images]
    by_id = np.isin(data.ids[splits.scored], data.ids[trained])
    by_content = np.isin(data.hashes[splits.scored], data.hashes[unchanged])
    return (SEEN_ID * by_id + SEEN_CONTENT * by_content).astype(np.uint8)


def measure_run(data: ImageSet, splits: Splits, declared: bool) -> Contamination:
    """Return the contamination of one run, as records keep it: computed from what the run uses, whatever it is called.

    Args:
        data: The image set.
        splits: The run's splits.
        declared: Whether the protocol says itself that it leaks.
    """
    seen = seen_in_training(data, splits)
    by_id = int((seen & SEEN_ID > 0).sum())
    unchanged = splits.train[splits.train < splits.images]
    validation = np.unique(splits.origins(splits.validation))
    chosen = np.isin(data.ids[splits.origins(splits.chosen_on)], data.ids[splits.scored])
    return Contamination(
        trained_on_test_ids=by_id,
        test_copies_in_train=int((seen & SEEN_CONTENT > 0).sum()),
        validation_copies_in_train=int(np.isin(data.hashes[validation], data.hashes[unchanged]).sum()),
        selected_on_test=bool(chosen.any()),
        leaky=declared or by_id > 0 or bool(chosen.any()),
    )


def guard_run(data: ImageSet, splits: Splits, declared: bool) -> None:
    """Refuse a run whose splits share images, unless its protocol declares the leak.

    Raises:
        DataError: splits that share ids, or data that break the rules of ``guard``.
    """
    guard(data)
    if declared:
        return
    ids = {split: data.ids[splits.origins(getattr(splits, split))] for split in SPLITS}
    pairs = [("validation", "train"), ("test", "train"), ("test", "validation")]
    shared = {pair: int(np.isin(ids[pair[0]], ids[pair[1]]).sum()) for pair in pairs}
    found = [f"{count} ids of {one} are in {other}" for (one, other), count in shared.items() if count]
    if found:
        raise DataError(
            f"{data.name}: expected splits without common ids, found {', '.join(found)}. "
            "Only a protocol that declares its leak may train or choose on test images."
        )
