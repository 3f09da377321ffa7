"""The results store: records on disk, one JSON file and one array file a run, written atomically and checked."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from study.core.arrays import read_arrays, write_arrays
from study.core.errors import DamagedError, StoreError, UsageError, shown, unknown_name
from study.core.files import file_sha256, read_regular, set_aside, write_atomically
from study.core.record import Record, misfit
from study.core.spec import SPLITS, DatasetName, Spec, content_hash

DATASET_FILE = "dataset.npz"
FERPLUS_FILE = "ferplus.npz"
REMARKS_FILE = "remarks.md"
#: The updates that a budget measured for the machine that began the study.
UPDATES_FILE = "tonight.json"
#: The sha256 of a record's other fields in canonical JSON; records from before it was kept have none.
CHECKSUM = "record_sha256"
WEIGHTS_SUFFIX = ".weights.h5"
#: Folder of the studies that are committed with the project; a study made here cannot be called that.
PUBLISHED = "published"
#: Larger files are no records; one of a thousand epochs has less than a MiB.
MOST_BYTES = 64 << 20
#: Packed arrays of more are not a run's; its predictions have some MiB.
MOST_PACKED = 1 << 30
#: What the dataset's file holds of every image, with numpy's kinds of type.
_DATASET = {"labels": "iu", "ids": "U", "splits": "iu", "hashes": "S"}
#: What to do about damage.
AGAIN = "`study run` sets it aside and does the run again."


@dataclass(frozen=True)
class Damage:
    """A run of which something stored is not as it was written."""

    path: Path  #: Its record.
    reason: str  #: One line that names the file and says what is wrong.

    @property
    def run(self) -> str:
        """Model, protocol, seed and hash, as the record's path has them."""
        return " ".join([*self.path.parts[-3:-1], self.path.stem])


#: When a file was changed, its size and its number on the disk: an atomic write changes the last in any case.
_Fresh = tuple[int, int, int]


def _freshness(path: Path) -> _Fresh | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


