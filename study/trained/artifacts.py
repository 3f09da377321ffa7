"""Exports on disk: where they lie beside a run's weights, their manifest, and whether they still belong to the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.core.files import file_sha256, read_regular, write_atomically
from study.core.record import Record
from study.core.store import Store
from study.trained.formats import FORMATS

MANIFEST = "export.json"
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Artifact:
    """One exported model: its file with its sha256, or the folder of a SavedModel without."""

    path: Path
    sha256: str

    def intact(self) -> bool:
        """Tell whether the file is there as it was written."""
        return self.path.is_file() and file_sha256(self.path) == self.sha256


def export_folder(store: Store, record: Record) -> Path:
    """Return where a run's exports lie: beside its weights, outside git."""
    return store.record_path(record.spec).with_suffix(".export")


def find_exports(store: Store, record: Record) -> dict[str, Artifact]:
    """Return the exports beside a run's weights by kind, as far as they were made from this run's weights.

    Where the weights file is there its hash decides; without it, that the record has not been replaced since. What is
    unreadable counts as not there.
    """
    folder = export_folder(store, record)
    manifest = read_manifest(folder)
    weights = store.weights_path(record.spec)
    if manifest is None or not belongs(manifest, record):
        return {}
    if weights.is_file() and file_sha256(weights) != manifest["weights_sha256"]:
        return {}
    return {
        kind: Artifact(folder / entry["file"], entry["sha256"])
        for kind, entry in manifest["exports"].items()
        if (folder / entry["file"]).exists()
    }


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return what a folder of exports says it holds, or None where it says nothing that can be read."""
    try:
        manifest = json.loads(read_regular(folder / MANIFEST, _MOST_BYTES))
        known = {name: manifest[name] for name in ("key", "weights_sha256", "predictions_sha256")}
        exports = {kind: dict(entry) for kind, entry in manifest["exports"].items()}
        if any(entry["file"] != FORMATS[kind].file for kind, entry in exports.items()):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return {**known, "exports": exports}


def belongs(manifest: Mapping[str, Any], record: Record) -> bool:
    """Tell whether exports were made from this record, and not from one that it replaced."""
    return bool(manifest["key"] == record.key and manifest["predictions_sha256"] == record.predictions_sha256)


def write_manifest(folder: Path, record: Record, weights_sha256: str, exports: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write what a folder of exports holds; ``exports`` has by kind ``file``, ``sha256`` and whatever was measured."""
    content = {
        "key": record.key,
        "weights_sha256": weights_sha256,
        "predictions_sha256": record.predictions_sha256,
        "classes": list(record.dataset.classes),
        "image_shape": list(record.dataset.image_shape),
        "drawn": bool(record.dataset.drawn),
        "exports": {kind: dict(entry) for kind, entry in sorted(exports.items())},
    }
    path = folder / MANIFEST
    write_atomically(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return path
