"""The paired bootstrap of trained networks: against SciPy's, scikit-learn's metrics on one resample, and duplicates."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from study.analysis.bootstrap import (
    Resampled,
    ResampledNetwork,
    Resamples,
    bootstrap_weights,
    network_contrast,
    network_gain,
)
from study.core.errors import UsageError

LABELS = np.repeat(np.arange(3), [150, 30, 120])


def network(skill: float, seed: int) -> np.ndarray:
    """Return probabilities (images, classes)."""
    logits = np.random.default_rng(seed).normal(size=(len(LABELS), 3)) + skill * np.eye(3)[LABELS]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


GOOD, POOR = network(1.4, 1), network(1.0, 2)


def network_interval(metric: str, one: np.ndarray, labels: np.ndarray, weights: np.ndarray, **more: int) -> Resampled:
    return network_contrast(metric, [ResampledNetwork(one, labels, Resamples(weights))], [1.0], **more)


def network_difference(
    metric: str, first: np.ndarray, second: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> Resampled:
    resamples = Resamples(weights)
    networks = [ResampledNetwork(one, labels, resamples) for one in (first, second)]
    return network_contrast(metric, networks, [1.0, -1.0])


def test_each_resample_draws_as_many_images_as_there_are() -> None:
    weights = bootstrap_weights(300, draws=50)
    assert (weights.sum(axis=1) == 300).all()
    assert weights.mean(axis=0) == pytest.approx(1.0, abs=0.6)


def test_copies_are_drawn_together() -> None:
    weights = bootstrap_weights(6, groups=["a", "b", "a", "c", "d", "d"], draws=20)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 4] == weights[:, 5]).all()
    assert (weights[:, 0] != weights[:, 1]).any()


def test_the_same_seed_gives_the_same_resamples_and_another_gives_others() -> None:
    first, again, other = (bootstrap_weights(40, draws=5, seed=seed) for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_the_interval_of_a_difference_in_accuracy_is_scipy_s() -> None:
    lead = (GOOD.argmax(1) == LABELS).astype(float) - (POOR.argmax(1) == LABELS)
    generator = np.random.default_rng(0)
    theirs = stats.bootstrap((lead,), np.mean, n_resamples=20_000, method="percentile", rng=generator)
    ours = network_difference("accuracy", GOOD, POOR, LABELS, bootstrap_weights(300, draws=20_000))
    assert ours.value == pytest.approx(lead.mean())
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.005)


def test_a_resample_of_macro_f1_is_macro_f1_of_the_resampled_images() -> None:
    weights = bootstrap_weights(300, draws=1, seed=9)
    picked = np.repeat(np.arange(300), weights[0].astype(int))
    found = network_interval("macro_f1", GOOD, LABELS, weights)
    expected = f1_score(LABELS[picked], GOOD.argmax(1)[picked], average="macro")
    assert (found.low, found.high) == pytest.approx((expected, expected))


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier", "ece"])
def test_a_network_is_not_different_from_itself(metric: str) -> None:
    found = network_difference(metric, GOOD, GOOD, LABELS, bootstrap_weights(300, draws=100))
    assert (found.value, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_a_network_that_is_never_right_is_told_from_one_that_always_is() -> None:
    right, wrong = np.eye(3)[LABELS], np.eye(3)[(LABELS + 1) % 3]
    found = network_difference("accuracy", right, wrong, LABELS, bootstrap_weights(300, draws=199))
    assert (found.low, found.high) == (1.0, 1.0)
    assert found.p_value == pytest.approx(2 / 200)


def test_copies_of_every_image_change_the_interval_only_by_chance() -> None:
    tiled = [np.tile(one, (2, 1)) for one in (GOOD, POOR)]
    groups = np.tile(np.arange(300), 2)
    once = network_difference("accuracy", GOOD, POOR, LABELS, bootstrap_weights(300, draws=500, seed=1))
    twice = network_difference(
        "accuracy", *tiled, np.tile(LABELS, 2), bootstrap_weights(600, groups, draws=500, seed=1)
    )
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_precision_of_a_class_that_is_never_predicted_has_no_interval() -> None:
    never = np.tile([0.6, 0.0, 0.4], (300, 1))
    found = network_interval("precision", never, LABELS, bootstrap_weights(300, draws=10), class_index=1)
    assert np.isnan([found.value, found.low, found.high]).all()


def test_a_difference_of_differences_is_that_of_the_two_differences() -> None:
    resamples = Resamples(bootstrap_weights(300, draws=50))
    four = [ResampledNetwork(network(1.0 + 0.2 * seed, seed), LABELS, resamples) for seed in range(4)]
    pairs = [network_contrast("macro_f1", four[start : start + 2], [1.0, -1.0]).value for start in (0, 2)]
    assert network_contrast("macro_f1", four, [1, -1, -1, 1]).value == pytest.approx(pairs[0] - pairs[1])


def test_a_gain_image_by_image_is_the_difference_of_the_accuracies() -> None:
    resamples = Resamples(bootstrap_weights(300, draws=200))
    networks = [ResampledNetwork(one, LABELS, resamples) for one in (GOOD, POOR)]
    whole = network_contrast("accuracy", networks, [1.0, -1.0])
    lead = (GOOD.argmax(1) == LABELS).astype(float) - (POOR.argmax(1) == LABELS)
    found = network_gain(lead, resamples)
    assert (found.value, found.low, found.high) == pytest.approx((whole.value, whole.low, whole.high))


def test_only_a_difference_has_a_p_value() -> None:
    assert np.isnan(network_interval("accuracy", GOOD, LABELS, bootstrap_weights(300, draws=10)).p_value)


def test_coefficients_must_fit_the_networks() -> None:
    with pytest.raises(UsageError, match="one coefficient a network"):
        network_contrast("accuracy", [], [])


def test_networks_are_not_pooled_over_seeds() -> None:
    with pytest.raises(UsageError, match="not pooled over seeds"):
        network_interval("accuracy", np.stack([GOOD, POOR]), LABELS, bootstrap_weights(300, draws=2))