class Store:
    """The records of one study: ``<results>/<study>/<model>/<protocol>/seed_<n>-<hash>.json`` with ``.npz`` beside it.

    ``study`` is a folder name for a study made here, ``published/NAME`` for a published one. The first write makes it.

    Raises:
        StoreError: ``study`` is neither, or has more than 100 characters.
    """

    def __init__(self, results: str | Path, study: str) -> None:
        title = study.removeprefix(f"{PUBLISHED}/")
        if len(title) > 100 or title in ("", ".", "..", PUBLISHED) or any(mark in title for mark in "/\\\0"):
            raise StoreError(
                f"a study's name must be a plain folder name of up to 100 characters, or one after {PUBLISHED}/, got "
                f"{shown(study)}."
            )
        self.results = Path(results)
        self.study = study
        self.title = title  #: The name without ``published/``.
        self.folder = self.results / study
        self._fitting: set[str] = set()  # datasets whose records go here; looked up once, not at every write
        # What was read and checked, with the file's times and size: neither is done again while they stay as they are.
        self._read_before: dict[Path, tuple[_Fresh | None, Record]] = {}
        self._checked_before: dict[Path, tuple[_Fresh | None, str]] = {}

    def record_path(self, spec: Spec) -> Path:
        """Return where a spec's record is kept (the path follows from the spec alone)."""
        model, protocol = spec.recipe
        return self.folder / model / protocol / f"seed_{spec.seed}-{spec.hash}.json"

    def weights_path(self, spec: Spec) -> Path:
        """Return where a run's best weights are kept; outside git."""
        return self.record_path(spec).with_suffix(WEIGHTS_SUFFIX)

    def checkpoint_folder(self, spec: Spec) -> Path:
        """Return where a run keeps its checkpoints while it trains; outside git."""
        return self.folder / "checkpoints" / spec.key

    @property
    def locks_folder(self) -> Path:
        """Where drivers say which run they are at; outside git."""
        return self.folder / "locks"

    def keep(self, record: Record) -> Record:
        """Write a record and its arrays, replacing an earlier one of the same spec; return it as stored.

        Arrays go first and the JSON last, so that a record that can be read is whole.

        Raises:
            StoreError: the record belongs to another dataset or lacks predictions.
            WriteError: it cannot be written.
        """
        if record.spec.dataset.fingerprint not in self._fitting:
            self.refuse_other_dataset(record.spec.dataset, self._sound())
            self._fitting.add(record.spec.dataset.fingerprint)
        return self.write(record)

    def write(self, record: Record) -> Record:
        """Do what ``keep`` does without a look at the other records."""
        path = self.record_path(record.spec)
        if record.status == "done":
            missing = [name for name in record.predictions if name not in record.arrays]
            if missing:
                raise StoreError(f"a done record must carry its predictions, {record.key} lacks {', '.join(missing)}.")
            packed = pack_arrays(record.arrays)
            record = replace(record, predictions_sha256=hashlib.sha256(packed).hexdigest())
            write_atomically(path.with_suffix(".npz"), packed)
        record = replace(record, reason=_encodable(record.reason), traceback=_encodable(record.traceback))
        data = json.loads(json.dumps(record.to_json()))  # as it will be read
        data[CHECKSUM] = content_hash(data)
        text = json.dumps(data, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
        write_atomically(path, text.encode() + b"\n")
        return record

    def records(self) -> list[Record]:
        """Return every record of the study without arrays, ordered by model, protocol, seed and hash.

        Raises:
            StoreError: a file that is no record; the message names it.
        """
        return sorted(map(self._read, self._files()), key=_order)

    def examine(self, weights: bool = False) -> tuple[list[Record], list[Damage]]:
        """Return what ``records`` returns as far as it is whole, predictions included, and what is damaged.

        To check the ``weights`` too takes a second for every few hundred MB.

        Raises:
            StoreError: a file that cannot be read or belongs elsewhere, which is no damage.
        """
        sound, damaged = [], []
        for path in self._files():
            try:
                record = self._read(path)
                if record.status == "done":
                    self._check_predictions(record)
                    if weights:
                        self.check_weights(record)
                sound.append(record)
            except DamagedError as error:
                damaged.append(Damage(path, str(error)))
        return sorted(sound, key=_order), damaged

    def set_aside(self, damage: Damage) -> list[Path]:
        """Rename all that is stored of a damaged run, the record first, so that it counts as missing; return new paths.

        Raises:
            WriteError: a file cannot be renamed.
        """
        path = damage.path
        stored = (path, path.with_suffix(".npz"), path.with_suffix(WEIGHTS_SUFFIX))
        return [set_aside(file) for file in stored if file.exists()]

    def find(self, spec: Spec) -> Record | None:
        """Return the record of a spec without arrays, or None where there is none that can be read."""
        path = self.record_path(spec)
        try:
            return self._read(path) if path.is_file() else None
        except DamagedError:
            return None

    def find_all(self, specs: Sequence[Spec]) -> list[Record | None]:
        """Return what ``find`` does for each spec; folders are listed once instead of asked for every file."""
        there: dict[tuple[str, str], frozenset[str]] = {}
        found: list[Record | None] = []
        for spec in specs:
            if spec.recipe not in there:
                folder = self.record_path(spec).parent
                there[spec.recipe] = frozenset(os.listdir(folder)) if folder.is_dir() else frozenset()
            name = f"seed_{spec.seed}-{spec.hash}.json"
            found.append(self.find(spec) if name in there[spec.recipe] else None)
        return found

    def count(self, specs: Iterable[Spec]) -> int:
        """Return how many of some specs have a record here, without reading any."""
        there = set(self._files())
        return sum(self.record_path(spec) in there for spec in specs) if there else 0

    def check_weights(self, record: Record) -> None:
        """Check the weights beside a record against the hash in it; without either there is nothing to check.

        Raises:
            DamagedError: they are not those that the run left.
        """
        path = self.weights_path(record.spec)
        if record.weights_sha256 and path.is_file() and file_sha256(path) != record.weights_sha256:
            raise DamagedError(f"{path}: the weights were altered since they were written. {AGAIN}")

    def load_arrays(self, record: Record) -> Record:
        """Return the record with its arrays.

        Raises:
            DamagedError: the array file is missing, altered or damaged.
        """
        path = self.record_path(record.spec).with_suffix(".npz")
        arrays = unpack_arrays(self._predictions(record), str(path))
        if wrong := misfit(arrays, len(record.dataset.classes)):
            raise DamagedError(f"{path}: these are not the predictions of a run ({wrong}). Remove it and run again.")
        return record.with_arrays(arrays)

    def _check_predictions(self, record: Record) -> None:
        path = self.record_path(record.spec).with_suffix(".npz")
        found = _freshness(path), record.predictions_sha256
        if found[0] is None or self._checked_before.get(path) != found:
            self._predictions(record)
            self._checked_before[path] = found

    def _predictions(self, record: Record) -> bytes:
        path = self.record_path(record.spec).with_suffix(".npz")
        try:
            data = read_regular(path, MOST_PACKED)
        except FileNotFoundError as error:
            raise DamagedError(f"{path}: the predictions are missing. {AGAIN}") from error
        except OSError as error:
            raise StoreError(f"the predictions of {record.key} cannot be read ({error.strerror}).") from error
        if hashlib.sha256(data).hexdigest() != record.predictions_sha256:
            raise DamagedError(
                f"{path}: the predictions were altered since they were written (sha256 differs). {AGAIN}"
            )
        return data

    def keep_dataset(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write the dataset's labels, ids, splits, content hashes and groups of near copies, where they differ."""
        path, data = self.folder / DATASET_FILE, pack_arrays(arrays)
        if not path.is_file() or read_regular(path, MOST_PACKED) != data:
            write_atomically(path, data)

    def load_dataset(self) -> dict[str, NDArray[Any]]:
        """Return ``labels``, ``ids``, ``splits`` and ``hashes`` of the study's image set, in its order.

        Studies of later versions have ``near_groups`` too: int32, equal for near copies of one photograph.

        Raises:
            StoreError: the study has no such file.
        """
        if (found := self.find_dataset()) is not None:
            return found
        path = self.folder / DATASET_FILE
        raise StoreError(f"{path} is missing: run the study once with its dataset at hand to write it.")

    def find_dataset(self) -> dict[str, NDArray[Any]] | None:
        """Return what ``load_dataset`` does, or None where the study has no such file."""
        path = self.folder / DATASET_FILE
        if not path.is_file():
            return None
        found = unpack_arrays(read_regular(path, MOST_PACKED), str(path))
        wrong = next((name for name, kinds in _DATASET.items() if not _fits(found.get(name), kinds)), "")
        if wrong or len({len(found[name]) for name in _DATASET}) > 1 or not _fits(found.get("near_groups"), "iu-"):
            raise DamagedError(
                f"{path}: expected {', '.join(_DATASET)} of every image, found other arrays "
                f"({wrong or 'not equally many'}). Remove it and run the study once with its dataset at hand."
            )
        return found

    def keep_ferplus(self, labels: NDArray[np.int64]) -> None:
        """Keep the class that FER+ gives each image, -1 for none, so that every later report has it."""
        write_atomically(self.folder / FERPLUS_FILE, pack_arrays({"labels": labels.astype(np.int8)}))

    def find_ferplus(self) -> NDArray[np.int64] | None:
        """Return what ``keep_ferplus`` kept, int64 (images of the set,), or None."""
        path = self.folder / FERPLUS_FILE
        if not path.is_file():
            return None
        labels = unpack_arrays(read_regular(path, MOST_PACKED), str(path)).get("labels")
        if labels is None or not _fits(labels, "iu"):
            raise DamagedError(f"{path}: expected one label an image. Remove it and give --ferplus FILE again.")
        return labels.astype(np.int64)

    def find_remarks(self) -> tuple[str, ...]:
        """Return the paragraphs of ``remarks.md``, what the study's authors say of it; empty without the file.

        Raises:
            DamagedError: it is not text in UTF-8.
        """
        path = self.folder / REMARKS_FILE
        if not path.is_file():
            return ()
        try:
            text = read_regular(path, MOST_PACKED).decode("utf-8")
        except UnicodeDecodeError:
            raise DamagedError(f"{path}: expected text in UTF-8. Save it so, or remove it.") from None
        return tuple(part for part in re.split(r"\n\s*\n", text.strip()) if part)

    def _files(self) -> Iterator[Path]:
        for path in sorted(self.folder.rglob("seed_*.json")):  # none without the folder
            if "checkpoints" not in path.relative_to(self.folder).parts:
                yield path

    def _sound(self) -> Iterator[Record]:
        for path in self._files():
            with contextlib.suppress(DamagedError):
                yield self._read(path)

    def _read(self, path: Path) -> Record:
        fresh = _freshness(path)
        known, record = self._read_before.get(path, (None, None))
        if record is None or fresh is None or known != fresh:
            record = self._read_anew(path)
            self._read_before[path] = fresh, record
        return record

    def _read_anew(self, path: Path) -> Record:
        data = read_data(path)
        # What is as it was written and still no record comes from another version: that must not set all of it aside.
        record = Record.from_json(data, str(path))
        if self.record_path(record.spec) != path:
            raise StoreError(
                f"{path}: the record belongs at {self.record_path(record.spec)}. Move it there or remove it."
            )
        if record.superseded:
            raise DamagedError(f"{path}: made by a faulty version of this program ({record.superseded}). {AGAIN}")
        return record

    def refuse_other_dataset(self, dataset: DatasetName, records: Iterable[Record]) -> None:
        """Refuse to put runs on one dataset (a spec's ``dataset``) beside records of another; the first record tells.

        Raises:
            StoreError: the fingerprints differ.
        """
        first = next(iter(records), None)
        if first is not None and (found := first.spec.dataset).fingerprint != dataset.fingerprint:
            raise StoreError(
                f"study {self.study!r} in {self.results} holds records of {found.name} ({found.fingerprint[:12]}), the "
                f"dataset at hand is {dataset.name} ({dataset.fingerprint[:12]}): give it a study of its own with "
                "--study NAME."
            )


def read_data(path: Path) -> dict[str, Any]:
    """Return the JSON data of a record of any format, as it was written.

    Raises:
        DamagedError: it is none, or it was altered.
        StoreError: it cannot be read.
    """
    try:
        data = json.loads(read_regular(path, MOST_BYTES).decode())
        if not isinstance(data, dict) or "format" not in data:
            raise ValueError("it has no format")
        altered = CHECKSUM in data and data.pop(CHECKSUM) != content_hash(data)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path}: not readable as a record ({error}). {AGAIN}") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}).") from error
    if altered:
        raise DamagedError(f"{path}: the record was altered since it was written. {AGAIN}")
    return data


