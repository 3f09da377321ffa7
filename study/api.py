"""The Python API: a study's results as pandas tables, and the emotions in a picture. Reached as ``study.load`` etc."""

from __future__ import annotations

from functools import cached_property, lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from study.analysis.recipes import Recipe
from study.analysis.runs import ScoredRun
from study.analysis.scores import NETWORK, RECIPE, Measure
from study.analysis.statistics import Statistics
from study.core.errors import UsageError, unknown_name
from study.core.store import rows_of
from study.report.collect import StudyData, collect
from study.report.sections.leaderboard import leaderboard_table
from study.report.sections.reproduce import run_keys_table
from study.trained.winner import fitting, open_study

if TYPE_CHECKING:
    import numpy as np
    import pandas
    from numpy.typing import NDArray
    from PIL import Image

    from study.core.store import Store
    from study.trained.runtime import Runtime

#: What two recipes are compared by, before the recall of each class.
COMPARED = ("accuracy", "balanced_accuracy", "macro_f1")


def load(name: str | None = None, results: str | Path = "results") -> Study:
    """Open a study's results: NAME of one made here, ``published/NAME``, or the newest one with a trained network.

    Raises:
        UsageError: there is no such study; close names are suggested.
    """
    return Study(open_study(results, name))


class Study:
    """A study's results as tables; it is read once, when the first table is asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def name(self) -> str:
        """The study's name, as commands take it."""
        return self._store.study

    @property
    def classes(self) -> list[str]:
        """Class names in label order."""
        return self._data.classes

    @cached_property
    def _data(self) -> StudyData:
        return collect(self._store)

    @property
    def _found(self) -> Statistics:
        if self._data.found is None:
            raise UsageError(f"study {self.name} has no finished run yet, so there are no scores to show.")
        return self._data.found

    def leaderboard(self) -> pandas.DataFrame:
        """Return the report's leaderboard: a row per recipe, best validation accuracy first; scores from 0 to 1."""
        return leaderboard_table(self._data, self._found).frame()

    def runs(self) -> pandas.DataFrame:
        """Return every run with its recipe, seed, status, scores and origin."""
        frame, records = run_keys_table(self._data).frame(), self._data.records
        frame["model"] = [self._data.recipe(record).model for record in records]
        frame["protocol"] = [self._data.recipe(record).protocol for record in records]
        frame["seed"] = [record.spec.seed for record in records]
        first = ["key", "model", "protocol", "seed", "status"]
        return frame[[*first, *(name for name in frame if name not in first)]]

    def predictions(self, run: str, split: str = "test") -> pandas.DataFrame:
        """Return one run's answer to every image of the ``test`` or ``validation`` split, in the dataset's order.

        ``run`` is a key, or a part of it that fits one run only. Columns are ``image`` (its id, where the study knows
        it), ``label``, ``predicted``, ``correct``, and the probability of each class in ``p_<class>``.
        """
        import numpy as np
        import pandas

        if split not in ("test", "validation"):
            raise unknown_name("split", split, ("test", "validation"))
        arrays = self._run(run).record.arrays
        if f"{split}_probabilities" not in arrays:
            raise UsageError(f"{run} has no predictions on the {split} split: they were imported without.")
        labels, probabilities = arrays[f"{split}_labels"], arrays[f"{split}_probabilities"]
        names = np.array(self.classes, dtype=object)
        answers = probabilities.argmax(axis=1)
        columns = {
            "image": self._images(arrays, split, labels),
            "label": names[labels],
            "predicted": names[answers],
            "correct": answers == labels,
            **{f"p_{name}": probabilities[:, place] for place, name in enumerate(self.classes)},
        }
        return pandas.DataFrame(columns)

    def confusion(self, run: str, split: str = "test") -> pandas.DataFrame:
        """Return one run's confusion matrix: counts of images, rows true and columns predicted classes.

        ``run`` and ``split`` are as for ``predictions``.
        """
        import pandas

        scored = self._run(run)
        counts = {"test": scored.test, "validation": scored.validation}
        if split not in counts:
            raise unknown_name("split", split, counts)
        index, columns = pandas.Index(self.classes, name="true"), pandas.Index(self.classes, name="predicted")
        return pandas.DataFrame(counts[split].confusion, index=index, columns=columns)

    def compare(self, a: str, b: str) -> pandas.DataFrame:
        """Return how two recipes, or two networks, differ on the test split: ``a`` less ``b``.

        Each is a recipe as ``model/protocol``, or the key of a run, or a part of one that fits a single run. With
        recipes of at least three seeds on both sides the statement is about the recipes (new seeds, new images), else
        about the trained networks (new images).

        A row per metric: accuracy, balanced accuracy, macro-F1, then each class's recall. ``low`` and ``high`` are the
        95 % interval of the difference; ``p_value`` is not corrected for the number of rows.
        """
        import pandas

        scores = self._found.scores
        first, second = self._side(a), self._side(b)
        recipes = [one for one in (first, second) if isinstance(one, Recipe) and scores.has_seeds(one)]
        about = RECIPE if len(recipes) == 2 and first != second else NETWORK
        measures = [Measure(name) for name in COMPARED]
        measures += [Measure("recall", place) for place in range(len(self.classes))]
        rows = []
        for measure in measures:
            if about == RECIPE:
                sides = [scores.score(recipe, measure) for recipe in recipes]
                found = scores.recipe_contrast({recipes[0]: 1.0, recipes[1]: -1.0}, measure)
            else:
                networks = [scores.recipes[one] if isinstance(one, Recipe) else (one,) for one in (first, second)]
                shares = [[(run, 1.0 / len(group)) for run in group] for group in networks]
                sides = [scores.network_contrast(group, measure) for group in shares]
                found = scores.network_contrast(shares[0] + [(run, -share) for run, share in shares[1]], measure)
            name = "" if measure.class_index is None else self.classes[measure.class_index]
            values = sides[0].value, sides[1].value, found.value, found.low, found.high, found.p_value
            rows.append((measure.metric, name, *values, f"{about}s"))
        columns = ["metric", "class", "a", "b", "difference", "low", "high", "p_value", "statement_about"]
        return pandas.DataFrame(rows, columns=columns)

    def _repr_html_(self) -> str:
        rows = self.leaderboard()[["rank", "model", "protocol", "seeds", "validation_accuracy", "test_accuracy"]]
        return f"<p>Study <b>{escape(self.name)}</b>: {len(self._data.records)} runs</p>{rows.to_html(index=False)}"

    def __repr__(self) -> str:
        return f"<Study {self.name}>"

    def _run(self, key: str) -> ScoredRun:
        found = fitting([run.record for run in self._data.finished], key)
        if len(found) != 1:
            raise UsageError(
                f"a run is named by its key or a part that fits one run, {key!r} fits {len(found)} "
                f"of study {self.name}: see .runs()."
            )
        return next(run for run in self._data.finished if run.record.key == found[0].key)

    def _side(self, name: str) -> Recipe | ScoredRun:
        wanted = "".join(name.split())
        recipes = {f"{one.model}/{one.protocol}".replace(" ", ""): one for one in self._found.scores.recipes}
        if wanted in recipes:
            return recipes[wanted]
        run = self._run(name)
        if not run.record.on_own_test:
            raise UsageError(f"{name} was scored on a split of its own, so it cannot be compared with other runs.")
        return run

    def _images(self, arrays: dict[str, NDArray[np.generic]], split: str, labels: NDArray[np.int64]) -> object:
        dataset = self._store.find_dataset()
        if dataset is None:
            return ""
        places = arrays.get(f"{split}_indices", rows_of(dataset["splits"], split)) % len(dataset["ids"])
        fits = len(places) == len(labels) and (dataset["labels"][places] == labels).all()
        return dataset["ids"][places] if fits else ""


