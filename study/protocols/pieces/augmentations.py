"""Augmentations: a random warp, jitter of the crop, holes, and mixtures of two images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from study.protocols.affine import RandomAffine
from study.protocols.piece import AUGMENTATIONS, Augmentation

#: Grey that holes are filled with: the middle of the range, so that a hole is no feature of its own.
GREY = 127.5

Change = Callable[[Any, Any], tuple[Any, Any]]


@AUGMENTATIONS.register("affine")
class Affine(Augmentation, frozen=True):
    """Mirror, rotation, shift and zoom as one warp, so that an image is interpolated only once."""

    flip: bool = False  #: Mirror left to right with probability one half.
    rotation_degrees: float = 0.0  #: Largest rotation, either way.
    translation: float = 0.0  #: Largest shift in each direction, as a share of the side.
    zoom: float = 0.0  #: Largest change of size, as a share; both axes alike.
    probability: float = 1.0  #: Of rotation, shift and zoom, each for itself.

    def change(self) -> Change:
        """Return the warp."""
        warp = RandomAffine(
            flip=self.flip,
            rotation_degrees=self.rotation_degrees,
            translation=self.translation,
            zoom=self.zoom,
            probability=self.probability,
        )
        return OnImages(warp, [warp.seed_generator])


@AUGMENTATIONS.register("jitter")
class Jitter(Augmentation, frozen=True):
    """A shift by whole pixels, without interpolation: the jitter of the crop that a network takes of its input."""

    pixels: int = 4  #: Largest shift in each direction, at 48 pixels; at other sides in proportion.

    def change(self) -> Change:
        """Return the shift."""
        return _Jitter(self.pixels)


@AUGMENTATIONS.register("cutout")
class Cutout(Augmentation, frozen=True):
    """A square hole (DeVries and Taylor 2017, arXiv:1708.04552): KerasCV's on TensorFlow, the same hole elsewhere."""

    side: float = 0.25  #: Side of the hole, as a share of the image's.
    probability: float = 1.0  #: Of a hole.

    def change(self) -> Change:
        """Return the change."""
        import keras

        build = _kerascv_cutout if keras.backend.backend() == "tensorflow" else KerasCutout
        return Sometimes(build(self.side), self.probability)


@AUGMENTATIONS.register("erasing")
class Erasing(Augmentation, frozen=True):
    """A rectangular hole of random size (Zhong et al. 2020, arXiv:1708.04896)."""

    least: float = 0.125  #: Smallest side of the rectangle, as a share of the image's.
    most: float = 0.42  #: Largest side, likewise.
    probability: float = 0.5  #: Of a hole.

    def change(self) -> Change:
        """Return the change."""
        return Sometimes(_Rectangle(self.least, self.most), self.probability)


@AUGMENTATIONS.register("mixup")
class Mixup(Augmentation, frozen=True):
    """Sums of two images and of their labels (Zhang et al. 2018, arXiv:1710.09412); Keras' layer."""

    changes_labels: ClassVar[bool] = True
    alpha: float = 0.2  #: Of the beta distribution that the shares are drawn from.

    def change(self) -> Change:
        """Return the change."""
        from keras import layers

        return _Mixture(layers.MixUp(alpha=self.alpha, seed=1))


@AUGMENTATIONS.register("cutmix")
class CutMix(Augmentation, frozen=True):
    """A rectangle of one image in another, labels by area (Yun et al. 2019, arXiv:1905.04899); Keras' layer."""

    changes_labels: ClassVar[bool] = True
    factor: float = 1.0  #: Of the beta distribution that the areas are drawn from.

    def change(self) -> Change:
        """Return the change."""
        from keras import layers

        return _Mixture(layers.CutMix(factor=self.factor, seed=1))


