"""Losses on one-hot labels and probabilities."""

from __future__ import annotations

from typing import Any

from study.protocols.piece import LOSSES, Loss


@LOSSES.register("cross-entropy")
class CrossEntropy(Loss, frozen=True):
    """Cross-entropy, with label smoothing (Szegedy et al. 2016, arXiv:1512.00567, section 7)."""

    label_smoothing: float = 0.0  #: Share of the label that is spread over all classes, from 0 to below 1.

    def function(self) -> Any:
        """Return Keras' loss."""
        from keras import losses

        return losses.CategoricalCrossentropy(label_smoothing=self.label_smoothing)
