"""Pictures in, answers out: the faces of each picture, and what the network says about them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.faces.detection import Box, Detection, Detector
from study.faces.pictures import MAX_PIXELS, Source, cut_faces, find_faces, formats_of, read_picture
from study.trained.runtime import Runtime

NO_FACE = "no face found"
#: Faces that the network is asked about at once, and pixels of pictures that wait for their faces' answers.
MOST_FACES = 64
MOST_PIXELS = 1 << 24


@dataclass(frozen=True)
class Answer:
    """What is said about one face."""

    box: Box
    score: float  #: How sure the detector is that it is a face.
    probabilities: NDArray[np.float32]  #: float32 (classes,).
    #: Index of the class that it is said to show: the most probable one, or in a video the one that has been so for a
    #: while.
    label: int
    unsure: bool = False  #: Whether its probability is too low to rely on.
    track: int | None = None  #: In a video the number that the face keeps from frame to frame.
    landmarks: NDArray[np.float32] | None = None  #: float32 (468, 2) in pixels, where they were asked for and found.

    def named(self, classes: Sequence[str]) -> str:
        """Return the label in words: ``happy``, or ``unsure (happy?)``."""
        return f"unsure ({classes[self.label]}?)" if self.unsure else classes[self.label]

    def to_json(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return plain JSON data; the keys are explained in ``study.faces.output.write_json``."""
        shares = zip(classes, self.probabilities, strict=True)
        return {
            **({} if self.track is None else {"id": self.track}),
            "box": self.box._asdict(),
            "score": round(self.score, 4),
            "label": classes[self.label],
            "unsure": self.unsure,
            "probabilities": {name: round(float(share), 4) for name, share in shares},
            **({} if self.landmarks is None else {"landmarks": self.landmarks.round(1).astype(float).tolist()}),
        }


def answer(found: Detection, probabilities: NDArray[np.float32], unsure_below: float = 0.0) -> Answer:
    """Return the answer that names the most probable class."""
    label = int(probabilities.argmax())
    return Answer(found.box, found.score, probabilities, label, bool(probabilities[label] < unsure_below))


@dataclass
class Seen:
    """What was seen in a picture."""

    source: Source
    width_px: int = 0  #: Its width; 0, as its height, where it cannot be read.
    height_px: int = 0
    whole: bool = False  #: Whether the whole picture was taken as one face.
    problem: str = ""  #: Why there are no answers: not readable, or no face found; else empty.
    readable: bool = True
    answers: list[Answer] = field(default_factory=list)  #: The faces from left to right, once the network was asked.
    picture: NDArray[np.uint8] | None = None  #: uint8 (h, w, 3) BGR where it was to be kept.


def all_refused(sources: Sequence[Source]) -> list[Seen]:
    """Return what is wrong with the pictures where none of them can be opened; known before a network is started."""
    from study.datasets.readers.image_file import open_image, strict_pillow

    refused = []
    with strict_pillow():
        for source in sources:
            if source.path is None or not source.named:
                return []
            try:
                with open_image(source.path, MAX_PIXELS, formats_of):
                    return []
            except ValueError as error:
                refused.append(Seen(source, problem=str(error), readable=False))
    return refused


def look(
    sources: Iterable[Source],
    runtime: Runtime,
    detector: Detector,
    *,
    crops: bool = False,
    landmarks: bool = False,
    keep: bool = False,
) -> Iterator[Seen]:
    """Yield what is seen in each picture, in their order; the network is asked about the faces of several at once.

    ``crops`` takes every picture as one face, ``landmarks`` finds the points of each face too, and ``keep`` keeps the
    pictures, to draw on them.
    """
    from study.datasets.readers.image_file import strict_pillow
    from study.faces.landmarks import FaceMesh

    mesh = FaceMesh() if landmarks else None
    waiting: list[tuple[Seen, list[Detection], list[NDArray[np.float32] | None], NDArray[np.uint8]]] = []

    def answered() -> Iterator[Seen]:
        asked = [faces for *_, faces in waiting if len(faces)]
        told = iter(runtime.probabilities(np.concatenate(asked)) if asked else ())
        for seen, found, points, _ in waiting:
            for face, marks in zip(found, points, strict=True):
                seen.answers.append(replace(answer(face, next(told), runtime.unsure_below), landmarks=marks))
            yield seen
        waiting.clear()

    with strict_pillow():
        for source in sources:
            seen = Seen(source)
            found: list[Detection] = []
            faces = np.empty((0, *runtime.image_shape), np.uint8)
            points: list[NDArray[np.float32] | None] = []
            try:
                picture = read_picture(source.path or sys.stdin.buffer)
            except ValueError as error:
                seen.problem, seen.readable = str(error), False
            else:
                seen.height_px, seen.width_px = picture.shape[:2]
                found, seen.whole = find_faces(picture, detector, crops)
                seen.problem = "" if found else NO_FACE
                seen.picture = picture if keep else None
                faces = cut_faces(picture, [face.box for face in found], runtime.image_shape)
                points = [mesh.points(picture, face.box) if mesh else None for face in found]
            waiting.append((seen, found, points, faces))
            held = sum(one.width_px * one.height_px for one, *_ in waiting) if keep else 0
            if sum(len(found) for _, found, *_ in waiting) >= MOST_FACES or held >= MOST_PIXELS:
                yield from answered()
    yield from answered()
