"""Steps: the weight updates of one epoch with their learning rates, and an average of the weights beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.protocols.piece import Average
from study.training.backend import on_tensorflow
from study.training.feed import JaxEpoch

#: Updates between two looks at Python (where Ctrl-C is seen) take about this long.
CALL_S = 0.5


class Steps:
    """Training steps of a compiled model.

    On TensorFlow the loop over batches runs inside one graph. Keras' ``fit`` nests two traced functions there and
    traces the inner one twice, which costs a large network more than a short study's updates; on JAX it knows no
    learning rate that changes from update to update. Steps and results are those of ``fit``.

    Args:
        model: Compiled keras.Model whose optimizer is built.
        average: Average of the weights that is kept beside them, or None.
    """

    def __init__(self, model: Any, average: Average | None = None) -> None:
        self.model = model
        self.average = average
        # Metrics create their variables when first used; inside a compiled loop that would cost a second trace.
        images, labels = (np.zeros((1, *shape[1:]), np.float32) for shape in (model.input_shape, model.output_shape))
        model.compute_metrics(images, labels, labels, sample_weight=np.ones(1, np.float32))
        model.reset_metrics()
        self._loop = _TensorflowLoop(model, average) if on_tensorflow() else _JaxLoop(model, average)

    def run(self, batches: Any, rates: Sequence[float], first_update: int = 0) -> dict[str, float]:
        """Make as many updates as there are rates and return mean loss and accuracy over them.

        Args:
            batches: What ``Feed.epoch`` returns.
            rates: Learning rate of each update.
            first_update: Updates that the average has seen before.
        """
        decays = [self.average.decay(first_update + number) if self.average else 0.0 for number in range(len(rates))]
        self.model.reset_metrics()
        self._loop.run(batches, np.asarray(rates, np.float32), np.asarray(decays, np.float32))
        return {name: float(value) for name, value in self.model.get_metrics_result().items()}

    def averages(self) -> list[NDArray[Any]]:
        """Return the averaged weights in the order of ``model.weights``; without an average the weights themselves."""
        return self._loop.averages() if self.average else [np.asarray(weight) for weight in self.model.weights]

    def set_averages(self, values: Sequence[NDArray[Any]]) -> None:
        """Go on averaging from values that ``averages`` gave."""
        if self.average:
            self._loop.set_averages(values)


def is_averaged(weight: Any) -> bool:
    """Return whether a weight is averaged: states of random generators are not."""
    return not str(weight.path).endswith("seed_generator_state")


class _TensorflowLoop:
    """Updates in one graph."""

    def __init__(self, model: Any, average: Average | None) -> None:
        import tensorflow as tf

        self.model = model
        averaged = [weight for weight in model.weights if average and is_averaged(weight)]
        copies = [tf.Variable(weight.value, trainable=False) for weight in averaged]
        self._copies = {id(weight): copy for weight, copy in zip(averaged, copies, strict=True)}
        with tf.device("/cpu:0"):
            self._rates, self._decays = (
                tf.Variable(np.zeros(1, np.float32), shape=(None,), trainable=False) for _ in range(2)
            )
        rate = model.optimizer.learning_rate

        def updates(iterator: Any, start: Any, count: Any) -> None:
            for number in tf.range(start, start + count):
                rate.assign(self._rates[number])
                model.train_step(next(iterator))
                decay = self._decays[number]
                for weight, copy in zip(averaged, copies, strict=True):
                    copy.assign(decay * copy + (1.0 - decay) * tf.cast(weight.value, copy.dtype))

        self._updates: Callable[..., None] = tf.function(updates, reduce_retracing=True)

    def run(self, batches: Any, rates: NDArray[np.float32], decays: NDArray[np.float32]) -> None:
        import tensorflow as tf

        self._rates.assign(rates)
        self._decays.assign(decays)
        iterator = iter(batches)
        done, chunk = 0, 1
        while done < len(rates):
            now = min(chunk, len(rates) - done)
            start = time.perf_counter()
            self._updates(iterator, tf.constant(done), tf.constant(now))
            done += now
            if time.perf_counter() - start < CALL_S / 2:
                chunk *= 2

    def averages(self) -> list[NDArray[Any]]:
        return [np.asarray(self._copies.get(id(weight), weight.value)) for weight in self.model.weights]

    def set_averages(self, values: Sequence[NDArray[Any]]) -> None:
        for weight, value in zip(self.model.weights, values, strict=True):
            if id(weight) in self._copies:
                self._copies[id(weight)].assign(value)


class _JaxLoop:
    """Updates through compiled functions whose state stays on the device: an epoch in one call, or one by one.

    A whole epoch as one program keeps a GPU busy. On a processor XLA's convolutions are many times slower inside a
    loop, so updates are made one by one there.
    """

    def __init__(self, model: Any, average: Average | None) -> None:
        import jax

        self.model = model
        self.whole_epochs = jax.default_backend() != "cpu"
        self._average = average is not None
        self._copies = [weight.value + 0 for weight in model.weights] if average else []
        optimizer = model.optimizer
        place = next(n for n, one in enumerate(optimizer.variables) if one is optimizer.learning_rate)
        trained = {id(weight): n for n, weight in enumerate(model.trainable_variables)}
        others = {id(weight): n for n, weight in enumerate(model.non_trainable_variables)}
        averaged = [is_averaged(weight) for weight in model.weights]

        def step(state: Any, copies: Any, batch: Any, rate: Any, decay: Any) -> tuple[Any, Any]:
            settings = list(state[2])
            settings[place] = rate
            _, state = model.train_step((state[0], state[1], settings, state[3]), batch)
            if copies:
                now = [
                    state[0][trained[id(weight)]] if id(weight) in trained else state[1][others[id(weight)]]
                    for weight in model.weights
                ]
                copies = [
                    decay * copy + (1 - decay) * weight if wanted else weight
                    for copy, weight, wanted in zip(copies, now, averaged, strict=True)
                ]
            return state, copies

        def epoch(state: Any, copies: Any, make: Any, data: Any, draws: Any, order: Any, settings: Any) -> Any:
            def update(carry: Any, now: Any) -> tuple[Any, None]:
                state, copies, draws = carry
                rows, rate, decay = now
                batch, draws = make(data, rows, draws)
                return (*step(state, copies, batch, rate, decay), draws), None

            (state, copies, _), _ = jax.lax.scan(update, (state, copies, draws), (order, *settings))
            return state, copies

        self._step = jax.jit(step, donate_argnums=(0, 1))
        # The data are arguments: as constants of the program they would be compiled into it.
        self._epoch = jax.jit(epoch, donate_argnums=(0, 1), static_argnums=2)

    def run(self, batches: Any, rates: NDArray[np.float32], decays: NDArray[np.float32]) -> None:
        model = self.model
        groups = (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
        state = tuple([variable.value + 0 for variable in group] for group in groups)  # donated: keep Keras' own
        copies = self._copies
        if self.whole_epochs and isinstance(batches, JaxEpoch):
            settings, order = (rates, decays), batches.order[: len(rates)]
            state, copies = self._epoch(state, copies, batches.make, batches.data, batches.states, order, settings)
        else:
            for rate, decay, batch in zip(rates, decays, batches, strict=False):
                state, copies = self._step(state, copies, batch, rate, decay)
        self._copies = copies
        for group, values in zip(groups, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)

    def averages(self) -> list[NDArray[Any]]:
        return [np.asarray(copy) for copy in self._copies]

    def set_averages(self, values: Sequence[NDArray[Any]]) -> None:
        import jax

        self._copies = [jax.numpy.asarray(value) for value in values]
