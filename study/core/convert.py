"""Convert: records of format 1, until November 2026, rewritten as format 2; their specs, keys and file names too.

Format 1 called the validation split "selection" and kept protocols as loose dictionaries. What a run was does not
change, only how it is written down; predictions are kept in half precision. Records that older checkouts finish later
are converted in the same way.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from study.core.errors import DamagedError
from study.core.files import read_regular, replacing
from study.core.record import FORMAT, Record
from study.core.spec import Spec
from study.core.store import MOST_PACKED, WEIGHTS_SUFFIX, Store, read_data, unpack_arrays

#: Hashes of code that decides results, before and after the change of November 2026, which changed names and forms and
#: no result: runs of both were compared bit by bit.
SAME_CODE: Mapping[str, str] = {"b93b449534a7": "c4b4cafad494"}
_RENAMED = {"selection": "validation", "resplit": "new_split", "watch_test": "monitor_test"}
_FIELDS = {"division": "splits", "upstream": "pretraining"}


def convert_study(store: Store) -> int:
    """Rewrite all records of format 1 of a study in place and return how many there were.

    A record, its predictions and its weights move to the names that follow from the new spec. The old files are removed
    once the new ones are written, so that an interrupted call is completed by the next.

    Raises:
        StoreError: a record that cannot be read, or a place that cannot be written.
    """
    count = 0
    for path in sorted(store.folder.rglob("seed_*.json")):
        data = read_data(path)
        if data["format"] != 1:
            continue
        npz, weights = path.with_suffix(".npz"), path.with_suffix(WEIGHTS_SUFFIX)
        arrays = {}
        if data["status"] == "done":
            packed = read_regular(npz, MOST_PACKED)
            if hashlib.sha256(packed).hexdigest() != data["predictions_sha256"]:
                raise DamagedError(f"{npz}: the predictions were altered since they were written. Remove the record.")
            arrays = {_renamed(name): array for name, array in unpack_arrays(packed, str(npz)).items()}
        record = Record.from_json(convert_record(data), str(path))
        target = store.record_path(record.spec)
        if weights.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target.with_suffix(WEIGHTS_SUFFIX)) as temporary:
                os.link(weights, temporary)
        store.write(record.with_arrays(arrays))
        for old, new in ((path, target), (npz, target.with_suffix(".npz")), (weights, store.weights_path(record.spec))):
            if old != new:
                old.unlink(missing_ok=True)
        count += 1
    for folder in sorted(store.folder.rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return count


def convert_record(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON data of a record in format 2, for that of format 1."""
    kept = ("spec", "reason", "traceback")
    found = {
        _FIELDS.get(name, name): value if name in kept else _validation(value)
        for name, value in data.items()
        if name not in ("key", "format")
    }
    model = {name: value for name, value in data["spec"]["model"].items() if name != "settings"}
    model["version"] = str(model["version"])
    found["spec"] = spec = {**data["spec"], "model": model, "protocol": _protocol(data["spec"]["protocol"])}
    if outcome := found.pop("outcome", None):
        stopped = outcome.get("stopped", [])
        stopped = [*stopped.values()] if isinstance(stopped, dict) else stopped
        found["outcome"] = {**outcome, "stopped": stopped}
        found["outcome"].pop("sentences", None)
    if info := found.get("pretraining"):
        info.pop("format", None)
    whole = ("parameters", "macs", "latency_batch_size")
    found["cost"] = {
        name: int(value) if name in whole and value is not None else value
        for name, value in data["cost"].items()
        if name != "trainable_parameters"
    }
    code = found["provenance"].get("code", "")
    found["provenance"] = {**found["provenance"], "code": SAME_CODE.get(code, code)}
    found = {name: value for name, value in found.items() if value not in ({}, None)}
    new = Spec.from_json(spec)
    if found.get("weights_file"):
        found["weights_file"] = f"seed_{new.seed}-{new.hash}{WEIGHTS_SUFFIX}"
    return {"format": FORMAT, "key": new.key, **found}


def _protocol(old: Mapping[str, Any]) -> dict[str, Any]:
    new: dict[str, Any] = {
        _renamed(name): value
        for name, value in old.items()
        if name not in ("augmentation", "mix", "loss", "label_smoothing", "phases", "source", "copies", "resplit")
    }
    for name in ("name", "twin", "same_training_as"):
        if name in new:
            new[name] = new[name].replace("checkpoint-on-selection", "checkpoint-on-validation")
    smoothing = old.get("label_smoothing", 0.0)
    new["loss"] = {
        "name": old.get("loss", "cross-entropy"),
        **({"settings": {"label_smoothing": smoothing}} if smoothing else {}),
    }
    parts = _augmentation(old.get("augmentation", {}))
    mix = old.get("mix", "none")
    new["augmentation"] = parts + ([{"name": mix}] if mix != "none" else [])
    if old.get("copies"):
        copies = {name: value for name, value in old["copies"].items() if name != "number"}
        new["copies"] = {"number": old["copies"]["number"], "augmentation": _augmentation(copies)}
    if old.get("resplit"):
        new["new_split"] = {_renamed(name): value for name, value in old["resplit"].items()}
    new["phases"] = [_phase(phase) for phase in old["phases"]]
    return new


def _augmentation(old: Mapping[str, Any]) -> list[dict[str, Any]]:
    affine = {
        name: old[name] if name == "flip" else float(old[name])
        for name in ("flip", "rotation_degrees", "translation", "zoom")
        if old.get(name)
    }
    parts: list[dict[str, Any]] = [{"name": "affine", "settings": affine}] if affine else []
    if old.get("cutout_side"):
        settings = {"side": old["cutout_side"], "probability": old.get("cutout_probability", 1.0)}
        parts.append({"name": "cutout", "settings": settings})
    return parts


def _phase(old: Mapping[str, Any]) -> dict[str, Any]:
    new = {name: value for name, value in old.items() if name not in ("optimizer", "schedule", "rates")}
    settings = {name: value for name, value in old["optimizer"].items() if name not in ("name", "rate")}
    rate = float(old["optimizer"]["rate"])
    new["optimizer"] = {"name": old["optimizer"]["name"], **({"settings": settings} if settings else {})}
    new["rate"] = rate
    new["schedule"] = {"name": old.get("schedule", "constant")}
    if old.get("rates"):
        new["schedule"]["settings"] = {"factors": [float(f"{one / rate:.10g}") for one in old["rates"]]}
    return new


def _renamed(name: str) -> str:
    for old, new in _RENAMED.items():
        name = name.replace(old, new)
    return name


def _validation(value: Any) -> Any:
    """Return JSON data with the split's new name in its keys and in its sentences."""
    if isinstance(value, Mapping):
        return {_renamed(str(key)): _validation(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_validation(one) for one in value]
    return value.replace("selection", "validation") if isinstance(value, str) else value
