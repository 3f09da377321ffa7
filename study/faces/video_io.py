"""Where frames come from and go: a camera or a file; a window, a video file, lines of JSON or on the terminal."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError
from study.core.files import replacing, write_error
from study.faces.output import as_json
from study.faces.video import Frame, Watched

DEFAULT_RATE_HZ = 30.0
CAMERA_WIDTH, CAMERA_HEIGHT = 1280, 720
#: Frame counts of video files are partly estimates: so many may be missing before a file counts as cut short.
MISSING_SHARE = 0.05
#: Encoder, its settings and its pixels by the file's suffix. Browsers play H.264 in .mp4 and VP9 in .webm.
CODECS: dict[str, tuple[str, dict[str, str], str]] = {
    ".mp4": ("libx264", {"preset": "veryfast", "crf": "23"}, "yuv420p"),
    ".webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "crf": "32", "b": "0"}, "yuv420p"),
    ".avi": ("mjpeg", {"qmin": "3", "qmax": "3"}, "yuvj420p"),
}
WAITING_FRAMES = 8
QUIT_KEYS = (ord("q"), ord("Q"), 27)
TITLE = "study live"


class VideoSource(contextlib.AbstractContextManager["VideoSource"]):
    """An open camera, whose time is the clock's, or a video file; a context manager that closes it."""

    def __init__(self, capture: Any, name: str, camera: bool) -> None:
        import cv2

        self._capture = capture
        self._name = name
        self.camera = camera
        said = float(capture.get(cv2.CAP_PROP_FPS))
        #: Frames a second as the source says, or 30 where it says nothing sensible.
        self.rate_hz = said if math.isfinite(said) and 1 <= said <= 240 else DEFAULT_RATE_HZ
        self._expected = 0 if camera else int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.problem = ""  #: Empty, or one line on why the frames ended too early.

    def __exit__(self, *error: object) -> None:
        self._capture.release()

    def frames(self) -> Iterator[Frame]:
        """Yield the frames until there are no more; then ``problem`` says whether that was too early."""
        import cv2

        index, start, last_s = 0, time.perf_counter(), 0.0
        while True:
            fine, image = self._capture.read()
            if not fine or image is None:
                break
            if self.camera:
                last_s = time.perf_counter() - start
            elif index:  # the file's own time where it moves on, else counted
                own_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
                last_s = own_s if math.isfinite(own_s) and own_s > last_s else last_s + 1 / self.rate_hz
            yield Frame(index, last_s, image)
            index += 1
        if self.camera:
            self.problem = f"{self._name} gives no more pictures after {index} frames: is it still connected?"
        elif index < self._expected * (1 - MISSING_SHARE):
            self.problem = f"{self._name} ends after {index} of {self._expected} frames: it is damaged or cut short."


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
    if not os.path.isfile(path):
        raise UsageError(f"--video takes a video file, {path} is {'a folder' if os.path.isdir(path) else 'not there'}.")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened() or not int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)):
        capture.release()
        raise UsageError(f"--video takes a file that OpenCV can read, {path} is not a video, damaged or cut short.")
    return VideoSource(capture, str(path), camera=False)


def _quiet() -> None:
    """Keep OpenCV and what it calls from writing to standard error: what went wrong is said in one line."""
    import cv2

    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class Sink(ABC):
    """Takes frames with their answers."""

    @abstractmethod
    def write(self, watched: Watched, marked: NDArray[np.uint8]) -> None:
        """Take a frame, and its picture with the faces marked."""

    def close(self) -> None:  # noqa: B027 - a terminal has nothing to finish
        """Finish; what was taken so far is whole."""


