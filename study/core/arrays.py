"""Arrays from bytes that may come from anywhere: nothing is unpickled, nothing allocated that is only claimed."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Arrays in one archive, and bytes that they may unpack to together; a study's predictions take a few MiB.
MOST_ARRAYS = 100
MOST_BYTES = 256 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_array(data: bytes) -> NDArray[Any]:
    """Return the array of a .npy file's bytes.

    Raises:
        ValueError: not such bytes, more or fewer than the header says, or an array of Python objects.
    """
    try:
        file = io.BytesIO(data)
        read_header = _HEADERS[np.lib.format.read_magic(file)]
        shape, by_columns, kind = read_header(file)
        if kind.hasobject:
            raise ValueError("it holds Python objects, which are never loaded")
        if not all(type(length) is int and length >= 0 for length in shape):
            raise ValueError("its shape is none")
        start, count = file.tell(), math.prod(shape)
        if count * kind.itemsize != len(data) - start:
            raise ValueError(f"it claims {count} values of {kind.itemsize} bytes, found {len(data) - start} bytes")
        flat = np.frombuffer(data, kind, count, start) if count and kind.itemsize else np.empty(count, kind)
        return flat.reshape(shape, order="F" if by_columns else "C").copy()
    except ValueError:
        raise
    except Exception as error:  # numpy reads the header as Python's literals and lets what their parser raises pass
        raise ValueError(f"its header cannot be read ({type(error).__name__})") from error


def read_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of a .npz file's bytes by name.

    Raises:
        ValueError: not such bytes, too many arrays or arrays that are too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            total = sum(entry.file_size for entry in entries)
            if len(entries) > MOST_ARRAYS or total > MOST_BYTES:
                raise ValueError(
                    f"at most {MOST_ARRAYS} arrays of {MOST_BYTES >> 20} MiB together are read, "
                    f"found {len(entries)} of {total >> 20} MiB"
                )
            if any(entry.compress_type not in _METHODS for entry in entries):
                raise ValueError("it is packed in another way than ours")
            return {entry.filename.removesuffix(".npy"): read_array(archive.read(entry)) for entry in entries}
    except ValueError:
        raise
    except Exception as error:  # zipfile lets what zlib and its own unpacking of fields raise pass
        raise ValueError(" ".join(str(error).split())[:120] or type(error).__name__) from error


def write_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a compressed .npz whose bytes depend on the arrays alone (sorted names, fixed dates)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(arrays):
            part = io.BytesIO()
            np.lib.format.write_array(part, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(
                zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), part.getvalue(), zipfile.ZIP_DEFLATED
            )
    return buffer.getvalue()


_HEADERS: dict[tuple[int, int], Any] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
