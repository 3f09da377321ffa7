"""The splits: which images one run trains on, makes its choices on and is scored on, as numbers."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError
from study.core.record import SplitFacts
from study.core.spec import SPLITS, Copies, NewSplit, RunProtocol, derive_seed
from study.datasets.image_set import ImageSet
from study.protocols.piece import SAMPLINGS, part
from study.protocols.protocol import BEFORE_SPLIT

Samples = NDArray[np.int64]
#: Decides which images a share of the training split holds.
SHARE_SEED = 0


@dataclass(frozen=True)
class Splits:
    """The three splits of one run, resolved.

    A sample below ``images`` is that image of the set; sample ``k * images + i`` is the k-th static copy of image i.
    """

    images: int  #: Number of images in the set.
    train: Samples  #: int64, the samples trained on; one that occurs twice is trained on twice as often.
    #: int64, the samples that stopping, learning rate and (but for the oracle) the checkpoint look at.
    validation: Samples
    test: Samples  #: int64, the samples that the run would claim its accuracy on.
    #: int64, ascending images whose predictions are kept: ``test`` without what was copied before a split, so that a
    #: leaky run and its clean twin are scored on the same images.
    scored: Samples
    chosen_on: Samples  #: int64, every sample that some choice was made on.
    source: str  #: One sentence that says where the split comes from.

    def origins(self, samples: Samples) -> Samples:
        """Return the image of the set that each sample is or was made from."""
        return samples % self.images

    def describe(self, data: ImageSet) -> SplitFacts:
        """Return what the record says about it: source, counts per class and hashes of the three splits.

        ``own_test`` tells whether the predictions are on the image set's test split. Where the three splits are the
        image set's own, the hashes are those of its card.
        """
        parts = {split: getattr(self, split) for split in SPLITS}
        width = len(data.classes)
        return SplitFacts(
            source=self.source,
            own_test=bool(np.array_equal(self.scored, data.indices("test"))),
            counts={
                name: tuple(np.bincount(data.labels[self.origins(part)], minlength=width).tolist())
                for name, part in parts.items()
            },
            hashes={name: self._hash(data, part) for name, part in parts.items()},
        )

    def _hash(self, data: ImageSet, samples: Samples) -> str:
        lines = []
        for copy, row in zip(samples // self.images, self.origins(samples), strict=True):
            mark = f"\tcopy {copy}" if copy else ""
            lines.append(f"{data.ids[row]}\t{data.hashes[row].decode()}\t{data.labels[row]}{mark}")
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def make_splits(data: ImageSet, protocol: RunProtocol) -> Splits:
    """Return the splits that a resolved protocol asks for; a pure function of both.

    Without ``new_split`` it is the image set's own split, of whose training part ``train_share`` takes a share. With it
    all images are split at random. A leak before the split multiplies first: the images themselves fall as in the clean
    twin, the copies are then split at random in the same shares, which is how a random split of the multiplied pool
    falls too.

    Raises:
        UsageError: a share is asked for of a training split that is not the image set's own.
    """
    leak, new_split, copies = protocol.leak, protocol.new_split, protocol.copies
    n = len(data)
    if not new_split:
        parts = [data.indices(split) for split in SPLITS]
        source = data.split_source
    else:
        codes = _random_codes(n, new_split, derive_seed(new_split.seed, "resplit"))
        parts = [np.flatnonzero(codes == code).astype(np.int64) for code in range(len(SPLITS))]
        source = f"All images are split anew at random, seed {new_split.seed}."
    train, validation, test = parts
    scored = test
    if leak in BEFORE_SPLIT and new_split:
        extra = _copied(n, data.labels, leak, copies, new_split.seed)
        codes = _random_codes(len(extra), new_split, derive_seed(new_split.seed, "resplit", leak))
        train, validation, test = (np.concatenate([part, extra[codes == code]]) for code, part in enumerate(parts))
        source = f"{source} Copies made before ({leak}) lie on all sides of it."
    elif copies:
        train = np.concatenate([train, *(train + n * number for number in _numbers(copies))])
    if leak == "test-as-validation":
        validation = test
        source = f"{source} The test split is validation data too."
    chosen_on = np.concatenate([validation, test]) if leak == "checkpoint-on-test" else validation
    if protocol.train_share < 1:
        train, source = _shared_out(data, protocol, train), f"{source} {share_words(protocol.train_share)}"
    return Splits(n, train, validation, test, scored, chosen_on, source)


def share_of(labels: NDArray[np.int64], samples: Samples, share: float) -> Samples:
    """Return a share of some samples, ascending: the same part of every class, rounded, at least one of each.

    The draw has a seed of its own, so that all runs train on the same images, and a larger share holds a smaller one.

    Args:
        labels: int64, the class of each sample.
        samples: int64, as many.
        share: Above 0, at most 1.
    """
    random = np.random.default_rng(derive_seed(SHARE_SEED, "train share"))
    kept = []
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        kept.append(members[: max(1, round(share * len(members)))])
    chosen: Samples = samples[np.sort(np.concatenate(kept))]
    return chosen


def share_words(share: float) -> str:
    """Return the sentence that says of a run that it trains on a part of the training split."""
    return (
        f"Training takes {100 * share:g} % of the training split, stratified by class, drawn with seed {SHARE_SEED}; "
        "the other splits are whole."
    )


def _shared_out(data: ImageSet, protocol: RunProtocol, train: Samples) -> Samples:
    """Return the share of the training split that a protocol trains on.

    Raises:
        UsageError: the protocol splits anew or copies images, which would mix the two draws.
    """
    if protocol.new_split or protocol.copies:
        raise UsageError(
            f"protocol {protocol.name!r} makes its own training split: it takes no share of one, leave out "
            "--train-share."
        )
    return share_of(data.labels[train], train, protocol.train_share)


def _random_codes(count: int, new_split: NewSplit, seed: int) -> NDArray[np.uint8]:
    """Return an index into ``SPLITS`` for each of ``count`` things; shares are rounded up, as scikit-learn does."""
    test, validation = (math.ceil(share * count) for share in (new_split.test, new_split.validation))
    order = np.random.default_rng(seed).permutation(count)
    codes = np.full(count, SPLITS.index("train"), np.uint8)
    codes[order[:test]] = SPLITS.index("test")
    codes[order[test : test + validation]] = SPLITS.index("validation")
    return codes


def _copied(n: int, labels: NDArray[np.int64], leak: str, copies: Copies | None, seed: int) -> Samples:
    """Return the samples that a leak adds to the n images before they are split."""
    images = np.arange(n, dtype=np.int64)
    if leak == "oversample-before-split":
        return SAMPLINGS.make(part("oversample")).pool(images, labels, seed)[
            n:
        ]  # the sampler keeps the images themselves first
    return np.concatenate([images + n * number for number in _numbers(copies)])


def _numbers(copies: Copies | None) -> range:
    return range(1, copies.number + 1) if copies else range(0)
