"""Answers about pictures as text, JSON, CSV or marked pictures: scripts rely on the forms, so keys stay as they are."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from study.core.files import output_error, write_atomically
from study.datasets.readers.place import printable
from study.faces.prediction import Seen
from study.trained.runtime import Runtime

FORMAT = 1
COLUMNS = ("image", "face", "left", "top", "width", "height", "label", "probability", "problem", "notice")
MORE_COLUMNS = ("score", "unsure")
#: What a spreadsheet takes for a formula at the beginning of a cell.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
JPEG_QUALITY = 92
#: Bytes of a picture's name that are kept: file systems take 255, some of which go to numbers and to temporary names.
NAME_BYTES = 160


@contextlib.contextmanager
def standard_output(utf8: bool = True) -> Iterator[TextIO]:
    """Give standard output; where it takes no more, this is one line.

    With ``utf8`` it is UTF-8 whatever the console's encoding: what programs read. Else what the console lacks is
    written as its code.

    Raises:
        WriteError: a full disk, or a pipe that was closed.
    """
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(encoding="utf-8" if utf8 else out.encoding, errors="backslashreplace")
    try:
        yield out
        out.flush()
    except OSError as error:
        raise output_error(error) from error


def as_json(data: Any, indent: int | None = None) -> str:
    """Return JSON in UTF-8's letters; control characters, also those above ASCII, are escaped."""
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    return re.sub(r"[\x7f-\x9f\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def text_lines(seen: Seen, classes: Sequence[str], top: int) -> Iterator[str]:
    """Yield the lines about one picture: its name, then one line a face with its ``top`` most probable classes."""
    name = printable(seen.source.name)
    if seen.problem:
        yield f"{name}: {seen.problem}"
        return
    yield f"{name}: " + ("taken as one face" if seen.whole else count(len(seen.answers), "face"))
    for number, face in enumerate(seen.answers, 1):
        order = np.argsort(-face.probabilities, kind="stable")[:top]
        shares = ", ".join(f"{classes[index]} {100 * face.probabilities[index]:.1f} %" for index in order)
        box = face.box
        place = "" if seen.whole else f"  ({box.width}x{box.height} at {box.left},{box.top}, score {face.score:.2f})"
        yield f"  {number}  {'unsure: ' if face.unsure else ''}{shares}{place}"


def write_json(found: Iterable[Seen], runtime: Runtime, file: TextIO) -> None:
    """Write everything as one JSON object.

    ``format`` (1), ``run`` (key), ``network`` (in words), ``runtime`` (``onnx``, ``litert``, ``keras``), ``classes``,
    ``notice`` (empty, or what must be said with every answer), ``unsure_below`` (a probability) and ``images``: each
    with ``image`` (name), ``width``, ``height``, ``whole`` (the picture was taken as one face), ``problem`` (empty,
    or why there are no faces) and ``faces``: each with ``box`` (``left``, ``top``, ``width``, ``height`` in pixels),
    ``score`` (the detector's), ``label``, ``unsure`` (the label's probability is below ``unsure_below``),
    ``probabilities`` by class and, where they were asked for and found, ``landmarks`` (468 points ``[x, y]`` in
    pixels).
    """
    document = {
        "format": FORMAT,
        "run": runtime.key,
        "network": runtime.origin,
        "runtime": runtime.kind,
        "classes": list(runtime.classes),
        "notice": runtime.notice,
        "unsure_below": round(runtime.unsure_below, 4),
        "images": [
            {
                "image": seen.source.name,
                "width": seen.width_px,
                "height": seen.height_px,
                "whole": seen.whole,
                "problem": seen.problem,
                "faces": [face.to_json(runtime.classes) for face in seen.answers],
            }
            for seen in found
        ],
    }
    file.write(as_json(document, indent=1) + "\n")


def write_csv(found: Iterable[Seen], runtime: Runtime, file: TextIO) -> None:
    """Write a row for each face, and one for a picture without: ``COLUMNS``, ``MORE_COLUMNS``, ``p_<class>`` by class.

    Text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    table = csv.writer(file, lineterminator="\n")
    table.writerow([*COLUMNS, *MORE_COLUMNS, *(f"p_{printable(name)}" for name in runtime.classes)])
    for seen in found:
        name, notice = cell(seen.source.name), cell(runtime.notice)
        for number, face in enumerate(seen.answers, 1):
            label, share = cell(runtime.classes[face.label]), _rounded(face.probabilities[face.label])
            more = _rounded(face.score), "yes" if face.unsure else "no"
            shares = map(_rounded, face.probabilities)
            table.writerow([name, number, *face.box, label, share, "", notice, *more, *shares])
        if not seen.answers:
            empty = [""] * (len(MORE_COLUMNS) + len(runtime.classes))
            table.writerow([name, *[""] * 7, cell(seen.problem), notice, *empty])


def save_marked(seen: Seen, runtime: Runtime, folder: Path, written: Collection[Path] = (), bars: bool = False) -> Path:
    """Write a picture that was kept, with its faces marked, into a folder: JPEG for a JPEG, PNG for anything else.

    It is named after the picture; pictures of one name, by what was ``written`` so far, are numbered. Returns where.

    Raises:
        WriteError: it cannot be written.
    """
    import cv2

    from study.faces.annotation import annotate

    if seen.picture is None:
        raise ValueError("the picture was not kept")
    original = seen.source.path or Path("standard-input.png")
    suffix = ".jpg" if original.suffix.lower() in (".jpg", ".jpeg") else ".png"
    stem = original.stem.encode(errors="surrogateescape")[:NAME_BYTES].decode(errors="ignore")
    path, number = folder / f"{stem}-faces{suffix}", 1
    while path in written:
        number += 1
        path = folder / f"{stem}-faces-{number}{suffix}"
    marked = annotate(seen.picture, seen.answers, runtime.classes, runtime.notice, whole=seen.whole, bars=bars)
    settings = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix == ".jpg" else []
    write_atomically(path, cv2.imencode(suffix, marked, settings)[1].tobytes())
    return path


def count(number: int, what: str) -> str:
    """Return ``1 face``, ``2 faces``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def _rounded(number: float) -> str:
    return f"{float(number):.4f}"


def cell(text: str) -> str:
    """Return a text as a cell of a CSV that no spreadsheet takes for a formula and no terminal for a command."""
    shown = printable(text)
    return f"'{shown}" if text.startswith(FORMULA) else shown
