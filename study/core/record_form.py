"""The form of a record's JSON: what every later reader relies on, checked once when the record is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

_TEXT, _FLAG, _WHOLE = (str,), (bool,), (int,)
_NUMBER = (int, float, type(None))
_SCALAR = (str, int, float, bool, type(None))
_ANY = (*_SCALAR, list, dict)

#: Names with ``?`` may be absent, ``*`` stands for all others; a list holds items of one form, a tuple the types.
_CARD: dict[str, Any] = {
    "name": _TEXT,
    "fingerprint": _TEXT,
    "classes": [_TEXT],
    "image_shape": [_WHOLE],
    "counts": {"*": [_WHOLE]},
    "split_source": _TEXT,
    "split_hashes": {"*": _TEXT},
    "drawn": _FLAG,
    "bound": _NUMBER,
    "notes": [_TEXT],
    "settings": {"*": _SCALAR},
    "*": _ANY,
}
_PHASE: dict[str, Any] = {
    "name": _TEXT,
    "kind?": _TEXT,
    "trainable?": _TEXT,
    "monitor?": _TEXT,
    "optimizer?": {"name?": _TEXT, "rate?": _NUMBER, "*": _ANY},
    "updates": _WHOLE,
    "updates_per_epoch": _WHOLE,
    "*": _ANY,
}
_SPEC: dict[str, Any] = {
    "dataset": {"name": _TEXT, "fingerprint": _TEXT, "*": _SCALAR},
    "model": {"name": _TEXT, "version": (str, int), "family": _TEXT, "*": _SCALAR},
    "protocol": {
        "name": _TEXT,
        "sampling?": _TEXT,
        "augmentation?": {"*": _ANY},
        "loss?": _TEXT,
        "mix?": _TEXT,
        "leak?": _TEXT,
        "twin?": _TEXT,
        "same_training_as?": _TEXT,
        "batch?": _WHOLE,
        "label_smoothing?": _NUMBER,
        "transfer_version?": _WHOLE,
        "phases": [_PHASE],
        "*": _ANY,
    },
    "budget": _TEXT,
    "side_px": _WHOLE,
    "weights": {"source": _TEXT, "sha256": _TEXT, "*": _SCALAR},
    "precision": _TEXT,
    "backend": _TEXT,
    "seed": _WHOLE,
}
_RECORD: dict[str, Any] = {
    "key": _TEXT,
    "status": _TEXT,
    "reason": _TEXT,
    "traceback": _TEXT,
    "spec": _SPEC,
    "dataset": _CARD,
    "history": [{"phase?": _TEXT, "*": _NUMBER}],
    "outcome": {"best_epoch?": (int, type(None)), "converged?": _FLAG, "sentences?": [_TEXT], "*": _ANY},
    "timing": {"*": _NUMBER},
    "cost": {"*": _NUMBER},
    "contamination": {"*": (int, float, bool, type(None))},
    "splits?": {"source?": _TEXT, "own_test?": _FLAG, "counts?": {"*": [_WHOLE]}, "hashes?": {"*": _TEXT}, "*": _ANY},
    "imported?": {"splits?": [_TEXT], "probabilities?": _FLAG, "*": _ANY},
    "pretraining?": {
        "dataset": _TEXT,
        "images": _WHOLE,
        "classes?": _WHOLE,
        "epochs?": _WHOLE,
        "side_px?": _WHOLE,
        "test_accuracy?": (int, float),
        "licence?": _TEXT,
        "source?": _TEXT,
        "*": _SCALAR,
    },
    "provenance": {"versions?": {"*": _SCALAR}, "*": _SCALAR},
    "weights_file": _TEXT,
    "weights_sha256?": _TEXT,
    "predictions_sha256": _TEXT,
    "*": _ANY,
}
#: The arrays beside a record by the end of their names: numpy's kinds of type, dimensions.
_ARRAYS = {
    "probabilities": ("f", 2),
    "flipped": ("f", 2),
    "labels": ("iu", 1),
    "indices": ("iu", 1),
    "seen": ("iu", 1),
}


def misfit(data: Any) -> str:
    """Return where a record's JSON has not the form of a record and what is there; empty where it has."""
    return _misfit(data, _RECORD, "record") or _contradiction(data)


def misfit_arrays(arrays: Mapping[str, NDArray[Any]], classes: int) -> str:
    """Return which of a record's arrays cannot be what its name says; empty where all can."""
    for name, array in arrays.items():
        what = name.rpartition("_")[2]
        if what not in _ARRAYS:
            continue
        kinds, dimensions = _ARRAYS[what]
        if array.dtype.kind not in kinds or array.ndim != dimensions:
            return f"{name} is {array.dtype} {array.shape}"
        if what in ("probabilities", "flipped"):
            labels = arrays.get(f"{name.rpartition('_')[0]}_labels")
            if array.shape[1] != classes or labels is None or array.shape[:1] != labels.shape or not len(array):
                return f"{name} is {array.shape}, with {classes} classes and other labels"
        if what == "labels" and array.size and not 0 <= array.min() <= array.max() < classes:
            return f"{name} lie in {array.min()}..{array.max()}, with {classes} classes"
    return ""


def _contradiction(data: Mapping[str, Any]) -> str:
    """Return what is of the right form and yet cannot be."""
    best, card, pretraining = data["outcome"].get("best_epoch"), data["dataset"], data.get("pretraining")
    wanted = {"licence", "source"}, {"classes", "epochs", "side_px", "test_accuracy"}
    if pretraining and not any(names <= set(pretraining) for names in wanted):
        return "pretraining is neither what was measured nor what was declared of a weights file"
    if best is not None and data["history"] and not 0 <= best < len(data["history"]):
        return f"best_epoch is {best} of {len(data['history'])} epochs"
    if len(card["image_shape"]) != 3 or min(card["image_shape"]) < 1:
        return f"image_shape is {card['image_shape']!r}"
    if len(set(card["classes"])) != len(card["classes"]) or len(card["classes"]) < 2:
        return "classes are fewer than two or not different"
    wrong = next((name for name, row in card["counts"].items() if len(row) != len(card["classes"])), None)
    return "" if wrong is None else f"counts of {wrong!r} are not one a class"


def _misfit(value: Any, form: Any, where: str) -> str:
    if isinstance(form, tuple):
        if type(value) in form:
            return ""
        return f"{where} is {_shown(value)}"
    if isinstance(form, list):
        if not isinstance(value, list):
            return f"{where} is {_shown(value)}"
        return next((found for item in value if (found := _misfit(item, form[0], f"an item of {where}"))), "")
    if not isinstance(value, dict):
        return f"{where} is {_shown(value)}"
    missing = next((name for name in form if name != "*" and name[-1] != "?" and name not in value), None)
    if missing:
        return f"{missing} is missing in {where}"
    for name, item in value.items():
        fits = form.get(name, form.get(f"{name}?", form.get("*")))
        if fits is None:
            return f"{where} has {_shown(name)}"
        if found := _misfit(item, fits, name if name in form or f"{name}?" in form else f"{where}'s {_shown(name)}"):
            return found
    return ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
