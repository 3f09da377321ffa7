"""Importing: other people's predictions, each row checked against a study's images, become a record like any other."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

import numpy as np
from numpy.typing import NDArray

from study.core.environment import provenance
from study.core.errors import DataError, UsageError
from study.core.files import file_sha256, open_regular, write_atomically
from study.core.record import DatasetCard, Imported, Record
from study.core.spec import SPLITS, DatasetName, ModelName, Part, RunProtocol, Spec, Start
from study.core.store import Store, pack_arrays, rows_of

PROTOCOL = "imported"
FAMILY = "imported"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
IMAGE_COLUMNS = ("image", "id")
ROW_COLUMN = "row"
LABEL_COLUMN = "label"
Taken = Literal["validation", "test"]
TAKEN: tuple[Taken, ...] = get_args(Taken)
"""Splits of which predictions are taken: test in any case, validation where the record is to be ranked."""
SUM_TOLERANCE = 0.005
"""What probabilities with many digits may miss of 1; with few digits it is half a unit of the last one, each."""
FAR_BETTER = 0.1
"""Share of the images that another numbering of the classes must get right beyond the study's own to be spoken of."""

_MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class Predictions:
    """Somebody's predictions."""

    #: ``<split>_probabilities`` float32 (images, classes) and ``<split>_labels`` int64 (images,), the true ones, for
    #: each split covered, in the order of the study's images.
    arrays: Mapping[str, NDArray[Any]]
    splits: tuple[Taken, ...]  #: The splits covered, of ``TAKEN``.
    probabilities: bool  #: False where labels were given: the probabilities are then ones and zeros.
    #: How numbers were read, where classes were given as numbers, and whether another order fits far better.
    notes: tuple[str, ...] = ()


def import_predictions(
    path: Path, name: str, store: Store, seed: int = 0, log: Callable[[str], None] = lambda line: None
) -> Record:
    """Read predictions, check them against a study's images, and keep them as a record.

    The record's recipe is (``name``, ``imported``). Its spec holds the sha256 of the predictions, so that the same file
    gives the same record.

    Args:
        path: The csv, as ``read_predictions`` takes it.
        name: What the predictions are called wherever they are shown.
        store: The study, with at least one record and its dataset file.
        seed: Number of the training run behind them, to tell several of one peer apart.
        log: Receives a line on how numbers were read, and a warning where another order would fit far better.

    Raises:
        DataError: the file is wrong.
        UsageError: the name is wrong or taken, or the study has nothing to compare with.
        StoreError: the store cannot be read or written.
    """
    card, dataset = _study(store)
    if not _NAME.fullmatch(name):
        raise UsageError(f"a name must be letters, digits, dots, dashes and underscores (at most 64), got {name!r}.")
    found = read_predictions(path, dataset, card.classes)
    for line in found.notes:
        log(line)
    spec = _spec(card, name, seed, found)
    for other in store.records():
        if other.spec.model.name != name:
            continue
        if not other.imported:
            raise UsageError(f"{name!r} is a model that study {store.study!r} trained: give another --name.")
        if other.spec.seed == seed and other.key != spec.key:
            raise UsageError(
                f"{name!r}, seed {seed}, has been imported with other predictions ({other.key}): give another --name "
                f"or --seed, or remove {store.record_path(other.spec)} first."
            )
    return store.keep(
        Record(
            spec=spec,
            status="done",
            dataset=card,
            imported=Imported(file_sha256=file_sha256(path), probabilities=found.probabilities, splits=found.splits),
            provenance=provenance(),
            arrays=dict(found.arrays),
        )
    )


def write_template(path: Path, store: Store) -> int:
    """Write a csv that names every image to be predicted, its label left open; return how many there are.

    Raises:
        UsageError: the study has no records or no dataset file.
        WriteError: the file cannot be written.
    """
    _, dataset = _study(store)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["image", "label"])
    taken = np.flatnonzero(np.isin(dataset["splits"], [SPLITS.index(split) for split in TAKEN]))
    rows.writerows([str(dataset["ids"][row]), ""] for row in taken)
    write_atomically(path, text.getvalue().encode())
    return len(taken)


def _study(store: Store) -> tuple[DatasetCard, Mapping[str, NDArray[Any]]]:
    """Return a study's dataset card and its labels, ids and splits."""
    records, dataset = store.records(), store.find_dataset()
    if not records or dataset is None:
        raise UsageError(
            f"study {store.study!r} in {store.results} has no records to compare with: run it first, or give --study."
        )
    return records[0].dataset, dataset


