"""The origin of a weights file: what `study pretrain` writes into it of its making, read without Keras."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.errors import WeightsError
from study.spec import canonical_json

#: Attribute of the HDF5 file's root; Keras reads no attributes there.
ATTRIBUTE = "study_origin"
FORMAT = 1
#: HDF5 keeps attributes of up to 64 KiB; an origin has a few hundred bytes.
MOST_BYTES = 16 << 10
_TEXT, _WHOLE, _NUMBER = (str,), (int,), (int, float)
#: Every field of an origin with its types.
FIELDS: Mapping[str, tuple[type, ...]] = {
    "format": _WHOLE,
    "model": _TEXT,
    "version": _TEXT,
    "dataset": _TEXT,
    "fingerprint": _TEXT,
    "classes": _WHOLE,
    "images": _WHOLE,
    "side_px": _WHOLE,
    "epochs": _WHOLE,
    "best_epoch": _WHOLE,
    "updates": _WHOLE,
    "batch": _WHOLE,
    "rate": _NUMBER,
    "seed": _WHOLE,
    "precision": _TEXT,
    "selection_accuracy": _NUMBER,
    "test_accuracy": _NUMBER,
    "plan": _TEXT,
    "code": _TEXT,
    "commit": _TEXT,
}


def with_origin(data: bytes, origin: Mapping[str, Any]) -> bytes:
    """Return the content of a weights file (HDF5) with its origin inside, so that the file's hash covers both."""
    import h5py

    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        file.attrs[ATTRIBUTE] = canonical_json(origin)
    return buffer.getvalue()


def read_origin(path: Path) -> dict[str, Any]:
    """Return the origin in a weights file; empty where `study pretrain` did not write it.

    Raises:
        WeightsError: the file is no HDF5, or what it says of its origin has another form.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if ATTRIBUTE not in file.attrs:
                return {}
            size = file.attrs.get_id(ATTRIBUTE).get_storage_size()
            text = file.attrs[ATTRIBUTE] if size <= MOST_BYTES else None
    except Exception as error:  # h5py raises what it pleases on files that are damaged
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise WeightsError(
            f"{path.name} must be an HDF5 file of weights, it cannot be read ({reason}): get it or make it again."
        ) from error
    try:
        origin = json.loads(text) if isinstance(text, str) and len(text) <= MOST_BYTES else None
    except (ValueError, RecursionError):
        origin = None
    if not isinstance(origin, dict) or not _fits(origin):
        raise WeightsError(
            f"{path.name} says of its origin what `study pretrain` does not write: make it again with this version."
        )
    return origin


def origin_words(origin: Mapping[str, Any]) -> str:
    """Return one line on an origin: what the weights were trained on, for how long and how well."""
    epochs = f"{origin['epochs']} epoch{'s' if origin['epochs'] != 1 else ''}"
    return (
        f"pretrained on {origin['dataset']} ({origin['images']:,} images of {origin['classes']} classes, {epochs} at "
        f"{origin['side_px']} px, test accuracy {100 * origin['test_accuracy']:.1f} %)"
    )


def _fits(origin: Mapping[str, Any]) -> bool:
    """Tell whether every field is there, of its type and possible, and no other."""
    if set(origin) != set(FIELDS) or any(type(origin[name]) not in kinds for name, kinds in FIELDS.items()):
        return False
    counts = (origin[name] for name, kinds in FIELDS.items() if kinds == _WHOLE)
    shares = (origin["selection_accuracy"], origin["test_accuracy"])
    return (
        origin["format"] == FORMAT
        and all(0 <= count < 1 << 63 for count in counts)
        and all(0 <= x <= 1 for x in shares)
    )
