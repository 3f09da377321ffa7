"""Every registered metric keeps the contract, and the contract catches metrics that do not."""

import numpy as np
import pytest

from study.analysis.influence import linearise
from study.analysis.metric import METRICS, Metric, confusion_cells, of_confusion, of_images, register
from study.core.errors import UsageError

CLASSES = 4
LABELS = np.repeat(np.arange(CLASSES), [60, 12, 80, 48])


def networks(seeds: int = 2, overconfidence: float = 8.0) -> np.ndarray:
    """Return probabilities (seeds, images, classes) so overconfident that no image turns a calibration bin."""
    generator = np.random.default_rng(5)
    odds = np.exp(
        overconfidence * (generator.normal(size=(seeds, len(LABELS), CLASSES)) + 1.2 * np.eye(CLASSES)[LABELS])
    )
    return odds / odds.sum(axis=-1, keepdims=True)


@pytest.fixture
def forget():
    """Take out of the registry what a test has put in."""
    before = set(METRICS.names())
    yield
    for name in set(METRICS.names()) - before:
        METRICS._entries.pop(name)
        METRICS._files.pop(name)


def check(metric: Metric, sloppy: float = 0.12) -> None:
    """Check one metric.

    Raises:
        AssertionError: a promise of ``study.analysis.metric`` is broken.
    """
    probabilities = networks()
    for place in range(CLASSES) if metric.each_class else [None]:
        found = linearise(metric.name, probabilities, LABELS, place)
        assert found.values.shape == (2,) and np.isfinite(found.values).all(), "one finite number a network"
        assert found.influence == pytest.approx(
            found.influence - found.influence.mean(axis=1, keepdims=True), abs=1e-6
        ), "influences average to zero: the metric must not change where every count is multiplied"
        alone = linearise(metric.name, probabilities[1:], LABELS, place)
        assert alone.values[0] == pytest.approx(found.values[1]), "networks do not see each other"
        order = np.random.default_rng(0).permutation(len(LABELS))
        shuffled = linearise(metric.name, probabilities[:, order], LABELS[order], place)
        assert shuffled.values == pytest.approx(found.values), "the order of the images does not matter"
        twice = linearise(metric.name, np.tile(probabilities, (1, 2, 1)), np.tile(LABELS, 2), place)
        assert twice.values == pytest.approx(found.values), "images counted twice change nothing"
        if metric.share:
            assert (metric.lowest <= found.values).all() and (found.values <= 1.0).all(), "a share lies in its range"
        some = range(0, len(LABELS), 9)
        less = [
            linearise(metric.name, np.delete(probabilities[:1], one, axis=1), np.delete(LABELS, one), place).values[0]
            for one in some
        ]
        jackknife = (len(LABELS) - 1) * (found.values[0] - np.array(less))
        scale = max(np.abs(jackknife).max(), 1e-9)
        assert found.influence[0, some] == pytest.approx(jackknife, abs=sloppy * scale), "slopes say what an image adds"


@pytest.mark.parametrize("name", METRICS.names())
def test_the_metric_keeps_the_contract(name: str) -> None:
    check(METRICS.get(name))


def test_measured_slopes_are_the_given_ones() -> None:
    for name in ("accuracy", "macro_f1", "recall", "precision"):
        metric = METRICS.get(name)
        measured = Metric(name, name, metric.contributions, metric.of_sums, each_class=metric.each_class)
        sums = np.bincount(confusion_cells(networks()[0], LABELS)[0], minlength=16).astype(float)[None]
        for given, found in zip(metric.gradient(sums, 200.0), measured.gradient(sums, 200.0), strict=True):
            assert found == pytest.approx(given, abs=1e-8)


def test_a_metric_that_counts_instead_of_sharing_breaks_the_contract(forget) -> None:
    @of_confusion("hits")
    def hits(confusion):
        return np.trace(confusion, axis1=-2, axis2=-1)

    with pytest.raises(AssertionError):
        check(METRICS.get("hits"))


def test_slopes_that_are_wrong_break_the_contract(forget) -> None:
    accuracy = METRICS.get("accuracy")

    def wrong(sums, images):
        slopes, by_count = accuracy.slopes(sums, images)
        return 2 * slopes, 2 * by_count

    register(Metric("wrong", "wrong", confusion_cells, accuracy.of_sums, wrong), __file__)
    with pytest.raises(AssertionError, match="slopes"):
        check(METRICS.get("wrong"))


def test_a_score_of_each_image_is_averaged(forget) -> None:
    @of_images("sure")
    def sure(probabilities, labels):
        return probabilities.max(axis=-1)

    found = linearise("sure", networks(), LABELS)
    assert found.values == pytest.approx(networks().max(axis=-1).mean(axis=1))
    assert found.influence == pytest.approx(networks().max(axis=-1) - found.values[:, None])
    check(METRICS.get("sure"))


def test_a_metric_of_classes_that_are_absent_has_no_slopes_there(forget) -> None:
    @of_confusion("mean_recall")
    def mean_recall(confusion):
        actual = confusion.sum(axis=-1)
        each = np.diagonal(confusion, axis1=-2, axis2=-1) / np.where(actual > 0, actual, 1.0)
        return each.sum(axis=-1) / (actual > 0).sum(axis=-1)

    present = LABELS != 1
    found, expected = (
        linearise(name, networks()[:, present], LABELS[present]) for name in ("mean_recall", "balanced_accuracy")
    )
    assert found.values == pytest.approx(expected.values)
    assert found.influence == pytest.approx(expected.influence, abs=1e-6)


def test_names_are_checked_and_unique(forget) -> None:
    with pytest.raises(UsageError, match="lower-case letters"):
        of_confusion("Macro F1")(lambda confusion: confusion.sum(axis=(-2, -1)))
    with pytest.raises(UsageError, match="metric names are unique"):
        of_confusion("accuracy")(lambda confusion: confusion.sum(axis=(-2, -1)))
