"""An uploaded picture: decoded whatever it is called, its faces found, the network asked, the answers drawn on it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from study.analysis.recipes import is_leaky
from study.core.record import Record
from study.core.store import Store
from study.faces.detection import Detector
from study.faces.prediction import Answer, answer
from study.report.collect import StudyData
from study.trained.formats import find_exports
from study.trained.runtime import PACKAGES, Runtime
from study.web.decoding import decode

MOST_MB = 10
#: Detectors and networks answer one at a time.
ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Asked:
    """What is said about a picture."""

    marked: NDArray[np.uint8]  #: uint8 (height, width, 3) RGB with boxes and labels.
    answers: tuple[Answer, ...]  #: The faces from left to right.
    whole: bool  #: Whether the picture was taken as one face.


def ask(data: bytes, runtime: Runtime, detector: Detector) -> Asked:
    """Return what the network says about the faces of a picture.

    Raises:
        ValueError: not to be read as a picture, with a short reason.
    """
    from study.faces.annotation import annotate
    from study.faces.pictures import cut_faces, find_faces

    if len(data) > MOST_MB << 20:
        raise ValueError(f"more than {MOST_MB} MB")
    picture = decode(data)
    with ONE_AT_A_TIME:
        found, whole = find_faces(picture, detector)
        boxes = [face.box for face in found]
        said = runtime.probabilities(cut_faces(picture, boxes, runtime.image_shape)) if boxes else ()
    answers = tuple(answer(face, one, runtime.unsure_below) for face, one in zip(found, said, strict=True))
    marked = annotate(picture, answers, runtime.classes, runtime.notice, whole=whole)
    return Asked(np.ascontiguousarray(marked[..., ::-1]), answers, whole)


def usable_runs(store: Store, data: StudyData) -> list[tuple[Record, str]]:
    """Return the runs whose network is here with what it would run on, the best on the validation split first.

    Leaky runs and those on a split of their own come last.
    """
    found = []
    for run in data.finished:
        record = run.record
        kinds = find_exports(store, record).keys() if not record.imported else ()
        kind = next((name for name, package in PACKAGES.items() if name in kinds and find_spec(package)), "")
        if not kind and record.weights_file and store.weights_path(record.spec).is_file():
            kind = "keras"
        if kind:
            apart = is_leaky(record) or not record.on_own_test
            found.append(((apart, -run.validation.accuracy, run.validation.log_loss), record, kind))
    return [(record, kind) for _, record, kind in sorted(found, key=lambda one: one[0])]
