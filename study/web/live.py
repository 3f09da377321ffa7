"""The camera's frames, sent by the page one at a time, through the same steps as `study live`."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.faces.annotation import colour_of, label_text
from study.faces.detection import Detector
from study.faces.tracking import Smoother
from study.faces.video import Frame, watch
from study.trained.runtime import Runtime
from study.web.asking import ONE_AT_A_TIME

#: Longer and shorter side of a frame.
LARGEST_PX, SMALLEST_PX = 640, 16


class Live:
    """One look through the camera: faces keep their numbers, answers are smoothed.

    Args:
        runtime: The network.
        detector: Looks for faces.
    """

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
            {"box": list(one.box), "words": label_text(one, self._runtime.classes), "colour": _css(one.label)}
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


def _css(label: int) -> str:
    blue, green, red = colour_of(label)
    return f"rgb({red} {green} {blue})"
