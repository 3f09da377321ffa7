"""Targets that the study wrote and may get back from strangers: records, arrays, checkpoints, caches, manifests."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from study.core.errors import StoreError
from study.core.spec import Spec, content_hash
from study.core.store import CHECKSUM, DATASET_FILE, Store, pack_arrays
from tests.changed import replace
from tests.factories import make_card, make_counts, make_dataset, make_record
from tests.fuzz.mutations import Seeds, mutate_bytes, mutate_json
from tests.fuzz.target import Target


def _card() -> dict[str, Any]:
    return make_card(counts=make_counts(60, 30, 40))


def _store(folder: Path) -> Store:
    """Return a store of three done runs and one failed one."""
    store = Store(folder / "results", "fake")
    if not store.folder.is_dir():
        card = _card()
        for model, protocol in (("cnn2", "baseline"), ("cnn3", "baseline"), ("cnn3", "augment")):
            store.keep(replace(make_record(model, protocol, card=card), weights_file="w"))
        store.keep(make_record("cnn2", "augment", card=card, status="failed"))
        store.keep_dataset(make_dataset(card))
    return store


def _record_seeds(folder: Path) -> Seeds:
    store = _store(folder)
    return [store.record_path(record.spec).read_bytes() for record in store.records()]


def _mutate_record(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    """Change bytes, or values behind a checksum that is made right again."""
    if rng.random() < 0.2:
        return mutate_bytes(data, seeds, rng)
    changed = mutate_json(json.loads(data), rng)
    if isinstance(changed, dict):
        changed.pop(CHECKSUM, None)
        if rng.random() < 0.7:  # a key that follows from the changed spec
            with contextlib.suppress(TypeError, KeyError, ValueError, AttributeError):
                changed["key"] = Spec.from_json(changed["spec"]).key
        if rng.random() < 0.5:  # records of earlier versions have none
            with contextlib.suppress(ValueError):
                changed[CHECKSUM] = content_hash(changed)
    return json.dumps(changed).encode("utf-8", "surrogatepass")


def _is_record(data: bytes) -> bool:
    try:
        found = json.loads(data)
        return isinstance(found, dict) and (CHECKSUM not in found or found.pop(CHECKSUM) == content_hash(found))
    except (ValueError, RecursionError):
        return False


def _put_record(data: bytes, folder: Path) -> tuple[Store, Path]:
    """Lay a record where a stranger would who knows where its spec belongs, its predictions beside it."""
    store = _store(folder)
    original = store.record_path(make_record("cnn3", "baseline", card=_card()).spec)
    target = original
    try:
        found = store.record_path(Spec.from_json(json.loads(data)["spec"]))
        if folder in found.resolve().parents and len(str(found)) < 1000:
            target = found
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OSError):
        pass
    if not _ORIGINAL:
        _ORIGINAL.update({path: path.read_bytes() for path in store.folder.rglob("*.*") if path.is_file()})
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        if not target.with_suffix(".npz").exists():
            shutil.copyfile(original.with_suffix(".npz"), target.with_suffix(".npz"))
    except (OSError, ValueError):
        target = original
        target.write_bytes(data)
    return store, target


_ORIGINAL: dict[Path, bytes] = {}


def _restore(target: Path) -> None:
    """Put back what was there before an input was laid in its place."""
    for path in (target, target.with_suffix(".npz")):
        path.unlink(missing_ok=True)
        if path in _ORIGINAL:
            path.write_bytes(_ORIGINAL[path])


def _read_record(data: bytes, folder: Path) -> object:
    """Read a study with that record as `study run` and `study predict` do before they train or answer."""
    from study.analysis.runs import scored_runs
    from study.trained.winner import choose_run

    store, target = _put_record(data, folder)
    try:
        whole, damaged = store.examine(weights=True)
        if damaged:
            raise StoreError(damaged[0].reason)
        json.dumps([record.to_json() for record in whole])
        return scored_runs(store, whole), choose_run(store)
    finally:
        _restore(target)


def _read_report(data: bytes, folder: Path) -> object:
    """Write the whole report of a study with that record, but its figures."""
    from study.report.build import build_report

    store, target = _put_record(data, folder)
    try:
        return build_report(store)
    finally:
        _restore(target)


def _mutate_npz(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    """Change bytes of the archive, or arrays and their headers inside a sound one."""
    if rng.random() < 0.3:
        return mutate_bytes(data, seeds, rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        chosen = set(rng.sample(names, min(len(names), rng.randint(1, 2))))
        for name in names:
            content = old.read(name)
            if name in chosen:
                change = rng.randrange(5)
                if change == 0:
                    continue
                if change == 1:
                    name = rng.choice(("x.npy", "../x.npy", name.removesuffix(".npy"), names[0], "\u202e.npy"))
                elif change == 2:
                    content = mutate_bytes(content, [content], rng)
                elif change == 3:
                    content = _npy(rng.choice(_STRANGE_ARRAYS))
                else:
                    content = _claimed(content, rng)
            new.writestr(name, content)
    return buffer.getvalue()


_STRANGE_ARRAYS: tuple[Any, ...] = (
    np.zeros(0),
    np.zeros((40, 0)),
    np.array(5),
    np.full((40, 7), np.nan),
    np.full(40, -3),
    np.full(40, 99),
    np.zeros((40, 7), complex),
    np.array(["x"] * 40),
    np.array([b"x"] * 40),
    np.zeros((40, 8), np.float32),
    np.ones(130, bool),
    np.full(130, 2**62),
    np.zeros(40, "M8[s]"),
    np.zeros((2, 3, 4, 5)),
    np.full((40, 7), np.inf),
    np.zeros(40, "i4,f8"),
)


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _claimed(content: bytes, rng: random.Random) -> bytes:
    """Return an array whose header locks another shape or type than there are bytes for."""
    shape = rng.choice(
        (
            "(1000000000000,)",
            "(2147483648, 2147483648)",
            "(-1,)",
            "('a',)",
            "(1.5,)",
            "()",
            "(99999999, 0)",
            "(" * 50 + ")" * 50,
        )
    )
    kind = rng.choice(
        (
            "'<f4'",
            "'|O'",
            "'<f8'",
            "'|S2147483647'",
            "'<U99999999'",
            "'|V9'",
            "[('a','|O')]",
            "5",
            "'x'",
            "__import__('os')",
        )
    )
    head = f"{{'descr': {kind}, 'fortran_order': {rng.choice(('False', 'True', '3'))}, 'shape': {shape}, }}"
    padded = head.ljust(118 if len(head) < 118 else len(head) + 1)[:-1] + "\n"
    return b"\x93NUMPY\x01\0" + len(padded).to_bytes(2, "little") + padded.encode() + content[128:]


def _is_npz(data: bytes) -> bool:
    return data[:2] == b"PK" and zipfile.is_zipfile(io.BytesIO(data))


def _predictions_seeds(folder: Path) -> Seeds:
    card = _card()
    return [
        pack_arrays(make_record("cnn3", protocol, card=card).arrays)
        for protocol in ("baseline", "leaky/checkpoint-on-test")
    ]


def _read_predictions(data: bytes, folder: Path) -> object:
    """Score predictions that a record vouches for: its sha256 is theirs."""
    from study.analysis.runs import score_run
    from study.trained.winner import choose_run

    store = Store(folder / "results", "fake")
    record = replace(
        make_record("cnn3", "baseline", card=_card()),
        weights_file="w",
        predictions_sha256=hashlib.sha256(data).hexdigest(),
    )
    path = store.record_path(record.spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record.to_json()))
    path.with_suffix(".npz").write_bytes(data)
    [found] = store.records()
    scored = score_run(store.load_arrays(found))
    return scored.correct.mean(), scored.test.accuracy, choose_run(store)


def _dataset_seeds(folder: Path) -> Seeds:
    return [pack_arrays(make_dataset(_card()))]


def _read_dataset(data: bytes, folder: Path) -> object:
    """Read what a study keeps of its images and resolve by it what is asked of one run."""
    from study.trained.scores import stored_scores

    store = _store(folder)
    (store.folder / DATASET_FILE).write_bytes(data)
    record = next(record for record in store.records() if record.status == "done")
    return store.load_dataset(), stored_scores(store, record).score("accuracy")


def _ferplus_seeds(folder: Path) -> Seeds:
    return [pack_arrays({"labels": np.zeros(130, np.int8)})]


def _read_ferplus(data: bytes, folder: Path) -> object:
    store = _store(folder)
    (store.folder / "ferplus.npz").write_bytes(data)
    return store.find_ferplus()


def _checkpoint_seeds(folder: Path) -> Seeds:
    from study.training.checkpoint import Checkpoint, checkpoints

    made = Checkpoint(folder / "seed", "key")
    state = {
        "phase": 0,
        "history": [{"epoch": 0, "loss": 1.5}],
        "best_epoch": 0,
        "stopped": {},
        "schedule": {"wait": 1},
    }
    weights = [np.arange(12, dtype=np.float32).reshape(3, 4), np.zeros(4, np.float32)]
    made.save(0, state, {"weights": weights, "best": weights, "optimizer": [np.array(3, np.int64)]})
    return [checkpoints(folder / "seed")[0].read_bytes()]


def _mutate_signed(length: int, sign: Callable[[bytes], bytes], head: bool = False) -> Callable[..., bytes]:
    """Return a mutation behind a checksum: of ``length`` bytes in front, made by ``sign``."""

    def mutate(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
        if rng.random() < 0.2:
            return mutate_bytes(data, seeds, rng)
        content = data[length:]
        if head and rng.random() < 0.7:  # the line of JSON in front of the arrays
            first, _, rest = content.partition(b"\n")
            content = json.dumps(mutate_json(json.loads(first), rng)).encode("utf-8", "surrogatepass") + b"\n" + rest
        else:
            content = mutate_bytes(content, [seed[length:] for seed in seeds], rng)
        return sign(content) + content

    return mutate


def _hex_line(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode() + b"\n"


def _read_checkpoint(data: bytes, folder: Path) -> object:
    from study.training.checkpoint import Checkpoint

    place = folder / "run"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (place / "000007.checkpoint").write_bytes(data)
    checkpoint = Checkpoint(place, "key")
    found = checkpoint.load()
    if found is None:
        raise StoreError("; ".join(checkpoint.notes))
    return found


def _features_seeds(folder: Path) -> Seeds:
    from study.training.features import _write

    _write(folder / "seed.features", np.arange(40, dtype=np.float32).reshape(8, 5))
    return [(folder / "seed.features").read_bytes()]


def _read_features(data: bytes, folder: Path) -> object:
    """Read features as the cache does: what it suppresses is a miss."""
    from study.training.features import _read

    path = folder / "x.features"
    path.write_bytes(data)
    try:
        return _read(path)
    except (OSError, ValueError) as error:
        raise StoreError(str(error)) from error


def _cache_seeds(folder: Path) -> Seeds:
    """Fill a cache; what is mutated is set.json, whose first line is the checksum of the rest."""
    from study.datasets.load import load
    from tests.datasets.sources import write_classes

    write_classes(folder / "faces", ("joy", "anger"), 4, side=8)
    load(str(folder / "faces"), cache_dir=folder / "cache")
    shutil.copytree(folder / "cache", folder / "kept")
    return [_fresh_set(folder).read_bytes()]


def _fresh_set(folder: Path) -> Path:
    """Put the cache in order after the input before; return its set.json."""
    shutil.rmtree(folder / "cache", ignore_errors=True)
    shutil.copytree(folder / "kept", folder / "cache")
    [found] = (folder / "cache" / "sets").glob("*/set.json")
    return found


def _read_cache(data: bytes, folder: Path) -> object:
    from study.datasets.load import load

    _fresh_set(folder).write_bytes(data)
    loaded = load(str(folder / "faces"), cache_dir=folder / "cache")
    return loaded.card()


_ARRAYS: dict[str, bytes] = {}


def _read_array(data: bytes, folder: Path) -> object:
    """Read a cached set with one altered array, its checksum made right again."""
    from study.datasets.load import load

    found = _fresh_set(folder)
    about = json.loads(found.read_text().split("\n", 1)[1])
    name = next((name for name, seed in _ARRAYS.items() if len(seed) >= len(data) > len(seed) - 200), "labels")
    path = found.with_name(f"{name}.npy")
    path.unlink()
    path.write_bytes(data)
    about["files"][name] = [len(data), path.stat().st_mtime_ns, hashlib.sha256(data).hexdigest()]
    text = json.dumps(about)
    found.write_text(_hex_line(text.encode()).decode() + text)
    loaded = load(str(folder / "faces"), cache_dir=folder / "cache")
    return loaded.card()


def _array_seeds(folder: Path) -> Seeds:
    _cache_seeds(folder)
    _ARRAYS.update({path.stem: path.read_bytes() for path in sorted((folder / "cache" / "sets").glob("*/*.npy"))})
    return list(_ARRAYS.values())


def _mutate_array(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    change = rng.random()
    if change < 0.5:
        return mutate_bytes(data, seeds, rng)
    return _npy(rng.choice(_STRANGE_ARRAYS)) if change < 0.7 else _claimed(data, rng)


def _manifest_seeds(folder: Path) -> Seeds:
    from study.trained.formats import export_folder, write_manifest

    store = _store(folder)
    record = store.records()[0]
    place = export_folder(store, record)
    place.mkdir(parents=True)
    (place / "model.onnx").write_bytes(b"onnx")
    exports = {
        "onnx": {"file": "model.onnx", "sha256": hashlib.sha256(b"onnx").hexdigest(), "largest_difference": 1e-6}
    }
    return [write_manifest(place, record, "0" * 64, exports).read_bytes()]


def _mutate_json_text(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        return mutate_bytes(data, seeds, rng)
    return json.dumps(mutate_json(json.loads(data), rng)).encode("utf-8", "surrogatepass")


def _is_json(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False


def _read_manifest(data: bytes, folder: Path) -> object:
    from study.trained.formats import MANIFEST, export_folder, find_exports

    store = _store(folder)
    record = store.records()[0]
    (export_folder(store, record) / MANIFEST).write_bytes(data)
    return [artifact.intact() for artifact in find_exports(store, record).values()]


def _read_night(data: bytes, folder: Path) -> object:
    from study.planning.time_budget import _read

    path = folder / "tonight.json"
    path.write_bytes(data)
    return _read(path)


def _night_seeds(folder: Path) -> Seeds:
    choice = {"updates": {"custom": 900}, "images_per_s": {"cnn3": 700.5}}
    return [json.dumps({"custom, 48 px, float32, 0123": choice}).encode()]


def _read_lock(data: bytes, folder: Path) -> object:
    """Look at what another driver locks, and take it where that driver has ended."""
    from study.execution.locks import Locks

    shutil.rmtree(folder / "locks", ignore_errors=True)
    (folder / "locks").mkdir()
    (folder / "locks" / "run.1.lock").write_bytes(data)
    locks = Locks(folder / "locks")
    owner = locks.owner("run")
    lock = locks.take("run")
    if lock is not None:
        locks.release(lock)
    locks.clear_left()
    return owner


def _claim_seeds(folder: Path) -> Seeds:
    return [
        json.dumps(
            {"machine": "01234567", "pid": 4711, "started": "99", "host": "elsewhere", "token": "0" * 16}
        ).encode()
    ]


_RECORD = (_record_seeds, _is_record)
TARGETS = (
    Target("record", *_RECORD, _read_record, _mutate_record, 220),
    Target("predictions-npz", _predictions_seeds, _is_npz, _read_predictions, _mutate_npz, 150),
    Target("dataset-npz", _dataset_seeds, _is_npz, _read_dataset, _mutate_npz, 100),
    Target("ferplus-npz", _ferplus_seeds, _is_npz, _read_ferplus, _mutate_npz, 40),
    Target(
        "checkpoint",
        _checkpoint_seeds,
        lambda data: data[:65] == _hex_line(data[65:]),
        _read_checkpoint,
        _mutate_signed(65, _hex_line, head=True),
        150,
    ),
    Target(
        "features",
        _features_seeds,
        lambda data: data[:32] == hashlib.sha256(data[32:]).digest(),
        _read_features,
        _mutate_signed(32, lambda content: hashlib.sha256(content).digest()),
        80,
    ),
    Target(
        "cache-json",
        _cache_seeds,
        lambda data: data[:65] == _hex_line(data[65:]),
        _read_cache,
        _mutate_signed(65, _hex_line, head=True),
        80,
    ),
    Target("cache-npy", _array_seeds, lambda data: data.startswith(b"\x93NUMPY"), _read_array, _mutate_array, 80),
    Target("export-json", _manifest_seeds, _is_json, _read_manifest, _mutate_json_text, 80),
    Target("tonight-json", _night_seeds, _is_json, _read_night, _mutate_json_text, 40),
    Target("lock-json", _claim_seeds, _is_json, _read_lock, _mutate_json_text, 40),
)
#: Targets that take too long for the quick tests.
SLOW = (Target("report", *_RECORD, _read_report, _mutate_record, 60),)
