"""Pictures in, answers out: which pictures are meant, the faces in each, and what the network says about them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError
from study.faces.answers import Answer, answer
from study.faces.faces import Box, Detector
from study.trained.runtime import Runtime

STANDARD_INPUT = "-"
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
NO_FACE = "no face found"
#: Faces that the network is asked about at once, and pixels of pictures that wait for their faces' answers.
MOST_FACES = 64
MOST_PIXELS = 1 << 24


@dataclass(frozen=True)
class Source:
    """A picture that is asked about.

    Attributes:
        name: As it was given, or the folder's path with the file's name.
        path: The file; None for standard input.
        named: Given by name, not found in a folder: it must be a picture.
    """

    name: str
    path: Path | None
    named: bool = True


@dataclass
class Seen:
    """What was seen in a picture.

    Attributes:
        source: The picture.
        width_px: Its width; 0 where it cannot be read.
        height_px: Its height.
        whole: Whether the whole picture was taken as one face.
        problem: Why there are no answers: not readable, or no face found; else empty.
        readable: Whether it is a picture.
        answers: The faces from left to right, once the network was asked.
        picture: uint8 (h, w, 3) BGR where it was to be kept.
    """

    source: Source
    width_px: int = 0
    height_px: int = 0
    whole: bool = False
    problem: str = ""
    readable: bool = True
    answers: list[Answer] = field(default_factory=list)
    picture: NDArray[np.uint8] | None = None


def gather(words: Sequence[str]) -> tuple[list[Source], int]:
    """Return the pictures that files, folders and ``-`` mean, and how many other files the folders hold.

    Folders are looked through with all that is in them, sorted by name; what has no picture's suffix there is skipped.

    Raises:
        UsageError: a path that does not exist, a folder without pictures, or standard input twice.
    """
    sources: list[Source] = []
    skipped = 0
    for word in words:
        path = Path(word)
        if word == STANDARD_INPUT:
            sources.append(Source(word, None))
        elif path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.is_file())
            pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
            if not pictures:
                raise UsageError(
                    f"a folder must hold pictures ({', '.join(SUFFIXES)}), {word} has none in {len(files)} files."
                )
            skipped += len(files) - len(pictures)
            sources += [Source(str(file), file, named=False) for file in pictures]
        elif path.exists():
            sources.append(Source(word, path))
        else:
            raise UsageError(f"--image takes pictures, folders of them or - for standard input, {word} does not exist.")
    if sum(source.path is None for source in sources) > 1:
        raise UsageError("standard input can be read once: give - a single time.")
    return sources, skipped


def all_refused(sources: Sequence[Source]) -> list[Seen]:
    """Return what is wrong with the pictures where none of them can be opened; known before a network is started."""
    from study.datasets.readers.image_file import open_image, strict_pillow
    from study.faces.pictures import MAX_PIXELS

    refused = []
    with strict_pillow():
        for source in sources:
            if source.path is None or not source.named:
                return []
            try:
                with open_image(source.path, MAX_PIXELS):
                    return []
            except ValueError as error:
                refused.append(Seen(source, problem=str(error), readable=False))
    return refused


def look(
    sources: Iterable[Source], runtime: Runtime, detector: Detector, *, crops: bool = False, keep: bool = False
) -> Iterator[Seen]:
    """Yield what is seen in each picture, in their order; the network is asked about the faces of several at once.

    Args:
        sources: The pictures.
        runtime: The network.
        detector: Looks for faces.
        crops: Take every picture as one face.
        keep: Keep the pictures, to draw on them.
    """
    from study.datasets.readers.image_file import strict_pillow
    from study.faces.crops import cut_faces, find_faces
    from study.faces.pictures import read_picture

    waiting: list[tuple[Seen, list[Box], NDArray[np.uint8]]] = []
    with strict_pillow():
        for source in sources:
            seen = Seen(source)
            boxes: list[Box] = []
            faces = np.empty((0, *runtime.image_shape), np.uint8)
            try:
                picture = read_picture(source.path or sys.stdin.buffer)
            except ValueError as error:
                seen.problem, seen.readable = str(error), False
            else:
                seen.height_px, seen.width_px = picture.shape[:2]
                boxes, seen.whole = find_faces(picture, detector, crops)
                seen.problem = "" if boxes else NO_FACE
                seen.picture = picture if keep else None
                faces = cut_faces(picture, boxes, runtime.image_shape)
            waiting.append((seen, boxes, faces))
            held = sum(one.width_px * one.height_px for one, _, _ in waiting) if keep else 0
            if sum(len(found) for _, found, _ in waiting) >= MOST_FACES or held >= MOST_PIXELS:
                yield from _answered(waiting, runtime)
                waiting = []
    yield from _answered(waiting, runtime)


def _answered(waiting: Sequence[tuple[Seen, list[Box], NDArray[np.uint8]]], runtime: Runtime) -> Iterator[Seen]:
    asked = [faces for _, _, faces in waiting if len(faces)]
    told = iter(runtime.probabilities(np.concatenate(asked)) if asked else ())
    for seen, boxes, _ in waiting:
        seen.answers = [answer(box, next(told)) for box in boxes]
        yield seen
