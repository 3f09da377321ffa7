"""Answers about pictures as text, JSON or CSV. The forms are what scripts rely on: what is there keeps its meaning."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

import numpy as np

from study.faces.answers import Answer
from study.faces.prediction import Seen
from study.trained.runtime import Runtime

FORMAT = 1
COLUMNS = ("image", "face", "left", "top", "width", "height", "label", "probability", "problem", "notice")


def text_lines(seen: Seen, classes: Sequence[str], top: int) -> Iterator[str]:
    """Yield the lines about one picture: its name, then one line a face with its ``top`` most probable classes."""
    if seen.problem:
        yield f"{seen.source.name}: {seen.problem}"
        return
    faces = "taken as one face" if seen.whole else f"{len(seen.answers)} face{'s' * (len(seen.answers) > 1)}"
    yield f"{seen.source.name}: {faces}"
    for number, face in enumerate(seen.answers, 1):
        order = np.argsort(-face.probabilities, kind="stable")[:top]
        shares = ", ".join(f"{classes[index]} {100 * face.probabilities[index]:.1f} %" for index in order)
        box = face.box
        place = "" if seen.whole else f"  ({box.width}x{box.height} at {box.left},{box.top})"
        yield f"  {number}  {shares}{place}"


def json_document(found: Iterable[Seen], runtime: Runtime) -> dict[str, Any]:
    """Return everything as one JSON object.

    ``format`` (1), ``run`` (key), ``runtime`` (``onnx``, ``litert``, ``keras``), ``classes``, ``notice`` (empty, or
    what must be said with every answer) and ``images``: each with ``image`` (name), ``width``, ``height``, ``whole``
    (the picture was taken as one face), ``problem`` (empty, or why there are no faces) and ``faces``: each with ``box``
    (``left``, ``top``, ``width``, ``height`` in pixels), ``label`` and ``probabilities`` by class.
    """
    return {
        "format": FORMAT,
        "run": runtime.key,
        "runtime": runtime.kind,
        "classes": list(runtime.classes),
        "notice": runtime.notice,
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


def write_json(found: Iterable[Seen], runtime: Runtime, file: TextIO) -> None:
    """Write ``json_document``."""
    json.dump(json_document(found, runtime), file, ensure_ascii=False, indent=1)
    file.write("\n")


def write_csv(found: Iterable[Seen], runtime: Runtime, file: TextIO) -> None:
    """Write one row a face, and one for a picture without a face: ``COLUMNS``, then ``p_<class>`` for each class."""
    table = csv.writer(file, lineterminator="\n")
    table.writerow([*COLUMNS, *(f"p_{name}" for name in runtime.classes)])
    for seen in found:
        for number, face in enumerate(seen.answers, 1):
            table.writerow([seen.source.name, number, *_fields(face, runtime), "", runtime.notice, *_shares(face)])
        if not seen.answers:
            empty = [""] * (6 + 1)
            table.writerow([seen.source.name, *empty, seen.problem, runtime.notice, *([""] * len(runtime.classes))])


def _fields(face: Answer, runtime: Runtime) -> list[object]:
    return [*face.box, runtime.classes[face.label], f"{float(face.probabilities[face.label]):.4f}"]


def _shares(face: Answer) -> list[str]:
    return [f"{float(share):.4f}" for share in face.probabilities]
