"""What the machine can do: one large convolution, the yardstick for shares of the peak."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.bench.task import Task, Turn
from study.training.backend import chosen_backend, prepare_backend

#: A 3x3 convolution in the middle of the networks here: 64 images of 24x24 pixels, 64 channels to 128.
SHAPE, FILTERS, KERNEL = (64, 24, 24, 64), 128, 3
#: Floating-point operations of one such convolution.
OPERATIONS = 2 * SHAPE[0] * SHAPE[1] * SHAPE[2] * SHAPE[3] * FILTERS * KERNEL**2


class Convolution:
    """Repeats one convolution; a batch of a turn is one of them, its image a floating-point operation."""

    parameters = macs = 0

    def __init__(self, task: Task) -> None:
        from keras import ops

        dtype = "bfloat16" if task.precision == "mixed_bfloat16" else "float32"
        random = np.random.default_rng(0)
        self._images = ops.cast(random.normal(size=SHAPE), dtype)
        self._kernel = ops.cast(random.normal(size=(KERNEL, KERNEL, SHAPE[-1], FILTERS)), dtype)
        self._call = _compiled(lambda images, kernel: ops.conv(images, kernel, padding="same"))

    def convolve(self, repeats: int) -> Turn:
        """Convolve again and again."""
        from keras import ops

        start = time.perf_counter()
        for _ in range(repeats):
            made = self._call(self._images, self._kernel)
        ops.convert_to_numpy(ops.cast(made[0, 0, 0, 0], "float32"))  # waits where calls return before they are done
        return Turn(repeats * OPERATIONS, time.perf_counter() - start)


def _compiled(function: Any) -> Any:
    if chosen_backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function)


def make(task: Task, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Convolution:
    """Return the yardstick; it looks at no images."""
    prepare_backend(chosen_backend(), task.threads)
    return Convolution(task)
