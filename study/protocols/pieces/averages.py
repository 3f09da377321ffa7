"""Averages of the weights over updates."""

from __future__ import annotations

from study.protocols.piece import AVERAGES, Average


@AVERAGES.register("ema")
class ExponentialMovingAverage(Average, frozen=True):
    """Exponential moving average of all weights and of the statistics of normalisation.

    It follows the weights closely at first and more slowly later, as TensorFlow's ExponentialMovingAverage does where
    it is given the number of updates (https://www.tensorflow.org/api_docs/python/tf/train/ExponentialMovingAverage).
    """

    most: float = 0.999  #: Largest decay.

    def decay(self, update: int) -> float:
        """Return min(most, (1 + n) / (10 + n)).

        >>> [round(ExponentialMovingAverage().decay(update), 3) for update in (0, 8, 100_000)]
        [0.1, 0.5, 0.999]
        """
        return min(self.most, (1 + update) / (10 + update))
