"""Steps: the weight updates of one epoch, traced once on TensorFlow and by Keras' own loop elsewhere."""

from __future__ import annotations

import time
from typing import Any

from study.training.backend import on_tensorflow

#: Updates between two looks at Python (where Ctrl-C is seen) take about this long.
CALL_S = 0.5


class Steps:
    """Training steps of a compiled model.

    On TensorFlow the loop over batches runs inside one graph. Keras' ``fit`` nests two traced functions there and
    traces the
    inner one twice, which costs a large network more than a short study's updates; steps and results are the same.

    Args:
        model: Compiled keras.Model whose optimizer is built.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._updates = _tensorflow_updates(model) if on_tensorflow() else None

    def run(self, batches: Any, count: int) -> dict[str, float]:
        """Make ``count`` updates and return mean loss and accuracy over them.

        Args:
            batches: What ``Feed.epoch`` returns.
            count: Its number of batches.
        """
        if self._updates is None:
            history = self.model.fit(batches, epochs=1, steps_per_epoch=count, shuffle=False, verbose=0).history
            return {name: float(values[-1]) for name, values in history.items()}
        self.model.reset_metrics()
        iterator = iter(batches)
        done, chunk = 0, 1
        while done < count:
            now = min(chunk, count - done)
            start = time.perf_counter()
            self._updates(iterator, now)
            done += now
            if time.perf_counter() - start < CALL_S / 2:
                chunk *= 2
        return {name: float(value) for name, value in self.model.get_metrics_result().items()}


def _tensorflow_updates(model: Any) -> Any:
    import numpy as np
    import tensorflow as tf

    # Metrics create their variables when first used; inside the graph that would cost a second trace.
    images, labels = (np.zeros((1, *shape[1:]), np.float32) for shape in (model.input_shape, model.output_shape))
    model.compute_metrics(images, labels, labels, sample_weight=np.ones(1, np.float32))
    model.reset_metrics()

    def updates(iterator: Any, count: Any) -> None:
        for _ in tf.range(count):
            model.train_step(next(iterator))

    compiled = tf.function(updates, reduce_retracing=True)
    return lambda iterator, count: compiled(iterator, tf.constant(count))
