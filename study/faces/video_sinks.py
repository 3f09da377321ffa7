"""Where answers about a video go: a window, a video file, lines of JSON, or lines on the terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from study.core.errors import UsageError
from study.faces.video import Watched

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
QUIT_KEYS = (ord("q"), ord("Q"), 27)
TITLE = "study live"


class Sink(Protocol):
    """Takes frames with their answers."""

    def write(self, watched: Watched, marked: NDArray[np.uint8]) -> None:
        """Take a frame, and its picture with the faces marked."""
        ...

    def close(self) -> None:
        """Finish; what was taken so far is whole."""
        ...


class VideoFile:
    """A video file with marked frames, at the pace of the source: repeated where a camera was slow, dropped where fast.

    Args:
        path: ``.mp4`` or ``.avi``.
        rate_hz: Frames a second.

    Raises:
        UsageError: another suffix, or a folder that does not exist.
    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        if path.suffix.lower() not in CODECS:
            raise UsageError(f"--save takes a file named {' or '.join(f'*{end}' for end in CODECS)}, got {path}.")
        if not path.parent.is_dir() or path.is_dir():
            raise UsageError(f"--save takes a file in a folder that exists, got {path}.")
        self.path = path
        self.rate_hz = rate_hz
        self.frames = 0
        self._writer: Any = None
        self._size = (0, 0)

    def write(self, watched: Watched, marked: NDArray[np.uint8]) -> None:
        """Add a frame.

        Raises:
            UsageError: the file cannot be written.
        """
        import cv2

        size = (marked.shape[1], marked.shape[0])
        if self._writer is None:
            self._size = size
            codec = cv2.VideoWriter.fourcc(*CODECS[self.path.suffix.lower()])
            self._writer = cv2.VideoWriter(str(self.path), cv2.CAP_FFMPEG, codec, self.rate_hz, size)
            if not self._writer.isOpened():
                raise UsageError(f"--save: {self.path} cannot be written as a video: choose another place.")
        if size != self._size:  # a stream may change its size on its way, a video file cannot
            marked = np.asarray(cv2.resize(marked, self._size, interpolation=cv2.INTER_AREA), np.uint8)
        due = round(watched.frame.time_s * self.rate_hz) + 1
        while self.frames < due:
            self._writer.write(marked)
            self.frames += 1

    def close(self) -> None:
        """Write the file's end, without which players refuse it."""
        if self._writer is not None:
            self._writer.release()


class JsonLines:
    """One line of JSON a frame, written at once.

    ``frame`` (from 0), ``time_s``, ``notice`` (empty, or what must be said with every answer) and ``faces``: each with
    ``id`` (from 1, the same while the face is seen), ``box`` (``left``, ``top``, ``width``, ``height`` in the source's
    pixels), ``label`` and ``probabilities`` by class.

    Args:
        path: The file; ``-`` for standard output.
        classes: Class names.
        notice: The model's.

    Raises:
        UsageError: the file cannot be written.
    """

    def __init__(self, path: Path, classes: Sequence[str], notice: str) -> None:
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
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")  # in one piece, also when Ctrl-C comes
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._own:
            self._file.close()


class Terminal:
    """A line whenever a face comes, shows something else or goes: what to watch where there is no window.

    Args:
        classes: Class names.
        say: Takes a line.
    """

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

    def close(self) -> None:
        """Nothing is left to do."""


class Window:
    """A window with the marked frames, at the source's pace.

    Args:
        paced: Show frames when their time has come (files); a camera has its own pace.

    Attributes:
        stopped: Whether q or Escape was pressed, or the window closed.
    """

    def __init__(self, paced: bool) -> None:
        self._paced = paced
        self._start: float | None = None
        self.stopped = False

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
        closed = cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1
        self.stopped = key in QUIT_KEYS or closed

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
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "no window could be opened"
    return "" if done.returncode == 0 else "no window could be opened"
