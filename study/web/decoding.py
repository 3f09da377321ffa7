"""Decoding an upload in a process of its own, which can be ended; others are answered meanwhile."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
from numpy.typing import NDArray

LIMIT_S = 10.0
#: Longer side of what is looked at, drawn on and sent to the browser.
SIDE_PX = 2048


def decode(data: bytes, limit_s: float = LIMIT_S) -> NDArray[np.uint8]:
    """Return an upload as uint8 (h, w, 3), BGR, upright, with its longer side at most ``SIDE_PX``.

    Raises:
        ValueError: not to be read as a picture in that time, with a short reason.
    """
    try:
        call = [sys.executable, "-m", "study.web.decoding"]
        done = subprocess.run(call, input=data, capture_output=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"decoding took more than {limit_s:g} s") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").split("\n")
        raise ValueError(lines[-2][:120] if len(lines) > 1 else "cannot be read")
    picture: NDArray[np.uint8] = np.load(io.BytesIO(done.stdout), allow_pickle=False)
    return picture


def main() -> None:
    """Write the picture on standard input to standard output as an array, or end with the reason."""
    from study.faces.detection import reduced
    from study.faces.pictures import read_one_picture

    try:
        picture = read_one_picture(sys.stdin.buffer)
    except ValueError as error:
        sys.exit(str(error))
    np.save(sys.stdout.buffer, reduced(picture, SIDE_PX)[0])


if __name__ == "__main__":
    main()
