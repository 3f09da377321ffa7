"""Residual networks for small images, of two convolutions a block (He et al. 2016, arXiv:1512.03385)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Share of the side that is cut off at each edge: what shifted views show of an image (40 of 48 px).
MARGIN = 1 / 12


def residual_network(images: Any, classes: int, widths: Sequence[int], dropout: float = 0.3) -> Any:
    """Return class probabilities of a network with a stage of two blocks for each width; each halves the one before.

    A block is convolution - BatchNorm - ReLU - convolution - BatchNorm, 3x3, plus its input, then ReLU. Where the width
    changes, the input is averaged over 2x2 pixels and passes a 1x1 convolution. Kernels start as He et al. 2015
    (arXiv:1502.01852) derive for ReLU.

    Args:
        images: Keras tensor (n, side, side, channels); its centre is cut out first, five sixths of the side.
        classes: Number of classes.
        widths: Channels of each stage.
        dropout: Share of the averaged features that are dropped in training.
    """
    from keras import layers

    from study.models.fast.normalization import batch_normalization
    from study.models.layers import classifier

    def convolution(x: Any, width: int, side: int = 3, stride: int = 1) -> Any:
        layer = layers.Conv2D(
            width, side, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal"
        )
        return batch_normalization(layer(x))

    x = layers.Cropping2D(round(images.shape[1] * MARGIN))(images)
    x = layers.ReLU()(convolution(x, widths[0]))
    for stage, width in enumerate(widths):
        for block in range(2):
            stride = 2 if stage and not block else 1
            y = layers.ReLU()(convolution(x, width, stride=stride))
            y = convolution(y, width)
            if stride == 2:
                x = convolution(layers.AveragePooling2D(2, padding="same")(x), width, side=1)
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    return classifier(x, classes)
