"""Panels that show where a network looked: right and wrong answers of each class under their Grad-CAM maps."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.runs import predicted
from study.core.files import write_atomically
from study.core.spec import derive_seed
from study.report.picture import file_name, new_figure
from study.trained.gradcam import GradCam
from study.trained.images import Foreign

#: Examples of a class in a row.
EXAMPLES = 6
#: How much of the picture the hottest place covers.
OPACITY = 0.6
#: One row of a panel: its words at the left, and each picture (h, w, 3) in 0..1 with the words above it.
Row = tuple[str, list[tuple[NDArray[np.float64], str]]]
_CELL_IN = 1.42
_MARGIN_IN = 1.0


def write_panels(
    cam: GradCam,
    foreign: Foreign,
    probabilities: NDArray[np.float32],
    classes: Sequence[str],
    folder: Path,
    name: str,
    head: Sequence[str],
    seed: int = 0,
) -> list[Path]:
    """Draw one panel for each class that has images into the folder and return the paths written.

    Probabilities are float32 (n, classes), the network's answers to the images; ``name`` starts the file names, and
    ``head`` has the first lines of the titles. The same seed chooses the same examples.
    """
    answers = predicted(probabilities)
    written = []
    for label, title in enumerate(classes):
        members = np.flatnonzero(foreign.labels == label)
        if not len(members):
            continue
        rng = np.random.default_rng(derive_seed(seed, name, title))
        right, wrong = members[answers[members] == label], members[answers[members] != label]
        chosen = [rng.permutation(places)[:EXAMPLES] for places in (right, wrong)]
        rows = [row for places in chosen for row in _rows(cam, foreign, probabilities, classes, places)]
        facts = f"{title}: {len(right):,} of {len(members):,} images right, examples chosen at random."
        path = folder / f"{file_name(f'{name}-{title}')}.png"
        write_atomically(path, _png(rows, [*head, facts]))
        written.append(path)
    return written


def overlaid(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return an image uint8 (h, w, 1 or 3) under a heat map (rows, columns) in 0..1, as colours (h, w, 3) in 0..1."""
    import cv2
    import matplotlib

    height, width = image.shape[:2]
    smooth = np.clip(cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR), 0.0, 1.0)
    colours = matplotlib.colormaps["inferno"](smooth)[..., :3]
    cover = OPACITY * smooth[..., np.newaxis]
    return np.asarray((1 - cover) * _colours(image) + cover * colours)


def _rows(
    cam: GradCam, foreign: Foreign, probabilities: NDArray[Any], classes: Sequence[str], places: NDArray[Any]
) -> list[Row]:
    """Return the rows of some images that are all right, or all wrong: those have a map for the label too."""
    if not len(places):
        return []
    images, labels, shares = foreign.images[places], foreign.labels[places], probabilities[places]
    answers = predicted(shares)

    def cells(about: NDArray[np.int64]) -> list[tuple[NDArray[np.float64], str]]:
        return [
            (overlaid(image, heat), f"{classes[label]} {100 * share[label]:.0f} %")
            for image, heat, label, share in zip(images, cam(images, about), about, shares, strict=True)
        ]

    right = bool((answers == labels).all())
    rows = [("right" if right else "wrong", [(_colours(image), "") for image in images])]
    rows.append(("speaks for\nits answer", cells(answers)))
    return rows if right else [*rows, ("speaks for\nthe label", cells(labels))]


def _colours(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.repeat(image, 3, axis=-1) / 255.0 if image.shape[-1] == 1 else image / 255.0


def _png(rows: Sequence[Row], lines: Sequence[str]) -> bytes:
    top = 0.3 + 0.22 * len(lines)
    height = _CELL_IN * len(rows) * 1.12 + top
    width = _MARGIN_IN + _CELL_IN * EXAMPLES
    figure = new_figure(height, width)
    for number, line in enumerate(lines):
        weight = "normal" if number else "bold"
        figure.text(0.012, 1 - (0.12 + 0.22 * number) / height, line, va="top", fontsize=9.5, fontweight=weight)
    grid: Any = figure.subplots(len(rows), EXAMPLES, squeeze=False)
    figure.subplots_adjust(
        left=_MARGIN_IN / width, right=0.99, top=1 - top / height, bottom=0.01, wspace=0.05, hspace=0.16
    )
    for axes in grid.flat:
        axes.set_axis_off()
    for cells, (title, pictures) in zip(grid, rows, strict=True):
        box = cells[0].get_position()
        figure.text(0.012, (box.y0 + box.y1) / 2, title, va="center", fontsize=9)
        for axes, (picture, words) in zip(cells, pictures, strict=False):
            axes.imshow(picture, interpolation="nearest")
            axes.set_title(words, fontsize=8, pad=2)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
