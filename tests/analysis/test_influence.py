"""Metrics as functions of sums: values against scikit-learn, influences against deleting images one by one."""

import numpy as np
import pytest
from sklearn import metrics as reference

from study.analysis.calibration import reliability
from study.analysis.influence import linearise, linearise_mean
from study.core.errors import UsageError

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "precision", "recall", "f1", "log_loss", "brier", "ece")
CLASS_METRICS = ("precision", "recall", "f1")
CLASSES = 4
LABELS = np.repeat(np.arange(CLASSES), [60, 12, 80, 48])


def networks(seeds: int = 3, overconfidence: float = 2.0) -> np.ndarray:
    """Return probabilities (seeds, images, classes) of overconfident networks."""
    generator = np.random.default_rng(5)
    logits = generator.normal(size=(seeds, len(LABELS), CLASSES)) + 1.2 * np.eye(CLASSES)[LABELS]
    odds = np.exp(overconfidence * logits)
    return odds / odds.sum(axis=-1, keepdims=True)


def expected(metric: str, probabilities: np.ndarray, labels: np.ndarray, class_index: int | None) -> float:
    predicted = probabilities.argmax(axis=1)
    if metric in CLASS_METRICS:
        scorer = getattr(reference, f"{metric}_score")
        return float(scorer(labels, predicted, labels=[class_index], average=None)[0])
    return {
        "accuracy": lambda: reference.accuracy_score(labels, predicted),
        "balanced_accuracy": lambda: reference.balanced_accuracy_score(labels, predicted),
        "macro_f1": lambda: reference.f1_score(labels, predicted, average="macro"),
        "log_loss": lambda: reference.log_loss(labels, probabilities, labels=range(CLASSES)),
        "brier": lambda: float(np.mean(np.sum((probabilities - np.eye(CLASSES)[labels]) ** 2, axis=1))),
        "ece": lambda: reliability(probabilities, labels).error,
    }[metric]()


@pytest.mark.parametrize("metric", METRICS)
def test_values_equal_the_reference_for_each_seed(metric: str) -> None:
    probabilities, chosen = networks(), 1 if metric in CLASS_METRICS else None
    values = linearise(metric, probabilities, LABELS, chosen).values
    assert values == pytest.approx([expected(metric, one, LABELS, chosen) for one in probabilities], abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_influences_average_to_zero(metric: str) -> None:
    chosen = 1 if metric in CLASS_METRICS else None
    assert linearise(metric, networks(), LABELS, chosen).influence.mean(axis=1) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_influences_say_what_deleting_an_image_does(metric: str) -> None:
    # Overconfident enough that no single image turns a calibration bin from over- to underconfident.
    probabilities, chosen = networks(seeds=1, overconfidence=8.0), 1 if metric in CLASS_METRICS else None
    found = linearise(metric, probabilities, LABELS, chosen)
    images = len(LABELS)
    some = range(0, images, 5)
    deleted = [
        expected(metric, np.delete(probabilities[0], image, axis=0), np.delete(LABELS, image), chosen) for image in some
    ]
    jackknife = (images - 1) * (found.values[0] - np.array(deleted))
    scale = np.abs(jackknife).max()
    # Second-order terms: one image of a class of twelve moves that class's metrics by a twelfth.
    tolerance = 0.1 if metric in ("balanced_accuracy", "macro_f1", *CLASS_METRICS) else 0.01
    assert found.influence[0, some] == pytest.approx(jackknife, abs=tolerance * scale)


@pytest.mark.parametrize("metric", METRICS)
def test_the_variance_of_the_influences_is_the_bootstrap_s(metric: str) -> None:
    probabilities, chosen = networks(seeds=1, overconfidence=4.0), 0 if metric in CLASS_METRICS else None
    found = linearise(metric, probabilities, LABELS, chosen)
    generator = np.random.default_rng(0)
    images = len(LABELS)
    drawn = []
    for _ in range(600):
        picked = generator.integers(images, size=images)
        drawn.append(linearise(metric, probabilities[:, picked], LABELS[picked], chosen).values[0])
    assert found.influence.std() / np.sqrt(images) == pytest.approx(np.std(drawn), rel=0.12)


def test_a_mean_of_scores_has_the_scores_themselves_as_influences() -> None:
    probabilities = networks()
    correct = probabilities.argmax(axis=-1) == LABELS
    direct, through_cells = linearise_mean(correct), linearise("accuracy", probabilities, LABELS)
    assert direct.values == pytest.approx(through_cells.values)
    assert direct.influence == pytest.approx(through_cells.influence)


def test_a_class_that_is_never_predicted_has_no_precision_but_an_f1_of_zero() -> None:
    probabilities = networks()
    probabilities[0, :, 1] = 0.0
    assert np.isnan(linearise("precision", probabilities, LABELS, 1).values).tolist() == [True, False, False]
    assert linearise("f1", probabilities, LABELS, 1).values[0] == 0.0


def test_a_class_without_images_takes_no_part_in_averages_and_has_no_recall() -> None:
    present = LABELS != 1
    probabilities, labels = networks()[:, present], LABELS[present]
    by_hand = [np.mean([expected("recall", one, labels, label) for label in (0, 2, 3)]) for one in probabilities]
    assert linearise("balanced_accuracy", probabilities, labels).values == pytest.approx(by_hand)
    assert np.isnan(linearise("recall", probabilities, labels, 1).values).all()
    assert np.isnan(linearise("f1", probabilities, labels, 1).values).all()


def test_a_probability_of_zero_gives_a_finite_loss() -> None:
    probabilities = networks(seeds=1)
    probabilities[0, 0] = [0.0, 1.0, 0.0, 0.0]
    assert np.isfinite(linearise("log_loss", probabilities, LABELS).values).all()


def test_misuse_is_refused_with_what_to_do() -> None:
    probabilities = networks()
    with pytest.raises(UsageError, match="Did you mean accuracy"):
        linearise("acuracy", probabilities, LABELS)
    with pytest.raises(UsageError, match="class_index must be 0 to 3, got None"):
        linearise("recall", probabilities, LABELS)
    with pytest.raises(UsageError, match="same split"):
        linearise("accuracy", probabilities, LABELS[:-1])
    with pytest.raises(UsageError, match=r"\(seeds, images, classes\)"):
        linearise("accuracy", probabilities[0], LABELS)
