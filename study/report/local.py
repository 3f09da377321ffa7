"""Pictures of dataset images, drawn where the data is at hand and never committed: samples and confident mistakes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.recipes import is_leaky
from study.analysis.runs import ScoredRun, predicted
from study.core.errors import DataError
from study.core.files import write_atomically
from study.core.spec import derive_seed
from study.core.store import Store
from study.report.collect import StudyData, collect
from study.report.figures.picture import file_name, new_figure
from study.report.write import report_folder

if TYPE_CHECKING:
    from study.datasets.image_set import ImageSet

_SAMPLES_A_CLASS = 10
_MISTAKES = 40


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
    for run in data.runs:
        model = data.recipe(run.record).model
        if (
            run.on_validation
            and not is_leaky(run.record)
            and (model not in best or run.validation.accuracy > best[model].validation.accuracy)
        ):
            best[model] = run
    return best


def _samples(image_set: ImageSet) -> bytes:
    """Draw the same ten training images of every class each time, one row a class."""
    rng = np.random.default_rng(derive_seed(0, image_set.fingerprint, "samples"))
    train = image_set.indices("train")
    rows = []
    for label, name in enumerate(image_set.classes):
        found = train[image_set.labels[train] == label]
        chosen = rng.permutation(found)[:_SAMPLES_A_CLASS]
        rows.append([(image_set.images[place], name if column == 0 else "") for column, place in enumerate(chosen)])
    return _grid(rows, _SAMPLES_A_CLASS)


def _mistakes(image_set: ImageSet, probabilities: NDArray[np.floating]) -> bytes:
    """Draw the wrong answers with the highest probability, most confident first."""
    places = image_set.indices("test")
    labels = image_set.labels[places]
    answers = predicted(probabilities)
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:_MISTAKES]
    cells = []
    for row in worst:
        words = f"{image_set.classes[labels[row]]} as\n{image_set.classes[answers[row]]} {100 * confidence[row]:.0f} %"
        cells.append((image_set.images[places[row]], words))
    return _grid([cells[start : start + 8] for start in range(0, len(cells), 8)], 8)


def _grid(rows: list[list[tuple[NDArray[np.uint8], str]]], columns: int) -> bytes:
    """Draw images in rows, each with its words above."""
    figure = new_figure(1.3 * max(1, len(rows)))
    grid: Any = figure.subplots(max(1, len(rows)), columns, squeeze=False)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.94, bottom=0.01, wspace=0.08, hspace=0.42)
    for axes in grid.flat:
        axes.set_axis_off()
    for row, cells in enumerate(rows):
        for column, (image, words) in enumerate(cells):
            grid[row, column].imshow(
                image.squeeze(-1) if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255
            )
            grid[row, column].set_title(words, fontsize=8, pad=2)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