def predict(
    image: str | Path | Image.Image | NDArray[np.uint8],
    *,
    run: str | None = None,
    study: str | None = None,
    results: str | Path = "results",
    crop: bool = False,
) -> pandas.DataFrame:
    """Find the faces in a picture and name the emotion of each.

    Args:
        image: A file, a Pillow image, or an array uint8 (height, width) grey or (height, width, 3) RGB.
        run: Key of a run, or a part of one. Default: the best one trained here on photographs, else the released one.
        study: Study of the run.
        results: Folder of records.
        crop: Take the picture as one face; small square ones always are.

    Returns:
        A row per face from left to right: ``left``, ``top``, ``width``, ``height`` in pixels, the detector's ``score``,
        ``label``, its ``probability``, whether it is ``unsure``, and ``p_<class>``. ``.attrs`` has the ``network`` and
        the ``notice`` that must be said with its answers.

    Raises:
        UsageError: no network, or not an image.
    """
    import pandas

    from study.faces.detection import open_detector
    from study.faces.pictures import cut_faces, find_faces
    from study.faces.prediction import answer

    picture = _as_bgr(image)
    runtime = _runtime(str(results), study, run)
    found, _ = find_faces(picture, open_detector(None), crop)
    told = runtime.probabilities(cut_faces(picture, [one.box for one in found], runtime.image_shape))
    rows = []
    for face, probabilities in zip(found, told, strict=True):
        said = answer(face, probabilities, runtime.unsure_below)
        shares = [float(share) for share in probabilities]
        rows.append((*face.box, face.score, runtime.classes[said.label], shares[said.label], said.unsure, *shares))
    columns = ["left", "top", "width", "height", "score", "label", "probability", "unsure"]
    frame = pandas.DataFrame(rows, columns=[*columns, *(f"p_{name}" for name in runtime.classes)])
    frame.attrs = {"network": runtime.origin, "notice": runtime.notice}
    return frame


@lru_cache(maxsize=2)
def _runtime(results: str, study: str | None, run: str | None) -> Runtime:
    """Return the network that is meant; kept, since opening one takes longer than its answer."""
    from study.trained.release import choose_network, open_network
    from study.trained.winner import open_run

    study, released = choose_network(results, study, run)
    return released or open_network(*open_run(results, study, run))


def _as_bgr(image: str | Path | Image.Image | NDArray[np.uint8]) -> NDArray[np.uint8]:
    import numpy as np

    from study.faces.pictures import read_one_picture

    if isinstance(image, (str, Path)):
        try:
            return read_one_picture(Path(image))
        except ValueError as error:
            raise UsageError(f"predict takes an image that can be read, {image}: {error}.") from error
    pixels = np.asarray(image.convert("RGB") if hasattr(image, "convert") else image)
    if pixels.ndim == 2:
        pixels = np.stack([pixels] * 3, axis=2)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise UsageError(
            f"predict takes uint8 (height, width) or (height, width, 3) in RGB, got {pixels.dtype} {pixels.shape}."
        )
    return np.ascontiguousarray(pixels[:, :, ::-1])
