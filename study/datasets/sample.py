"""Drawing a sample grid: some training images of every class, to look at before anything is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from study.core.errors import DataError
from study.core.spec import derive_seed
from study.datasets.image_set import ImageSet

_TILE_INCHES = 0.75


def write_samples(data: ImageSet, path: Path, per_class: int = 12, seed: int = 0) -> Path:
    """Write a PNG with one row of training images for each class and return its path; folders are made.

    The images of a row are drawn without repeats; rows of small classes are shorter.

    Raises:
        DataError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    train = data.indices("train")
    counts = data.counts()["train"]
    figure = Figure(
        figsize=(1.6 + per_class * _TILE_INCHES, 0.5 + len(data.classes) * _TILE_INCHES), layout="compressed"
    )
    axes = figure.subplots(len(data.classes), per_class, squeeze=False)
    for label, (name, row) in enumerate(zip(data.classes, axes, strict=True)):
        rng = np.random.default_rng(derive_seed(seed, "samples", name))
        chosen = rng.permutation(train[data.labels[train] == label])[:per_class]
        for axis in row:
            axis.set_axis_off()
        for axis, index in zip(row, chosen, strict=False):
            image = data.images[index]
            axis.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
        row[0].text(
            -0.2, 0.5, f"{name}\n{counts[label]:,}", transform=row[0].transAxes, ha="right", va="center", fontsize=9
        )
    figure.suptitle(f"{data.name}: training images of each class, and how many there are", fontsize=10)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120, format="png")
    except OSError as error:
        raise DataError(
            f"{path}: expected a place to write the samples to, found: {error.strerror}. Use --out."
        ) from error
    return path
