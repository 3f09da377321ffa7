"""Layers that entries share: preprocessing in the graph and the classifier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: Means of ImageNet in BGR order, as keras.applications' "caffe" mode subtracts them.
CAFFE_MEANS_BGR = (103.939, 116.779, 123.68)
#: Means and standard deviations of ImageNet in RGB order on 0..1, as its "torch" mode uses them.
TORCH_MEANS = (0.485, 0.456, 0.406)
TORCH_DEVIATIONS = (0.229, 0.224, 0.225)
#: Weights of red, green and blue in grey (ITU-R BT.601).
GREY_OF_RGB = (0.299, 0.587, 0.114)


def preprocess(images: Any, family: str, side_px: int, channels: int) -> Any:
    """Turn uint8 images (n, h, w, c) into what a network of that family was trained on, inside the graph.

    Args:
        images: Keras tensor of raw pixels, 0..255.
        family: ``unit``: 0..1; ``tf``: -1..1; ``caffe``: BGR less ImageNet's means; ``torch``: ImageNet's means and
            deviations on 0..1; ``inside``: 0..255, the network rescales by itself.
        side_px: Side to resize to (bilinear, antialiased when shrinking); equal sides are left alone.
        channels: 1 or 3. Grey is repeated for three channels, colour is weighted (ITU-R BT.601) for one.
    """
    from keras import layers, ops

    # Pixels stay in float32 up to here under every precision policy: resizing in bfloat16 would lose grey levels.
    x = layers.Rescaling(1.0, dtype="float32", name="to_float")(images)
    grey = x.shape[-1] == 1
    if grey and channels == 3:
        x = layers.Concatenate(dtype="float32", name="grey_to_rgb")([x, x, x])
    elif not grey and channels == 1:
        x = ops.sum(x * ops.convert_to_tensor(GREY_OF_RGB, "float32"), axis=-1, keepdims=True)
    if (x.shape[1], x.shape[2]) != (side_px, side_px):
        shrinking = x.shape[1] > side_px or x.shape[2] > side_px
        # Resizing asks for training by default, and Keras hands that on to a body after it (its statistics move, its
        # dropout drops) wherever a model is called without saying which.
        resize = layers.Resizing(side_px, side_px, antialias=shrinking, dtype="float32", name="resize")
        x = resize(x, training=False)
    if family == "unit":
        return layers.Rescaling(1 / 255, dtype="float32", name="rescale")(x)
    if family == "tf":
        return layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32", name="rescale")(x)
    if family == "caffe":
        blue, green, red = CAFFE_MEANS_BGR
        x = x if grey else ops.flip(x, axis=-1)  # three times the same grey is its own reverse
        return layers.Rescaling(1.0, offset=[-blue, -green, -red], dtype="float32", name="rescale")(x)
    if family == "torch":
        scale = [1 / (255 * deviation) for deviation in TORCH_DEVIATIONS]
        offset = [-mean / deviation for mean, deviation in zip(TORCH_MEANS, TORCH_DEVIATIONS, strict=True)]
        return layers.Rescaling(scale, offset=offset, dtype="float32", name="rescale")(x)
    return x


def leaves(layer: Any) -> Iterator[Any]:
    """Yield the layers of a model and of the models in it, in their order; a plain layer yields itself."""
    if not hasattr(layer, "layers"):
        yield layer
        return
    for inner in layer.layers:
        yield from leaves(inner)


def classifier(x: Any, classes: int) -> Any:
    """Return class probabilities (n, classes) in float32, whatever the precision of the body."""
    from keras import layers

    return layers.Dense(classes, activation="softmax", dtype="float32", name="probabilities")(x)
