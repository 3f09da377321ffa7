"""Convolutions of small images as matrix products: where a kernel holds more numbers than the images that it sees.

Deep layers see images of a few pixels and hold hundreds of channels. TensorFlow's convolution is slow there: it spends
its time on rearranging the kernel and on the padding, which is most of what a 3x3 kernel sees of 2x2 pixels. One matrix
product for each place of the kernel, over the pixels that it truly meets, does the same sums without either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from study.models.layers import leaves

#: Numbers in the kernel, for each number that an image brings in and takes out, from which matrix products are faster,
#: and pairs of channels below which they never are. Measured with 64 images on one core with AVX-512: 6x6 pixels and
#: 512 channels (64 numbers) 1.8 times as fast, 256 to 512 channels (43) 1.3, 256 channels (32) 0.85.
LEAST_NUMBERS = 40
LEAST_PAIRS = 256 * 256


def quicken_convolutions(model: Any) -> None:
    """Have a model's convolutions use matrix products wherever that pays, in float32; Keras must run on TensorFlow.

    Weights, configuration and what is saved stay those of ``keras.layers.Conv2D``.
    """
    import keras

    for layer in leaves(model):
        if type(layer) is keras.layers.Conv2D and _is_plain(layer):
            _quicken(layer)


def ordinary_convolutions(model: Any) -> None:
    """Take ``quicken_convolutions`` back, for converters: others have convolutions of their own."""
    for layer in leaves(model):
        vars(layer).pop("convolution_op", None)


def pays(height: int | None, width: int | None, kernel: tuple[int, ...]) -> bool:
    """Tell whether matrix products are faster for images of that size in pixels.

    Args:
        height: Of the images; None where it is not known.
        width: Likewise.
        kernel: Shape of the kernel: height, width, channels in, channels out.
    """
    if not height or not width:
        return False
    rows, columns, channels, filters = kernel
    numbers = height * width * (channels + filters)
    return channels * filters >= LEAST_PAIRS and rows * columns * channels * filters >= LEAST_NUMBERS * numbers


def convolve(images: Any, kernel: Any) -> Any:
    """Convolve by matrix products, with stride 1 and zeros around the images: ``tf.nn.conv2d`` but for rounding.

    Args:
        images: Tensor (n, height, width, channels); height and width are known.
        kernel: Tensor (rows, columns, channels, filters), rows and columns odd.

    Returns:
        Tensor (n, height, width, filters).
    """
    import tensorflow as tf

    height, width = images.shape[1:3]
    rows, columns, channels, filters = kernel.shape
    places = list(_places(height, width, rows, columns))
    whole = (0, height, 0, width)

    def cut(pixels: Any, box: _Box) -> Any:
        top, bottom, left, right = box
        part = pixels if box == whole else pixels[:, top:bottom, left:right]
        return tf.reshape(part, (-1, pixels.shape[-1]))

    def put(products: Any, box: _Box) -> Any:
        top, bottom, left, right = box
        pixels = tf.reshape(products, (-1, bottom - top, right - left, products.shape[-1]))
        if box == whole:
            return pixels
        return tf.pad(pixels, [[0, 0], [top, height - bottom], [left, width - right], [0, 0]])

    @tf.custom_gradient
    def product(images: Any, kernel: Any) -> Any:
        # Gradients written out: those of slices of the kernel would each be as large as the kernel.
        weights = tf.unstack(tf.reshape(kernel, (rows * columns, channels, filters)))
        seen = {place: cut(images, source) for place, source, _ in places}
        products = {place: tf.matmul(seen[place], weights[place]) for place in seen}
        outputs = tf.add_n([put(products[place], target) for place, _, target in places])

        def gradient(upstream: Any) -> tuple[Any, Any]:
            arrived = {place: cut(upstream, target) for place, _, target in places}
            brought = {place: tf.matmul(arrived[place], weights[place], transpose_b=True) for place in seen}
            of_images = tf.add_n([put(brought[place], source) for place, source, _ in places])
            unseen = tf.zeros((channels, filters), kernel.dtype)
            of_kernel = [
                tf.matmul(seen[place], arrived[place], transpose_a=True) if place in seen else unseen
                for place in range(rows * columns)
            ]
            return of_images, tf.reshape(tf.stack(of_kernel), kernel.shape)

        return outputs, gradient

    return product(images, kernel)


#: A part of an image: top, bottom, left and right, the ends not included.
_Box = tuple[int, int, int, int]


def _places(height: int, width: int, rows: int, columns: int) -> Iterator[tuple[int, _Box, _Box]]:
    """Yield the places of a kernel that meet any pixel: number, the pixels that they see and those that they write."""
    for row in range(rows):
        for column in range(columns):
            down, right = row - rows // 2, column - columns // 2
            if abs(down) < height and abs(right) < width:
                source = (*_shifted(height, down), *_shifted(width, right))
                target = (*_shifted(height, -down), *_shifted(width, -right))
                yield row * columns + column, source, target


def _shifted(size: int, by: int) -> tuple[int, int]:
    return max(by, 0), size + min(by, 0)


def _is_plain(layer: Any) -> bool:
    """Tell whether a convolution's sums are those of ``convolve``, a stride of a 1x1 kernel aside."""
    rows, columns = layer.kernel_size
    small = layer.groups == 1 and set(layer.dilation_rate) == {1} and layer.data_format == "channels_last"
    if (rows, columns) == (1, 1):
        return small
    return small and set(layer.strides) == {1} and layer.padding == "same" and rows % 2 == columns % 2 == 1


def _quicken(layer: Any) -> None:
    import tensorflow as tf

    ordinary = layer.convolution_op
    down, right = layer.strides

    def convolution_op(images: Any, kernel: Any) -> Any:
        used = images[:, ::down, ::right] if down * right > 1 else images  # a 1x1 kernel with a stride skips pixels
        weights = tf.convert_to_tensor(kernel)
        exact = images.dtype == weights.dtype == tf.float32
        if exact and pays(used.shape[1], used.shape[2], tuple(weights.shape)):
            return convolve(used, weights)
        return ordinary(images, kernel)

    layer.convolution_op = convolution_op
