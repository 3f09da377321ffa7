"""Calibration: bins and ECE by hand and against scikit-learn, temperature recovered and against scikit-learn."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from study.analysis.calibration import BINS, apply_temperature, confidence_bins, fit_temperature, reliability


def overconfident(temperature: float, images: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities with logits ``temperature`` times those that the labels were drawn from, and the labels."""
    generator = np.random.default_rng(4)
    logits = 1.5 * generator.normal(size=(images, 5))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) < generator.random((images, 1))).sum(axis=1).clip(max=4)
    odds = np.exp(temperature * logits)
    return odds / odds.sum(axis=1, keepdims=True), labels


def test_the_error_by_hand() -> None:
    # Two images at confidence .9, one right: |.5 - .9| * 2/3. One image at .6, right: |1 - .6| * 1/3.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    found = reliability(probabilities, np.array([0, 1, 1]), bins=10)
    assert found.error == pytest.approx(0.4)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 2, 0]
    assert (found.accuracy[8], found.confidence[8]) == pytest.approx((0.5, 0.9))
    assert np.isnan(found.accuracy[0])


def test_a_bin_holds_its_upper_edge() -> None:
    assert confidence_bins(np.array([0.0, 0.25, 0.26, 0.5, 1.0]), bins=4).tolist() == [0, 0, 1, 1, 3]


def test_the_diagram_agrees_with_scikit_learn() -> None:
    probabilities, labels = overconfident(2.0)
    found = reliability(probabilities, labels)
    correct = probabilities.argmax(axis=1) == labels
    accuracy, confidence = calibration_curve(correct, probabilities.max(axis=1), n_bins=BINS)
    assert found.accuracy[found.counts > 0] == pytest.approx(accuracy)
    assert found.confidence[found.counts > 0] == pytest.approx(confidence)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_network_overconfident_is_found(temperature: float) -> None:
    assert fit_temperature(*overconfident(temperature)) == pytest.approx(temperature, rel=0.05)


def test_no_other_temperature_has_a_smaller_loss() -> None:
    probabilities, labels = overconfident(2.5)
    found = fit_temperature(probabilities, labels)
    losses = {
        factor: log_loss(labels, apply_temperature(probabilities, found * factor)) for factor in (0.99, 1.0, 1.01)
    }
    assert min(losses, key=losses.__getitem__) == 1.0


def test_scaling_lowers_the_error_and_changes_no_prediction() -> None:
    probabilities, labels = overconfident(2.5)
    scaled = apply_temperature(probabilities, fit_temperature(probabilities, labels))
    assert (scaled.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert scaled.sum(axis=1) == pytest.approx(1.0)
    assert reliability(scaled, labels).error < 0.3 * reliability(probabilities, labels).error


def test_probabilities_of_zero_stay_finite() -> None:
    scaled = apply_temperature(np.array([[1.0, 0.0, 0.0]], dtype=np.float32), 3.0)
    assert np.isfinite(scaled).all()
    assert np.isfinite(fit_temperature(np.eye(3)[[0, 1, 2]], np.array([0, 1, 1])))
