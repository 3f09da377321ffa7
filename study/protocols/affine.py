"""Mirroring, rotation, shift and zoom of a batch as one warp, so that an image is interpolated only once."""

from __future__ import annotations

import math
from typing import Any

#: Borders repeat the edge: faces are cropped tightly, and black wedges would tell the angle away.
FILL_MODE = "nearest"


class RandomAffine:
    """A random affine map for each image of a batch.

    Chained layers interpolate every time and leave training images visibly blurred beside sharp test images; one warp
    also costs a third of three.

    Args:
        flip: Mirror left to right with probability one half.
        rotation_degrees: Largest rotation, either way.
        translation: Largest shift in each direction, as a share of the side.
        zoom: Largest change of size, as a share; both axes alike.
        probability: Of rotation, shift and zoom, each for itself.
    """

    def __init__(
        self, *, flip: bool, rotation_degrees: float, translation: float, zoom: float, probability: float = 1.0
    ) -> None:
        import keras

        self.flip = flip
        self.rotation = math.radians(rotation_degrees)
        self.translation = translation
        self.zoom = zoom
        self.probability = probability
        self.seed_generator = keras.random.SeedGenerator(1)

    def __call__(self, images: Any, training: bool = True) -> Any:
        """Return changed images; ``images`` is float32 (n, height, width, channels)."""
        from keras import ops

        height, width = images.shape[1:3]
        return ops.image.affine_transform(
            images,
            self._maps(ops.shape(images)[0], height, width),
            interpolation="bilinear",
            fill_mode=FILL_MODE,
            data_format="channels_last",
        )

    def _maps(self, count: Any, height: int, width: int) -> Any:
        """Return (n, 8) rows: where a pixel of the result is read, x' = a0 x + a1 y + a2, y' = b0 x + b1 y + b2."""
        from keras import ops, random

        numbers = random.uniform((5, count), -1.0, 1.0, seed=self.seed_generator)
        if self.probability < 1:
            chosen = random.uniform((3, count), 0.0, 1.0, seed=self.seed_generator) < self.probability
            rotated, zoomed, shifted = chosen[0], chosen[1], chosen[2]
            applied = [rotated, zoomed, ops.ones_like(zoomed), shifted, shifted]
            numbers = ops.where(ops.stack(applied), numbers, 0.0)
        angle = numbers[0] * self.rotation
        scale = 1.0 / (1.0 + numbers[1] * self.zoom)
        mirror = ops.where(numbers[2] < 0, -1.0, 1.0) if self.flip else ops.ones_like(angle)
        shift_x, shift_y = numbers[3] * self.translation * width, numbers[4] * self.translation * height
        cosine, sine = ops.cos(angle) * scale, ops.sin(angle) * scale
        a0, a1, b0, b1 = cosine * mirror, -sine, sine * mirror, cosine
        centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
        a2 = centre_x - a0 * centre_x - a1 * centre_y + shift_x
        b2 = centre_y - b0 * centre_x - b1 * centre_y + shift_y
        zero = ops.zeros_like(angle)
        return ops.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1)
