"""A video as a stream: frames in; faces searched, followed, shown to the network, smoothed; answers out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.faces.detection import Detector
from study.faces.pictures import cut_faces
from study.faces.prediction import Answer
from study.faces.tracking import Smoother, Tracker
from study.trained.runtime import Runtime

RATE_OVER_S = 1.0


@dataclass(frozen=True)
class Frame:
    """One frame of a video: uint8 (h, w, 3) BGR, counted from 0, its time in seconds never going back."""

    index: int
    time_s: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class Watched:
    """One frame with its faces by their numbers, and frames a second over the last second (0 at the start)."""

    frame: Frame
    answers: list[Answer]
    rate_hz: float


def watch(
    frames: Iterable[Frame],
    runtime: Runtime,
    detector: Detector,
    smoother: Smoother,
    every: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Watched]:
    """Yield every frame with its faces.

    Faces are searched in every ``every``-th frame, and at once again where one was seen for the first time. The network
    is asked about the faces that a search found; in between, boxes move on and answers stay.
    """
    tracker = Tracker()
    times: deque[float] = deque()  # of the frames of the last second
    for frame in frames:
        if frame.index % every == 0 or any(not track.number for track in tracker.tracks):
            found = tracker.update(detector.find(frame.image), frame.time_s)
            places = [track.at(frame.time_s) for track in found]
            told = runtime.probabilities(cut_faces(frame.image, places, runtime.image_shape)) if places else ()
            for track, probabilities in zip(found, told, strict=True):
                smoother.add(track.number, probabilities, frame.time_s)
            smoother.keep({track.number for track in tracker.tracks})
        answers = []
        for track in sorted(tracker.confirmed, key=lambda track: track.number):
            if (said := smoother.get(track.number)) is not None:
                unsure = bool(said.probabilities[said.label] < runtime.unsure_below)
                place, shares = track.at(frame.time_s), said.probabilities.copy()
                answers.append(Answer(place, track.score, shares, said.label, unsure, track.number))
        times.append(clock())
        while len(times) > 2 and times[-1] - times[0] > RATE_OVER_S:
            times.popleft()
        passed_s = times[-1] - times[0]
        yield Watched(frame, answers, (len(times) - 1) / passed_s if passed_s > 0 else 0.0)
