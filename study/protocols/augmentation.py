"""Augmentation: batched random changes of training images; cutout is KerasCV's on TensorFlow, a twin elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from study.core.spec import derive_seed
from study.protocols.affine import RandomAffine

#: Grey that cutout fills with: the middle of the range, so that a hole is no feature of its own.
CUTOUT_GREY = 127.5
MIXUP_ALPHA = 0.2
CUTMIX_FACTOR = 1.0


class Augmentation:
    """Random changes of a batch, reseeded by name so that an epoch needs no generator state of the one before.

    Args:
        settings: A resolved protocol's ``augmentation``: ``flip`` (bool), ``rotation_degrees`` (+/-), ``translation``
            (+/- share of
            the side), ``zoom`` (+/- share), ``cutout_side`` (share of the side), ``cutout_probability``.
        mix: ``none``, ``mixup`` or ``cutmix``.
        cutout: ``kerascv`` or ``keras``.
    """

    def __init__(self, settings: Mapping[str, Any], mix: str, cutout: str) -> None:
        self.layers = _layers(settings, cutout)
        self.mixer = _mixer(mix)
        changing = [*self.layers, *([self.mixer] if self.mixer else [])]
        self._resets = [_reset_of(layer) for layer in changing]
        #: States of Keras' own generators, for backends whose compiled functions take and return them.
        self.states = [
            generator.state for layer in changing for generator in _generators(layer) if _is_kerass(generator)
        ]

    def reseed(self, seed: int, epoch: int) -> None:
        """Set every layer's generator from the run's seed and the epoch."""
        for number, reset in enumerate(self._resets):
            reset(derive_seed(seed, "augment", epoch, number))

    def __call__(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """Change a batch.

        Args:
            images: uint8 (n, height, width, channels).
            labels: float32 (n, classes), one-hot.

        Returns:
            uint8 images rounded to whole grey levels (what a camera would give) and labels, mixed where ``mix`` says
            so.
        """
        from keras import ops

        x = ops.cast(images, "float32")
        for layer in self.layers:
            x = layer(x, training=True)
        if self.mixer is not None:
            x, labels = self.mixer(x, labels)
        return ops.cast(ops.clip(ops.round(x), 0, 255), "uint8"), labels


def _layers(settings: Mapping[str, Any], cutout: str) -> list[Any]:
    layers: list[Any] = []
    affine = {
        "flip": bool(settings.get("flip")),
        "rotation_degrees": float(settings.get("rotation_degrees", 0.0)),
        "translation": float(settings.get("translation", 0.0)),
        "zoom": float(settings.get("zoom", 0.0)),
    }
    if any(affine.values()):
        layers.append(RandomAffine(**affine))  # type: ignore[arg-type]
    if side := settings.get("cutout_side"):
        build = _kerascv_cutout if cutout == "kerascv" else _KerasCutout
        layers.append(_Sometimes(build(side), float(settings.get("cutout_probability", 1.0))))
    return layers


def _kerascv_cutout(side: float) -> Any:
    import keras_cv

    return keras_cv.layers.RandomCutout(
        (side, side), (side, side), fill_mode="constant", fill_value=CUTOUT_GREY, seed=1
    )


class _KerasCutout:
    """The plain-Keras twin: a square hole around a random pixel, cut off at the border."""

    def __init__(self, side: float) -> None:
        import keras

        self.side = side
        self.generator = keras.random.SeedGenerator(1)

    def __call__(self, x: Any, training: bool) -> Any:
        from keras import ops, random

        count, (height, width) = ops.shape(x)[0], x.shape[1:3]
        hole = ops.ones((count, height, width), "bool")
        for axis, length in ((1, height), (2, width)):
            size = round(self.side * length)
            first = random.randint((count, 1), 0, length, seed=self.generator) - size // 2
            inside = ops.logical_and(ops.arange(length) >= first, ops.arange(length) < first + size)
            hole = ops.logical_and(hole, ops.expand_dims(inside, 2 if axis == 1 else 1))
        return ops.where(ops.expand_dims(hole, -1), CUTOUT_GREY, x)


def _mixer(mix: str) -> _Mixer | None:
    """Return the mixing layer. Keras' own: KerasCV's draw from generators that cannot be reseeded for an epoch."""
    from keras import layers

    if mix == "mixup":
        return _Mixer(layers.MixUp(alpha=MIXUP_ALPHA, seed=1))
    if mix == "cutmix":
        return _Mixer(layers.CutMix(factor=CUTMIX_FACTOR, seed=1))
    return None


class _Sometimes:
    """Apply a layer to each image with a probability."""

    def __init__(self, layer: Any, probability: float) -> None:
        import keras

        self.layer = layer
        self.probability = probability
        self.seed_generator = keras.random.SeedGenerator(1)

    def __call__(self, x: Any, training: bool) -> Any:
        import keras

        changed = self.layer(x, training=training)
        chosen = keras.random.uniform((keras.ops.shape(x)[0], 1, 1, 1), seed=self.seed_generator) < self.probability
        return keras.ops.where(chosen, changed, x)


class _Mixer:
    """Give Keras' mixing layers images and labels as the dictionary they take."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def __call__(self, images: Any, labels: Any) -> tuple[Any, Any]:
        mixed = self.layer({"images": images, "labels": labels}, training=True)
        return mixed["images"], mixed["labels"]


def _reset_of(layer: Any) -> Callable[[int], None]:
    """Return what reseeds a layer: KerasCV's use TensorFlow's generator, Keras' their own, wrappers hold both."""
    resets = []
    for generator in _generators(layer):
        if _is_kerass(generator):
            resets.append(lambda seed, state=generator.state: state.assign([seed, 0]))
        elif hasattr(generator, "reset_from_seed"):
            resets.append(generator.reset_from_seed)
    if not resets:
        raise TypeError(
            f"{type(layer).__name__} has no generator that can be reseeded: this KerasCV version is not known."
        )

    def reset(seed: int) -> None:
        for number, one in enumerate(resets):
            one(derive_seed(seed, number))

    return reset


def _generators(layer: Any) -> list[Any]:
    """Return what a layer, and the one inside it, draw from, in a fixed order."""
    names = ("_random_generator", "seed_generator", "generator")
    found = [getattr(part, name, None) for part in (layer, getattr(layer, "layer", None)) for name in names]
    return [generator for generator in found if generator is not None]


def _is_kerass(generator: Any) -> bool:
    return hasattr(generator, "state") and not hasattr(generator, "reset_from_seed")
