"""Adam through TensorFlow's own kernel: one pass over each variable where Keras' optimizer takes a dozen."""

from __future__ import annotations

import functools
from typing import Any

from study.models.fast import ADAM, used


@functools.cache
def fused_class() -> Any:
    """Return the optimizer class; Keras must run on TensorFlow."""
    import keras
    import tensorflow as tf

    class FusedAdam(keras.optimizers.Adam):
        """keras.optimizers.Adam with the same variables, settings and updates."""

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            """Update a variable and its moments; falls back to Keras' own path for AMSGrad."""
            if self.amsgrad:
                super().update_step(gradient, variable, learning_rate)
                return
            index = self._get_variable_index(variable)
            target, first, second = (
                one.value if isinstance(one, keras.Variable) else one
                for one in (variable, self._momentums[index], self._velocities[index])
            )
            kind = target.dtype
            step = tf.cast(tf.convert_to_tensor(self.iterations), kind) + 1
            beta_1, beta_2 = tf.constant(self.beta_1, kind), tf.constant(self.beta_2, kind)
            tf.raw_ops.ResourceApplyAdam(
                var=target.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=beta_1**step,
                beta2_power=beta_2**step,
                lr=tf.cast(learning_rate, kind),
                beta1=beta_1,
                beta2=beta_2,
                epsilon=tf.constant(self.epsilon, kind),
                grad=tf.cast(gradient, kind),
            )

    return FusedAdam


def adam(**settings: Any) -> Any:
    """Return Adam under Keras' name: by the fused kernel where that is used, by Keras' own elsewhere."""
    import keras

    kind = fused_class() if used(ADAM) else keras.optimizers.Adam
    return kind(name="adam", **settings)
