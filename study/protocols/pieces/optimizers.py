"""Optimizers: Keras' own, Adam through TensorFlow's kernel, and SGD with weight decay on kernels alone."""

from __future__ import annotations

from typing import Any

from study.protocols.piece import OPTIMIZERS, Optimizer


@OPTIMIZERS.register("adam")
class Adam(Optimizer, frozen=True):
    """Adam with Keras' own defaults (Kingma and Ba 2015, arXiv:1412.6980)."""

    def build(self, rate: float) -> Any:
        """Return Adam, by TensorFlow's fused kernel where that is used."""
        from study.models.fast.adam import adam

        return adam(learning_rate=rate)


@OPTIMIZERS.register("adamw")
class AdamW(Optimizer, frozen=True):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

    weight_decay: float = 0.004

    def build(self, rate: float) -> Any:
        """Return Keras' optimizer."""
        from keras import optimizers

        return optimizers.AdamW(rate, weight_decay=self.weight_decay)


@OPTIMIZERS.register("rmsprop")
class RMSprop(Optimizer, frozen=True):
    """RMSprop (Hinton, Coursera lecture 6e, 2012)."""

    def build(self, rate: float) -> Any:
        """Return Keras' optimizer."""
        from keras import optimizers

        return optimizers.RMSprop(rate)


@OPTIMIZERS.register("sgd")
class SGD(Optimizer, frozen=True):
    """Stochastic gradient descent with momentum (Sutskever et al. 2013, ICML)."""

    momentum: float = 0.0  #: Share of the last step that is kept.
    nesterov: bool = False  #: Whether the gradient is taken ahead.
    #: Weight decay, added to the gradients of kernels alone (L2 regularisation without biases and normalisation, He et
    #: al. 2019, arXiv:1812.01187, section 3.1).
    kernel_decay: float = 0.0

    def build(self, rate: float) -> Any:
        """Return Keras' optimizer, or one of the same kind that decays kernels."""
        from keras import optimizers

        if not self.kernel_decay:
            return optimizers.SGD(rate, momentum=self.momentum, nesterov=self.nesterov)
        return _decaying_sgd(self.kernel_decay)(rate, momentum=self.momentum, nesterov=self.nesterov, name="sgd")


def is_kernel(path: str) -> bool:
    """Return whether a variable of that path is a kernel: the weights of a convolution or of a dense layer."""
    return path.rpartition("/")[2] in ("kernel", "depthwise_kernel", "pointwise_kernel")


def _decaying_sgd(decay: float) -> Any:
    import keras

    class DecayingSGD(keras.optimizers.SGD):
        """keras.optimizers.SGD whose gradients of kernels have the decay's added."""

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            """Update one variable; on TensorFlow it comes without its path."""
            known = self._trainable_variables[self._get_variable_index(variable)]
            if is_kernel(known.path):
                value = keras.ops.convert_to_tensor(variable)
                gradient = gradient + keras.ops.cast(decay, gradient.dtype) * keras.ops.cast(value, gradient.dtype)
            super().update_step(gradient, variable, learning_rate)

    return DecayingSGD
