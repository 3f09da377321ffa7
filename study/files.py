"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from study.errors import StoreError


def write_atomically(path: Path, data: bytes) -> None:
    """Write bytes so that the file is either the old one or the whole new one, also after a crash.

    Raises:
        StoreError: the folder cannot be written or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(f"cannot write {path} ({error.strerror}). Free space or choose another folder.") from error