class InBackground(Sink):
    """Hands frames to a sink, which nobody else may use, in a thread of its own; they wait where it is slower."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._thread = ThreadPoolExecutor(1, "sink")
        self._waiting: deque[Future[None]] = deque()

    def write(self, watched: Watched, marked: NDArray[np.uint8]) -> None:
        """Put a frame in line; raise what the sink raised about an earlier one."""
        self._waiting.append(self._thread.submit(self._sink.write, watched, marked))
        while len(self._waiting) > WAITING_FRAMES or self._waiting and self._waiting[0].done():
            self._waiting.popleft().result()

    def close(self) -> None:
        """Wait until all frames are taken and the sink is closed; raise what the sink raised."""
        self._thread.shutdown()
        try:
            while self._waiting:
                self._waiting.popleft().result()
        finally:
            self._sink.close()


class VideoFile(Sink):
    """A video file with marked frames, at the pace of the source: repeated where a camera was slow, dropped where fast.

    It is ``.mp4`` (H.264), ``.webm`` (VP9) or ``.avi`` (JPEG pictures, which no browser plays), and gets its name when
    it is whole. Where it cannot be written, nothing of it is left.

    Raises:
        UsageError: another suffix, or a folder that does not exist.
        WriteError: it cannot be written, in ``write`` and ``close``.
    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        if path.suffix.lower() not in CODECS:
            raise UsageError(f"--save takes a file named {', '.join(f'*{end}' for end in CODECS)}, got {path}.")
        if not os.path.isdir(path.parent) or os.path.isdir(path):
            raise UsageError(f"--save takes a file in a folder that exists, got {path}.")
        self.path = path
        self.frames = 0
        self._rate = Fraction(rate_hz).limit_denominator(1001)
        self._place = contextlib.ExitStack()
        self._container: Any = None  # PyAV's, open from the first frame on
        self._stream: Any = None

    def write(self, watched: Watched, marked: NDArray[np.uint8]) -> None:
        """Add a frame."""
        import av

        with self._one_line():
            if self._container is None:
                self._open(marked.shape[1], marked.shape[0])
            stream = self._stream
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(marked), format="bgr24")
            # A stream may change its size on its way, a video file cannot.
            frame = frame.reformat(stream.width, stream.height, stream.pix_fmt)
            due = round(watched.frame.time_s * self._rate) + 1
            while self.frames < due:
                frame.pts, frame.time_base = self.frames, 1 / self._rate
                self._container.mux(stream.encode(frame))
                self.frames += 1

    def close(self) -> None:
        """Write the file's end, without which players refuse it, and give it its name."""
        if self._container is not None:
            with self._one_line():
                self._container.mux(self._stream.encode(None))
                self._container.close()
                self._place.close()

    def _open(self, width: int, height: int) -> None:
        import av

        av.logging.set_level(av.logging.PANIC)
        codec, settings, pixels = CODECS[self.path.suffix.lower()]
        temporary = self._place.enter_context(replacing(self.path))
        self._container = av.open(str(temporary), "w", options={"movflags": "faststart"})
        self._stream = self._container.add_stream(codec, rate=self._rate, options=settings)
        # The encoders take even sizes only.
        self._stream.width, self._stream.height = max(2, width // 2 * 2), max(2, height // 2 * 2)
        self._stream.pix_fmt = pixels

    @contextlib.contextmanager
    def _one_line(self) -> Iterator[None]:
        """Remove what was written where that went wrong, and say why."""
        import av

        try:
            yield
        except (OSError, av.error.FFmpegError) as error:
            container, self._container = self._container, None
            with contextlib.suppress(OSError, av.error.FFmpegError):
                if container is not None:
                    container.close()
            with self._place:  # which removes the temporary file
                raise OSError(error.errno, error.strerror) from None


class JsonLines(Sink):
    """One line of JSON a frame, written at once.

    ``frame`` (from 0), ``time_s``, ``notice`` (empty, or what must be said with every answer) and ``faces``: each with
    ``id`` (from 1, the same while the face is seen) and the keys that ``study.faces.output.write_json`` has. The path
    ``-`` is standard output.

    Raises:
        UsageError: the file cannot be opened.
        WriteError: it takes no more, in ``write``; an OSError where it is standard output.
    """

    def __init__(self, path: Path, classes: Sequence[str], notice: str) -> None:
        self._path = path
        self._classes = classes
        self._notice = notice
        self._own = str(path) != "-"
        try:
            self._file: TextIO = path.open("w", encoding="utf-8") if self._own else sys.stdout
        except OSError as error:
            raise UsageError(f"--jsonl takes a file that can be written, got {path} ({error.strerror}).") from error

    def write(self, watched: Watched, marked: NDArray[np.uint8]) -> None:
        """Write a frame's line."""
        line = {
            "frame": watched.frame.index,
            "time_s": round(watched.frame.time_s, 3),
            "notice": self._notice,
            "faces": [answer.to_json(self._classes) for answer in watched.answers],
        }
        try:
            self._file.write(as_json(line) + "\n")  # in one piece, also when Ctrl-C comes
            self._file.flush()
        except OSError as error:
            if not self._own:
                raise
            raise write_error(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        if self._own:
            with contextlib.suppress(OSError):  # what it could not take was said
                self._file.close()


class Terminal(Sink):
    """A line whenever a face comes, shows something else or goes: what to watch where there is no window."""

    def __init__(self, classes: Sequence[str], say: Callable[[str], None]) -> None:
        self._classes = classes
        self._say = say
        self._labels: dict[int, int] = {}

    def write(self, watched: Watched, marked: NDArray[np.uint8]) -> None:
        """Say what changed."""
        now = {answer.track or 0: answer for answer in watched.answers}
        moment = f"{watched.frame.time_s:7.1f} s  face"
        for number, answer in now.items():
            if self._labels.get(number) != answer.label:
                share = 100 * answer.probabilities[answer.label]
                self._say(f"{moment} {number}  {self._classes[answer.label]} {share:.0f} %")
        for number in self._labels.keys() - now.keys():
            self._say(f"{moment} {number}  gone")
        self._labels = {number: answer.label for number, answer in now.items()}


class Window(Sink):
    """A window with the marked frames; ``paced`` when their time has come (files), a camera has its own pace."""

    def __init__(self, paced: bool) -> None:
        self._paced = paced
        self._start: float | None = None
        self.stopped = False  #: Whether q or Escape was pressed, or the window closed.

    def write(self, watched: Watched, marked: NDArray[np.uint8]) -> None:
        """Show a frame and look at the keys."""
        import cv2

        now = time.perf_counter()
        if self._start is None:
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(TITLE, marked.shape[1], marked.shape[0])
            self._start = now - watched.frame.time_s
        early_s = self._start + watched.frame.time_s - now if self._paced else 0.0
        cv2.imshow(TITLE, marked)
        key = cv2.waitKey(max(1, int(early_s * 1000))) & 0xFF
        self.stopped = key in QUIT_KEYS or cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1

    def close(self) -> None:
        """Close the window."""
        import cv2

        if self._start is not None:
            cv2.destroyAllWindows()


def window_problem() -> str:
    """Return why no window can be shown, or nothing.

    OpenCV ends the whole process where it finds no screen, so that a child process has to try it.
    """
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        return "no display is available"
    code = "import cv2; cv2.namedWindow('study'); cv2.waitKey(1); cv2.destroyAllWindows()"
    try:
        subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return "no window could be opened"
    return ""
