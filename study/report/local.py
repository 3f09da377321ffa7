"""Pictures of dataset images, drawn where the data is at hand and never committed: samples and confident mistakes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from study.analysis.recipes import is_leaky
from study.analysis.runs import ScoredRun, predicted
from study.core.errors import DataError
from study.core.files import write_atomically
from study.core.spec import derive_seed
from study.core.store import Store
from study.report.collect import StudyData, collect
from study.report.picture import file_name
from study.report.write import report_folder

if TYPE_CHECKING:
    from study.datasets.image_set import ImageSet

_SAMPLES_A_CLASS = 10
_MISTAKES = 40
#: Images of one group in a sheet.
MOST_IN_ROW = 12
_TILE_PX, _LINE_PX, _LINES, _GAP_PX, _APART_PX = 96, 13, 2, 6, 20
Cell = tuple[NDArray[np.uint8], str]
"""An image and its words."""


def write_local_pictures(store: Store, image_set: ImageSet, reports: str | Path) -> list[Path]:
    """Draw samples of every class and each model's most confident mistakes into ``<reports>/<study>/local/``.

    The mistakes of a model are those of its run with the best validation accuracy, on the test split.

    Returns:
        The paths written.

    Raises:
        DataError: the image set is not the one that the study was made from.
        StoreError: the study has no records, or predictions cannot be read.
    """
    data = collect(store)
    if image_set.fingerprint != data.card.fingerprint:
        raise DataError(
            f"the images must be those of the study, whose fingerprint is {data.card.fingerprint[:12]}, found "
            f"{image_set.fingerprint[:12]}: give the data that study {store.study!r} was run on."
        )
    folder = report_folder(store, reports) / "local"
    pictures = {"samples.png": _samples(image_set)}
    for model, run in _best_runs(data).items():
        probabilities = store.load_arrays(run.record).arrays["test_probabilities"]
        pictures[f"mistakes-{file_name(model)}.png"] = _mistakes(image_set, probabilities)
    for name, png in pictures.items():
        write_atomically(folder / name, png)
    return [folder / name for name in pictures]


def _best_runs(data: StudyData) -> dict[str, ScoredRun]:
    """Return each model's run with the best validation accuracy; leaky runs are left out."""
    best: dict[str, ScoredRun] = {}
    for run in sorted(data.runs, key=lambda one: -one.validation.accuracy):
        if run.on_validation and not is_leaky(run.record):
            best.setdefault(data.recipe(run.record).model, run)
    return best


def _samples(image_set: ImageSet) -> bytes:
    """Draw the same ten training images of every class each time, one row a class."""
    rng = np.random.default_rng(derive_seed(0, image_set.fingerprint, "samples"))
    train = image_set.indices("train")
    rows = []
    for label, name in enumerate(image_set.classes):
        chosen = rng.permutation(train[image_set.labels[train] == label])[:_SAMPLES_A_CLASS]
        rows.append([(image_set.images[place], "" if column else name) for column, place in enumerate(chosen)])
    return image_sheet(rows)


def _mistakes(image_set: ImageSet, probabilities: NDArray[np.floating]) -> bytes:
    """Draw the wrong answers with the highest probability, most confident first."""
    places = image_set.indices("test")
    labels, answers, confidence = image_set.labels[places], predicted(probabilities), probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:_MISTAKES]
    cells = []
    for row in worst:
        words = f"{image_set.classes[labels[row]]} as\n{image_set.classes[answers[row]]} {100 * confidence[row]:.0f} %"
        cells.append([(image_set.images[places[row]], words)])
    return image_sheet(cells)


def image_sheet(groups: list[list[Cell]]) -> bytes:
    """Draw groups of images beside and below each other as a PNG, each image with its words below it."""
    from PIL import Image, ImageDraw

    high, wide = _TILE_PX + _LINES * _LINE_PX + _GAP_PX, _TILE_PX + _GAP_PX
    width = MOST_IN_ROW * (wide + _APART_PX)
    placed: list[tuple[int, int, Cell]] = []
    left = top = 0
    for group in groups:
        if left and left + len(group) * wide > width:
            left, top = 0, top + high
        placed += [(left + place * wide, top, cell) for place, cell in enumerate(group)]
        left += len(group) * wide + _APART_PX
    sheet = Image.new("RGB", (width, top + high), "white")
    pen = ImageDraw.Draw(sheet)
    for left, top, (image, words) in placed:
        tile = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).resize((_TILE_PX, _TILE_PX))
        sheet.paste(tile, (left, top))
        pen.multiline_text((left, top + _TILE_PX), words, fill="black", spacing=0)
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG")
    return buffer.getvalue()