def _spec(card: DatasetCard, name: str, seed: int, found: Predictions) -> Spec:
    """Return a spec that says of the making of the predictions what is known: nothing but themselves."""
    return Spec(
        dataset=DatasetName(name=card.name, fingerprint=card.fingerprint),
        model=ModelName(name=name, version="1", family=FAMILY),
        protocol=RunProtocol(name=PROTOCOL, phases=(), sampling="not known", loss=Part(name="not known")),
        budget="not known",
        side_px=0,
        weights=Start(source="imported", sha256=hashlib.sha256(pack_arrays(found.arrays)).hexdigest()),
        precision="not known",
        backend="not known",
        seed=seed,
    )


def read_predictions(path: Path, dataset: Mapping[str, NDArray[Any]], classes: Sequence[str]) -> Predictions:
    """Read a csv with one row an image: which image it is, then a label or one probability for each class.

    The first line names the columns. ``image`` (or ``id``) holds an image's id, or ``row`` its place among all images
    of the set, counted from 0; ``label`` holds a class name or its number, or else there is one column for each class.

    Args:
        path: The csv.
        dataset: ``ids``, ``labels`` and ``splits`` of the study's images (``Store.load_dataset``).
        classes: Class names in label order.

    Raises:
        DataError: anything wrong; the message names the line and says what is.
    """
    reader = _Reader(path, dataset, classes)
    found = reader.read()
    covered, arrays = [], {}
    for split in TAKEN:
        rows = rows_of(dataset["splits"], split)
        missing = rows[np.isnan(found[rows, 0])]
        if len(missing) == len(rows) and split == "validation":
            continue
        if len(missing):
            raise DataError(
                f"{path}: expected a prediction for each of the {len(rows):,} {split} images, {len(missing):,} are "
                f"missing, such as {dataset['ids'][missing[0]]}. Add these rows"
                + (", or leave the validation split out (then it is not ranked)." if split == "validation" else ".")
            )
        covered.append(split)
        arrays[f"{split}_probabilities"] = found[rows].astype(np.float32)
        arrays[f"{split}_labels"] = dataset["labels"][rows]
    notes = _notes_on_numbers(arrays, covered, classes) if reader.numbers else ()
    return Predictions(arrays, tuple(covered), reader.label is None, notes)


def _notes_on_numbers(
    arrays: Mapping[str, NDArray[Any]], splits: Sequence[str], classes: Sequence[str]
) -> tuple[str, ...]:
    """Return how numbers were read as classes, and a warning where another order of the classes fits far better."""
    from scipy.optimize import linear_sum_assignment

    said = f"Numbers were read in the study's order: {', '.join(f'{n} {name}' for n, name in enumerate(classes))}."
    given = np.concatenate([arrays[f"{split}_probabilities"].argmax(axis=1) for split in splits])
    true = np.concatenate([arrays[f"{split}_labels"] for split in splits])
    table = np.zeros((len(classes), len(classes)))
    np.add.at(table, (given, true), 1 / len(true))
    _, meant = linear_sum_assignment(-table)
    found, better = np.trace(table), table[np.arange(len(classes)), meant].sum()
    if better - found < FAR_BETTER:
        return (said,)
    order = [classes[label] for label in meant]
    name = "alphabetical order, Keras' own" if order == sorted(classes) else ", ".join(order)
    return said, (
        f"Warning: {found:.1%} of the labels are right so, and {better:.1%} would be in another order ({name}). If "
        "your numbers mean that, write class names in their place and import the file again under another name."
    )