def _order(record: Record) -> tuple[object, ...]:
    return (*record.spec.recipe, record.spec.seed, record.spec.hash)


def _encodable(text: str) -> str:
    """Return text without the halves of characters that file names of other systems bring."""
    return text.encode(errors="replace").decode()


def _fits(array: NDArray[Any] | None, kinds: str) -> bool:
    """Return whether an array has one dimension and one of numpy's kinds of type; ``-`` allows that there is none."""
    return "-" in kinds if array is None else array.ndim == 1 and array.dtype.kind in kinds


def studies(results: str | Path) -> list[str]:
    """Return the names of the studies in a results folder: those made here, then the published ones, each sorted."""
    folder = Path(results)
    own = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if PUBLISHED not in own:
        return own
    own.remove(PUBLISHED)
    return own + sorted(f"{PUBLISHED}/{path.name}" for path in (folder / PUBLISHED).iterdir() if path.is_dir())


def newest_first(results: str | Path) -> list[str]:
    """Return the names of the studies made here that have records, the one with the newest record first."""
    ages = {
        name: max((path.stat().st_mtime for path in Store(results, name)._files()), default=0.0)
        for name in studies(results)
        if not name.startswith(f"{PUBLISHED}/")
    }
    return sorted((name for name, age in ages.items() if age), key=lambda name: -ages[name])


