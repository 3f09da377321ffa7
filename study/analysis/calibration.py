"""Calibration of one network: reliability bins, expected calibration error, and a temperature fitted on validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Equal-width bins of the top-label confidence (Guo et al. 2017, section 2, use 15).
BINS = 15
#: Probabilities are kept this far from zero before a logarithm, since one zero would make a mean infinite; the value is
#: that of scikit-learn's ``log_loss`` for float64 input, so that both give the same numbers.
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)
#: Temperatures are searched between these limits; a fit on a limit means that the network cannot be calibrated by one.
TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True)
class Reliability:
    """The bins of a reliability diagram."""

    counts: NDArray[np.int64]  #: int64 (bins,), images in each bin.
    confidence: NDArray[np.float64]  #: float64 (bins,), mean top-label probability, nan where a bin is empty.
    accuracy: NDArray[np.float64]  #: float64 (bins,), share of correct images, nan where a bin is empty.
    error: float  #: Expected calibration error, 0 to 1.


def confidence_bins(confidence: NDArray[Any], bins: int = BINS) -> NDArray[np.int64]:
    """Return the bin, 0 to ``bins - 1``, of each confidence; bin b holds (b / bins, (b + 1) / bins]."""
    return np.searchsorted(np.linspace(0.0, 1.0, bins + 1)[1:-1], confidence)


def reliability(probabilities: NDArray[Any], labels: NDArray[Any], bins: int = BINS) -> Reliability:
    """Return the reliability diagram of probabilities (images, classes) for labels int (images,), with its error.

    ECE = sum over bins of (images in the bin / images) |accuracy - confidence|: Guo, Pleiss, Sun and Weinberger, "On
    calibration of modern neural networks", ICML 2017, section 2, equation 3. It is biased upwards where the network is
    nearly calibrated, since every bin's sampling error counts as error, and it depends on the bins.
    """
    confidence = probabilities.max(axis=-1).astype(np.float64)
    correct = probabilities.argmax(axis=-1) == labels
    which = confidence_bins(confidence, bins)
    counts = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(which, weights=confidence, minlength=bins) / counts
        accuracy = np.bincount(which, weights=correct, minlength=bins) / counts
    error = float(np.nansum(counts * np.abs(accuracy - mean_confidence)) / len(labels))
    return Reliability(counts, mean_confidence, accuracy, error)


def fit_temperature(validation_probabilities: NDArray[Any], validation_labels: NDArray[Any]) -> float:
    """Return the temperature that minimises the negative log-likelihood on the validation split.

    Temperature scaling, Guo et al. 2017, section 4.2: probabilities become softmax(logits / T). Softmax outputs give
    the logits up to a constant that cancels. T above 1 says that the network is overconfident. The test split must
    not be passed: the fit would be scored on the labels that it saw. The result lies within ``TEMPERATURES``.
    """
    from scipy.optimize import minimize_scalar

    logits = _logits(validation_probabilities)
    logits -= logits.max(axis=-1, keepdims=True)
    true_logits = logits[np.arange(len(validation_labels)), validation_labels]

    def negative_log_likelihood(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        return float(np.mean(np.log(np.exp(logits * inverse).sum(axis=-1)) - true_logits * inverse))

    limits = tuple(np.log(TEMPERATURES))
    found = minimize_scalar(negative_log_likelihood, bounds=limits, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def apply_temperature(probabilities: NDArray[Any], temperature: float) -> NDArray[np.float64]:
    """Return softmax(log(probabilities) / temperature), shape (..., images, classes); no prediction changes.

    >>> apply_temperature(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
    [[0.667, 0.333]]
    """
    from scipy.special import softmax

    return np.asarray(softmax(_logits(probabilities) / temperature, axis=-1))


def _logits(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    return np.log(np.clip(probabilities.astype(np.float64), SMALLEST_PROBABILITY, 1.0))