class _Reader:
    """Reads rows into one array over all images; what is not predicted stays nan."""

    def __init__(self, path: Path, dataset: Mapping[str, NDArray[Any]], classes: Sequence[str]) -> None:
        self.path = path
        self.classes = list(classes)
        self.names = {name.lower(): label for label, name in enumerate(classes)}
        self.ids = dataset["ids"]
        self.splits = dataset["splits"]
        self.places = {str(one): place for place, one in enumerate(self.ids.tolist())}
        self.line = 1
        self.key = 0
        self.by_row = False
        self.label: int | None = None
        self.numbers = False
        self.decimals = 0
        self.columns: list[int] = []

    def read(self) -> NDArray[np.float64]:
        """Return probabilities, float64 (all images, classes), nan where nothing is predicted."""
        found = np.full((len(self.ids), len(self.classes)), np.nan)
        seen: dict[int, int] = {}
        missed: dict[int, tuple[float, int, float]] = {}
        try:
            with open_regular(self.path) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as file:
                if os.fstat(raw.fileno()).st_size > _MOST_BYTES:
                    self._refuse(f"a csv of at most {_MOST_BYTES >> 20} MiB", "a larger file")
                rows = csv.reader(file, strict=True)
                header = next(rows, [])
                self._read_header([name.strip() for name in header])
                for fields in rows:
                    self.line = rows.line_num
                    if not any(field.strip() for field in fields):
                        continue
                    if len(fields) != len(header):
                        self._refuse(f"{len(header)} fields as in the first line", str(len(fields)))
                    place = self._place(fields[self.key].strip())
                    if place in seen:
                        self._refuse("each image once", f"{self.ids[place]} again, first in line {seen[place]}")
                    seen[place] = self.line
                    found[place], missed[place] = self._odds(fields)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror}). Give a csv of predictions.") from error
        except UnicodeDecodeError:
            self._refuse("text in UTF-8", "other bytes")
        except csv.Error as error:
            self._refuse("a csv", f"what is none ({error})")
        last = 0.5 * 10.0**-self.decimals if self.decimals else 0.0
        for place, (total, plain, rounded) in missed.items():
            if abs(total - 1) > max(SUM_TOLERANCE, rounded + plain * last) * (1 + 1e-9):
                self.line = seen[place]
                self._refuse("probabilities that add up to 1", f"{total:.4g}")
        return found

    def _read_header(self, names: list[str]) -> None:
        lower = [name.lower() for name in names]
        if len(set(lower)) < len(lower):
            self._refuse("different column names", ", ".join(names))
        keys = [place for place, name in enumerate(lower) if name in (*IMAGE_COLUMNS, ROW_COLUMN)]
        if len(keys) != 1:
            self._refuse("one column image (the id) or row (counted from 0)", ", ".join(names)[:100] or "an empty line")
        self.key = keys[0]
        self.by_row = lower[self.key] == ROW_COLUMN
        others = [place for place in range(len(names)) if place != self.key]
        if [lower[place] for place in others] == [LABEL_COLUMN]:
            self.label = others[0]
            return
        unknown = [names[place] for place in others if lower[place] not in self.names]
        missing = [name for name in self.classes if name.lower() not in lower]
        if unknown or missing:
            what = f"{unknown[0]!r}, which is no class" if unknown else f"none for {', '.join(missing)}"
            self._refuse(f"the column label alone, or one for each of {', '.join(self.classes)}", what)
        self.columns = [lower.index(name.lower()) for name in self.classes]

    def _place(self, text: str) -> int:
        """Return the place of a row's image in the set."""
        if self.by_row:
            if not (text.isascii() and text.isdigit() and len(text) < 19) or int(text) >= len(self.ids):
                self._refuse(f"a row from 0 to {len(self.ids) - 1}", repr(text[:40]))
            place = int(text)
        elif text not in self.places:
            close = difflib.get_close_matches(text, list(self.places)[:2000], n=1, cutoff=0.8)
            self._refuse(f"an image of the study, such as {close[0] if close else self.ids[0]}", repr(text[:80]))
        else:
            place = self.places[text]
        if SPLITS[self.splits[place]] not in TAKEN:
            self._refuse("images of validation and test", f"{self.ids[place]}, which is in train")
        return place

    def _odds(self, fields: list[str]) -> tuple[NDArray[np.float64], tuple[float, int, float]]:
        """Return a row's probabilities, scaled to add up to 1; of a label one for it and zero for the others.

        With them comes what they added up to, how many are written without an exponent, and how much the others may
        have been rounded by. Numbers without an exponent have lost their last zeros, so that the digits of the whole
        file tell how much these were rounded by.
        """
        if self.label is not None:
            return np.eye(len(self.classes))[self._class(fields[self.label].strip())], (1.0, 0, 0.0)
        texts = [fields[place].strip() for place in self.columns]
        odds = np.array([self._number(text) for text in texts])
        plain, rounded = 0, 0.0
        for text in texts:
            last = int(Decimal(text).as_tuple().exponent)  # the place of the last digit
            if "e" in text.lower():
                rounded += 0.5 * 10.0 ** min(last, 0)
            else:
                plain += 1
                self.decimals = max(self.decimals, -last)
        if not odds.sum() > 0:
            self._refuse("probabilities that add up to 1", "0")
        return odds / odds.sum(), (float(odds.sum()), plain, rounded)

    def _class(self, text: str) -> int:
        if text.lower() in self.names:
            return self.names[text.lower()]
        if text.isascii() and text.isdigit() and len(text) < 19 and int(text) < len(self.classes):
            self.numbers = True
            return int(text)
        self._refuse(f"a class ({', '.join(self.classes)}) or its number from 0", repr(text[:40]))

    def _number(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            self._refuse("a probability from 0 to 1", repr(text[:40]))
        if not 0 <= value <= 1 + SUM_TOLERANCE:  # nan fails too
            self._refuse("a probability from 0 to 1", text[:40])
        return value

    def _refuse(self, expected: str, found: str) -> NoReturn:
        raise DataError(f"{self.path}, line {self.line}: expected {expected}, found {found}. Mend the file.")
