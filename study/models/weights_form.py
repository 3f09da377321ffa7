"""Weights files that may come from anywhere: numbers in HDF5 and nothing else, looked at before Keras reads them."""

from __future__ import annotations

import math
import mmap
from pathlib import Path
from typing import Any

from study.core.errors import WeightsError
from study.core.files import open_regular

#: Groups and arrays in one file; the largest networks of keras.applications have some thousands.
MOST_OBJECTS = 100_000
_DEEPEST = 32
#: What a weights file holds beside the network's own numbers, in units of their size: an optimizer's two moments.
_TIMES = 4
_FREE_BYTES = 64 << 20
#: Bytes that all attributes take together: Keras writes names of layers and arrays there.
_MOST_ATTRIBUTES = 16 << 20
#: Bytes that texts of any length could take together, where each were as large as the largest place for texts.
_MOST_TEXTS = 64 << 20
#: What a place for texts of any length begins with; its size follows after four more bytes.
#: Source: HDF5 File Format Specification 3.0, III.E "Global Heap".
_HEAP = b"GCOL"


def check_form(path: Path, parameters: int | None = None) -> None:
    """Refuse a file that holds anything but arrays of numbers about as large as a network.

    Whole models are refused too: what they say of layers is never read, so that a network is only ever what its entry
    builds. Links to other files, arrays that lie in other files or have several names, and arrays of objects are
    refused; so are attributes that could take more memory than the file has bytes.

    Args:
        path: The file.
        parameters: Numbers in the network that takes the weights; None where it is not built yet, for any size.

    Raises:
        WeightsError: not such a file.
    """
    import h5py

    if path.suffix == ".keras":
        raise _whole_model(path)
    try:
        open_regular(path).close()  # HDF5 itself would wait for a pipe
        with h5py.File(path, "r") as file:
            if "model_config" in file.attrs:
                raise _whole_model(path)
            found, _ = _contents(file, h5py)
    except WeightsError:
        raise
    except Exception as error:  # h5py raises what it pleases on files that are damaged
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise WeightsError(f"{path.name} must be an HDF5 file of weights, it cannot be read ({reason}).") from error
    if parameters is not None and found > (allowed := _FREE_BYTES + _TIMES * 4 * parameters):
        raise WeightsError(
            f"{path.name} must hold weights of a network of {parameters:,} parameters (at most {allowed >> 20} MiB), "
            f"it claims {found >> 20} MiB: give the weights of this network."
        )


def contents(path: Path) -> str:
    """Return how many arrays and numbers a file holds, in words; for messages on files that do not fit."""
    import h5py

    with h5py.File(path, "r") as file:
        found, arrays = _contents(file, h5py)
    return f"{arrays:,} arrays of {found // 4:,} numbers"


def _contents(file: Any, h5py: Any) -> tuple[int, int]:
    """Return the bytes that all arrays of a file claim to take in memory, and how many arrays there are.

    Raises:
        ValueError: something else than groups and arrays of numbers.
    """
    total, arrays, waiting = 0, 0, [(file, 0)]
    attributes, texts = _attributes(file, h5py)
    seen: set[Any] = set()

    def wrong(name: bytes, link: Any) -> str | None:
        """Return what ends the iteration: HDF5 lets no exception through."""
        if link.type != h5py.h5l.TYPE_HARD:
            return "it has links to other places"
        if link.u in seen:  # before it is opened: a small file has room for many names
            return "it has several names for one array"
        seen.add(link.u)
        return "it has too many or too deep groups" if len(seen) > MOST_OBJECTS or depth > _DEEPEST else None

    while waiting:
        group, depth = waiting.pop()
        reason, _ = group.id.links.iterate(wrong, info=True)
        if reason:
            raise ValueError(reason)
        for item in group.values():
            more, many = _attributes(item, h5py)
            attributes, texts = attributes + more, texts + many
            if attributes > _MOST_ATTRIBUTES:
                raise ValueError(f"its attributes take more than {_MOST_ATTRIBUTES >> 20} MiB")
            if isinstance(item, h5py.Group):
                waiting.append((item, depth + 1))
            elif not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub":
                raise ValueError("it holds something else than numbers")
            elif item.is_virtual or item.external:
                raise ValueError("its arrays lie in other files")
            else:
                total += item.dtype.itemsize * int(item.size or 0)
                arrays += 1
    if texts and texts * _largest_heap(Path(file.filename)) > _MOST_TEXTS:  # which may all be the same one
        raise ValueError(f"the texts of its attributes could take more than {_MOST_TEXTS >> 20} MiB")
    return total, arrays


def _attributes(item: Any, h5py: Any) -> tuple[int, int]:
    """Return the bytes that an object's attributes take, and how many texts of any length they have, without reading.

    Raises:
        ValueError: an attribute of other things of any length.
    """
    total, texts = 0, 0
    for index in range(h5py.h5a.get_num_attrs(item.id)):
        attribute = h5py.h5a.open(item.id, index=index)
        if not math.prod(attribute.shape):
            continue  # HDF5 raises where it is asked for the size of nothing
        kind = attribute.get_type()
        text = isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str()
        if text:
            texts += math.prod(attribute.shape)
        elif kind.detect_class(h5py.h5t.VLEN):
            raise ValueError("it has attributes of any length")
        total += attribute.get_storage_size()
    return total, texts


def _largest_heap(path: Path) -> int:
    """Return the bytes of the largest place for texts in a file; a text is no larger."""
    largest, place = 0, -1
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        while (place := data.find(_HEAP, place + 1)) >= 0:
            size = int.from_bytes(data[place + 8 : place + 16], "little")
            largest = max(largest, min(size, len(data) - place))
    return largest


def _whole_model(path: Path) -> WeightsError:
    return WeightsError(
        f"{path.name} is a whole model, which is never loaded: give its weights alone, as model.save_weights(...) "
        "writes them (.weights.h5), or the file without top that keras.applications publishes."
    )