def find_study(results: str | Path, name: str | None = None) -> Store:
    """Return the study that a name means, in every command: ``NAME`` was made here, ``published/NAME`` is committed.

    Without a name it is the one made here that has the newest record.

    Raises:
        UsageError: there is none of that name, or none was made here. Close names are suggested, ``published/NAME``
            for ``NAME`` first.
    """
    if name is None:
        if own := newest_first(results):
            return Store(results, own[0])
        others = [name for name in studies(results) if name.startswith(PUBLISHED)]
        more = f", or name one of {', '.join(others)}" if others else ", or give --results FOLDER"
        raise UsageError(f"no study was made here (in {results}/): train one with `make study`{more}.")
    known = studies(results)
    if name in known:
        return Store(results, name)
    other = name.removeprefix(f"{PUBLISHED}/") if name.startswith(f"{PUBLISHED}/") else f"{PUBLISHED}/{name}"
    if other in known:
        raise UsageError(f"unknown study {name!r}. Did you mean {other}?")
    raise unknown_name("study", name, known)


def rows_of(splits: NDArray[np.integer], split: str) -> NDArray[np.int64]:
    """Return the positions of a split's images in an image set, ascending; ``splits`` as ``Store.load_dataset`` has it.

    >>> rows_of(np.array([0, 2, 0, 1]), "train").tolist()
    [0, 2]
    """
    return np.flatnonzero(splits == SPLITS.index(split))