class OnImages:
    """A change of images that leaves labels alone.

    Args:
        layer: ``images -> images``, float32 (n, height, width, channels).
        generators: What it draws from.
    """

    def __init__(self, layer: Callable[[Any], Any], generators: list[Any]) -> None:
        self.layer = layer
        self.generators = generators

    def __call__(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """Change a batch."""
        return self.layer(images), labels


class Sometimes:
    """Apply a layer to each image with a probability.

    Args:
        layer: ``images -> images`` with ``generators``, or a KerasCV layer.
        probability: From 0 to 1.
    """

    def __init__(self, layer: Any, probability: float) -> None:
        import keras

        self.layer = layer
        self.probability = probability
        own = keras.random.SeedGenerator(1)
        inner = getattr(layer, "generators", None) or [layer._random_generator]
        self.generators = [own, *inner]

    def __call__(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """Change a batch."""
        import keras

        changed = self.layer(images, training=True)
        count = keras.ops.shape(images)[0]
        chosen = keras.random.uniform((count, 1, 1, 1), seed=self.generators[0]) < self.probability
        return keras.ops.where(chosen, changed, images), labels


def _kerascv_cutout(side: float) -> Any:
    import keras_cv

    return keras_cv.layers.RandomCutout((side, side), (side, side), fill_mode="constant", fill_value=GREY, seed=1)


class KerasCutout:
    """KerasCV's cutout in plain Keras: a square hole around a random pixel, cut off at the border.

    Args:
        side: Side of the hole, as a share of the image's.
    """

    def __init__(self, side: float) -> None:
        import keras

        self.side = side
        self.generators = [keras.random.SeedGenerator(1)]

    def __call__(self, x: Any, training: bool = True) -> Any:
        """Return images with a hole each."""
        from keras import ops, random

        count, (height, width) = ops.shape(x)[0], x.shape[1:3]
        places = []
        for length in (height, width):
            size = round(self.side * length)
            first = random.randint((count, 1), 0, length, seed=self.generators[0]) - size // 2
            places.append((first, size))
        return _with_hole(x, *places[0], *places[1])


class _Rectangle:
    """A rectangle of random size inside the image."""

    def __init__(self, least: float, most: float) -> None:
        import keras

        self.least, self.most = least, most
        self.generators = [keras.random.SeedGenerator(1)]

    def __call__(self, x: Any, training: bool = True) -> Any:
        """Return images with a hole each."""
        from keras import ops, random

        count, (height, width) = ops.shape(x)[0], x.shape[1:3]
        places = []
        for length in (height, width):
            sizes = random.uniform((count, 1), self.least, self.most, seed=self.generators[0]) * length
            size = ops.cast(ops.round(sizes), "int32")
            share = random.uniform((count, 1), 0.0, 1.0, seed=self.generators[0])
            first = ops.cast(ops.floor(share * ops.cast(length - size + 1, "float32")), "int32")
            places.append((first, size))
        return _with_hole(x, *places[0], *places[1])


def _with_hole(x: Any, top: Any, height: Any, left: Any, width: Any) -> Any:
    """Return images with a grey rectangle; top, left and sizes are whole numbers, (n, 1) or one for all."""
    from keras import ops

    rows, columns = ops.arange(x.shape[1]), ops.arange(x.shape[2])
    down = ops.logical_and(rows >= top, rows < top + height)
    across = ops.logical_and(columns >= left, columns < left + width)
    hole = ops.logical_and(ops.expand_dims(down, 2), ops.expand_dims(across, 1))
    return ops.where(ops.expand_dims(hole, -1), GREY, x)


class _Jitter:
    """Shift each image by whole pixels; edges are repeated."""

    def __init__(self, pixels: int) -> None:
        import keras

        self.pixels = pixels
        self.generators = [keras.random.SeedGenerator(1)]

    def __call__(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """Change a batch."""
        from keras import ops, random

        count, (height, width) = ops.shape(images)[0], images.shape[1:3]
        x = images
        for axis, length in ((1, height), (2, width)):
            most = round(self.pixels * length / 48)
            shift = random.randint((count, 1), -most, most + 1, seed=self.generators[0])
            rows = ops.clip(ops.expand_dims(ops.arange(length), 0) + shift, 0, length - 1)
            # A product with one-hot rows gathers whole pixels on every backend; take_along_axis is slow on some.
            picked = ops.one_hot(rows, length, dtype=x.dtype)
            equation = "nij,njwc->niwc" if axis == 1 else "nij,nhjc->nhic"
            x = ops.einsum(equation, picked, x)
        return x, labels


class _Mixture:
    """Keras' mixing layers with images and labels as the dictionary they take.

    Keras' own, since KerasCV's draw from generators that cannot be reseeded for an epoch.
    """

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.generators = [layer.generator]

    def __call__(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """Change a batch."""
        mixed = self.layer({"images": images, "labels": labels}, training=True)
        return mixed["images"], mixed["labels"]
