"""A sink that works beside the rest, on another core: frames wait in a short line; its errors come back."""

from __future__ import annotations

import queue
import threading

import numpy as np
from numpy.typing import NDArray

from study.faces.video import Watched
from study.faces.video_sinks import Sink

WAITING_FRAMES = 8


class InBackground:
    """Hands frames to a sink in a thread of its own; where the sink is slower, the frames wait for it.

    Args:
        sink: What takes the frames; it must not be used directly any more.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._line: queue.Queue[tuple[Watched, NDArray[np.uint8]] | None] = queue.Queue(WAITING_FRAMES)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="sink", daemon=True)
        self._thread.start()

    def write(self, watched: Watched, marked: NDArray[np.uint8]) -> None:
        """Put a frame in line.

        Raises:
            Exception: what the sink raised about an earlier frame.
        """
        self._raise()
        self._line.put((watched, marked))

    def close(self) -> None:
        """Wait until all frames are taken and the sink is closed.

        Raises:
            Exception: what the sink raised.
        """
        self._line.put(None)
        self._thread.join()
        self._sink.close()
        self._raise()

    def _work(self) -> None:
        while (item := self._line.get()) is not None:
            if self._error is None:  # after an error, frames are only taken out of the way
                try:
                    self._sink.write(*item)
                except Exception as error:
                    self._error = error

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error