#: Arrays of probabilities, by the end of their names; they are stored in half precision under a name that says so.
PROBABILITIES, HALVED = ("probabilities", "flipped", "views"), ".half"
#: Between neighbours of seven bits, in the ten bits of a half float's fraction.
STEP = 1 << 3
#: Puts all probabilities above 2e-9 where half floats have all their bits.
SCALE = np.float32(1 << 15)


def halved(name: str, array: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """Return name and array as they are stored: probabilities as the two bytes of half floats, one plane for each.

    Planes compress better than pairs, and the last bits of a half float do not compress at all: without them a
    probability is right to 0.2 %, and the mean log loss of 3,589 images to five digits. Where rounding would make
    another class the most probable one, the right one is raised by the smallest step.
    """
    if array.ndim != 2 or array.dtype.kind != "f" or name.rpartition("_")[2] not in PROBABILITIES:
        return name, array
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = ((bits + (1 << 15)) & np.uint32(0xFFFF0000)).view(np.float32)  # to seven bits, as bfloat16 has
    half = (rounded * SCALE).astype(np.float16).view(np.uint16)
    rows = np.arange(len(array))
    answers = array.argmax(axis=1)
    ties = half.argmax(axis=1) != answers  # half floats above zero are ordered as their bits are
    half[rows[ties], answers[ties]] = half[ties].max(axis=1) + STEP
    return name + HALVED, np.moveaxis(half[..., None].view(np.uint8), 2, 0)


def whole(name: str, array: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """Return what ``halved`` was given, float32 for probabilities.

    Raises:
        ValueError: an array of that name that is none of half floats.
    """
    if not name.endswith(HALVED):
        return name, array
    if array.dtype != np.uint8 or array.ndim != 3 or len(array) != 2:
        raise ValueError(f"{name} is {array.dtype} {array.shape}")
    half = np.ascontiguousarray(np.moveaxis(array, 0, 2)).view(np.float16)[..., 0]
    return name.removesuffix(HALVED), half.astype(np.float32) / SCALE


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a compressed .npz whose bytes depend on the arrays alone (sorted names, fixed dates)."""
    return write_arrays(dict(halved(name, array) for name, array in arrays.items()))


def unpack_arrays(data: bytes, where: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of ``pack_arrays`` bytes; nothing is ever unpickled.

    Raises:
        StoreError: not such a file.
    """
    try:
        return dict(whole(name, array) for name, array in read_arrays(data).items())
    except ValueError as error:
        raise DamagedError(f"{where}: not a readable array file ({error}). Remove it and run again.") from error
