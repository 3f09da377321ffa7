"""Only predictions for images that a network was not trained on count."""

from __future__ import annotations

import numpy as np
import pytest

from study.analysis.label_errors import held_out
from study.core.record import Contamination, Record
from tests.changed import replace
from tests.factories import make_card, make_counts, make_record

COUNTS = make_counts(200, 40, 40)
CARD = make_card(counts=COUNTS)
SPLITS = np.repeat(np.arange(3), [sum(COUNTS[split]) for split in ("train", "validation", "test")]).astype(np.uint8)
VALIDATION = np.flatnonzero(SPLITS == 1)


def record(seed: int = 0, **more: object) -> Record:
    return replace(make_record("cnn3", seed=seed, card=CARD), **more)


def test_every_honest_run_gives_its_validation_split_and_nothing_else() -> None:
    first, second = record(0), record(1)
    found = held_out([first, second], SPLITS)
    assert found is not None and found.rows.tolist() == VALIDATION.tolist()
    mean = (first.arrays["validation_probabilities"] + second.arrays["validation_probabilities"]) / 2
    assert found.probabilities == pytest.approx(mean / mean.sum(axis=1, keepdims=True), abs=1e-6)
    assert found.runs == (first.key, second.key) and not found.whole


def test_leaky_runs_and_networks_that_diverged_are_left_out() -> None:
    leaky = record(0, contamination=Contamination(leaky=True))
    arrays = dict(record(1).arrays)
    arrays["validation_probabilities"] = np.full_like(arrays["validation_probabilities"], np.nan)
    assert held_out([leaky, record(1, arrays=arrays)], SPLITS) is None


def test_runs_with_splits_of_their_own_reach_into_train() -> None:
    n = len(SPLITS)
    odds = np.full((6, 7), 1 / 7, np.float32)
    arrays = {
        "validation_probabilities": odds,
        "validation_indices": np.array([0, 1, 2, VALIDATION[0], n - 1, n + 3]),  # a test image and a changed copy
        "test_probabilities": odds,
        "test_indices": np.array([3, 4, 5, 6, 7, n - 2]),
        "test_seen": np.array([0, 0, 2, 0, 1, 0], np.uint8),
    }
    found = held_out([record(0, arrays=arrays)], SPLITS)
    assert found is not None and found.whole
    assert found.rows.tolist() == [0, 1, 2, 3, 4, 6, VALIDATION[0]]
