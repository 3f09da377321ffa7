"""Where frames come from: a camera or a video file, opened by OpenCV, with a reason when they end too early."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from study.core.errors import UsageError
from study.faces.video import Frame

DEFAULT_RATE_HZ = 30.0
CAMERA_WIDTH, CAMERA_HEIGHT = 1280, 720
#: Frame counts of video files are partly estimates: so many may be missing before a file counts as cut short.
MISSING_SHARE = 0.05


class VideoSource:
    """An open camera or video file; a context manager that closes it.

    Args:
        capture: OpenCV's ``VideoCapture``, opened.
        name: What it is, for messages.
        camera: Whether it is a camera: its time is the clock's.

    Attributes:
        rate_hz: Frames a second as the source says, or 30 where it says nothing sensible.
        problem: Empty, or one line on why the frames ended too early.
        camera: Whether it is a camera.
    """

    def __init__(self, capture: Any, name: str, camera: bool) -> None:
        import cv2

        self._capture = capture
        self._name = name
        self.camera = camera
        said = float(capture.get(cv2.CAP_PROP_FPS))
        self.rate_hz = said if math.isfinite(said) and 1 <= said <= 240 else DEFAULT_RATE_HZ
        self._expected = 0 if camera else int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.problem = ""

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.release()

    def frames(self) -> Iterator[Frame]:
        """Yield the frames until there are no more; then ``problem`` says whether that was too early."""
        index, start, last_s = 0, time.perf_counter(), 0.0
        while True:
            fine, image = self._capture.read()
            if not fine or image is None:
                break
            last_s = time.perf_counter() - start if self.camera else self._file_time(index, last_s)
            yield Frame(index, last_s, image)
            index += 1
        if self.camera:
            self.problem = f"{self._name} gives no more pictures after {index} frames: is it still connected?"
        elif index < self._expected * (1 - MISSING_SHARE):
            self.problem = f"{self._name} ends after {index} of {self._expected} frames: it is damaged or cut short."

    def _file_time(self, index: int, last_s: float) -> float:
        """Return the time of the frame that was read: the file's own where it moves on, else counted."""
        import cv2

        own_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        if index == 0:
            return 0.0
        return own_s if math.isfinite(own_s) and own_s > last_s else last_s + 1 / self.rate_hz


def open_camera(number: int) -> VideoSource:
    """Open a camera at 1280x720 where it can.

    Raises:
        UsageError: there is no such camera, or it gives no pictures.
    """
    import cv2

    _quiet()
    capture = cv2.VideoCapture(number)
    if capture.isOpened():
        # Compressed, because most cameras are slow at this size otherwise.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, CAMERA_WIDTH)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, CAMERA_HEIGHT)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if capture.read()[0]:
            return VideoSource(capture, f"camera {number}", camera=True)
    capture.release()
    raise UsageError(
        f"--camera takes the number of a camera, number {number} cannot be opened: connect one, close what else uses "
        "it, or give --video FILE."
    )


def open_video(path: Path) -> VideoSource:
    """Open a video file.

    Raises:
        UsageError: it does not exist or holds no video that OpenCV can read.
    """
    import cv2

    _quiet()
    if not path.is_file():
        raise UsageError(f"--video takes a video file, {path} is {'a folder' if path.is_dir() else 'not there'}.")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened() or not int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)):
        capture.release()
        raise UsageError(f"--video takes a file that OpenCV can read, {path} is no video, damaged or cut short.")
    return VideoSource(capture, str(path), camera=False)


def _quiet() -> None:
    """Keep OpenCV and what it calls from writing to standard error: what went wrong is said in one line."""
    import cv2

    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
