"""Pictures and the camera's frames: faces found, the network asked, and the answers drawn or sent to be drawn.

An uploaded picture is decoded whatever it is called; frames come one at a time and take the steps of `study live`.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.recipes import is_leaky
from study.core.record import Record
from study.core.store import Store
from study.faces.annotation import annotate, colour_of, label_text
from study.faces.detection import Detector
from study.faces.pictures import cut_faces, find_faces
from study.faces.prediction import Answer, answer
from study.faces.tracking import Smoother
from study.faces.video import Frame, watch
from study.report.collect import StudyData
from study.trained.formats import find_exports
from study.trained.runtime import PACKAGES, Runtime
from study.web.decoding import decode

MOST_MB = 10
#: Longer and shorter side of a frame.
LARGEST_PX, SMALLEST_PX = 640, 16
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


class Live:
    """One look through the camera: faces keep their numbers, answers are smoothed."""

    def __init__(self, runtime: Runtime, detector: Detector) -> None:
        self._runtime = runtime
        self._frame: Frame
        self._watched = watch(self._frames(), runtime, detector, Smoother(), every=1)

    def ask(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the page draws over the video: the frame's number, and box, words and colour of each face.

        Args:
            sent: ``number`` of the frame, ``width``, ``height`` and ``pixels`` (base64 of RGB bytes, row by row).

        Raises:
            ValueError: it is no frame.
        """
        self._frame = Frame(0, time.monotonic(), frame_image(sent))
        with ONE_AT_A_TIME:
            seen = next(self._watched)
        faces = [
            {
                "box": list(one.box),
                "words": label_text(one, self._runtime.classes),
                "colour": "rgb({2} {1} {0})".format(*colour_of(one.label)),
            }
            for one in seen.answers
        ]
        return {"number": sent["number"], "width": sent["width"], "faces": faces, "rate": round(seen.rate_hz, 1)}

    def _frames(self) -> Iterator[Frame]:
        while True:
            yield self._frame


def frame_image(sent: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return a frame as uint8 (height, width, 3), BGR: raw pixels, so that nothing needs to be decoded.

    Raises:
        ValueError: sizes out of range, or pixels that do not fit them.
    """
    try:
        width, height, pixels = int(sent["width"]), int(sent["height"]), str(sent["pixels"])
        if min(width, height) >= SMALLEST_PX and max(width, height) <= LARGEST_PX and len(pixels) == 4 * width * height:
            data = base64.b64decode(pixels, validate=True)
            return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(height, width, 3)[..., ::-1])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError("not a frame of the camera") from error
    raise ValueError("not a frame of the camera")
