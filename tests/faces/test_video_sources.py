"""Frames come from files and cameras with their times, and a reason where they end too early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from study.core.errors import UsageError
from study.faces import video_sources
from study.faces.video_sources import VideoSource, open_camera, open_video


def write_video(path: Path, frames: int = 30, rate_hz: float = 25.0, codec: str = "mp4v") -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate_hz, (64, 48))
    for index in range(frames):
        writer.write(np.full((48, 64, 3), 5 * index % 250, np.uint8))
    writer.release()
    return path


class Capture:
    """Stands for OpenCV's: gives some frames, then none."""

    def __init__(self, frames: int, opened: bool = True, **said: float) -> None:
        self.left, self.opened, self.said, self.released = frames, opened, said, False

    def isOpened(self) -> bool:  # noqa: N802, OpenCV's name
        return self.opened

    def set(self, *words: Any) -> bool:
        return True

    def get(self, what: int) -> float:
        return {cv2.CAP_PROP_FPS: self.said.get("fps", 30), cv2.CAP_PROP_FRAME_COUNT: self.said.get("count", 0)}.get(
            what, self.said.get("position", 0)
        )

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (True, np.zeros((48, 64, 3), np.uint8)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


@pytest.mark.parametrize(("ending", "codec"), [(".mp4", "mp4v"), (".avi", "MJPG")])
def test_a_file_gives_all_frames_with_their_times(ending: str, codec: str, tmp_path: Path) -> None:
    with open_video(write_video(tmp_path / f"a{ending}", codec=codec)) as source:
        frames = list(source.frames())
    assert source.rate_hz == 25 and not source.camera and source.problem == ""
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.time_s for frame in frames] == pytest.approx([index / 25 for index in range(30)], abs=0.002)
    assert frames[0].image.shape == (48, 64, 3) and frames[20].image.mean() == pytest.approx(100, abs=6)


def test_a_file_that_is_cut_short_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.avi", codec="MJPG").read_bytes()
    (tmp_path / "b.avi").write_bytes(whole[: len(whole) * 6 // 10])
    with open_video(tmp_path / "b.avi") as source:
        count = len(list(source.frames()))
    assert 5 < count < 25
    assert f"after {count} of 30 frames" in source.problem


def test_what_is_no_video_is_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video\n" * 100)
    headless = tmp_path / "cut.mp4"  # an mp4 has its index at its end
    headless.write_bytes(write_video(tmp_path / "a.mp4").read_bytes()[:-400])
    (tmp_path / "empty.mp4").touch()
    for path in (text, headless, tmp_path / "empty.mp4", tmp_path / "nowhere.mp4", tmp_path):
        with pytest.raises(UsageError, match="--video takes a"):
            open_video(path)


def test_a_camera_that_is_not_there_is_one_line(capfd) -> None:
    with pytest.raises(UsageError, match="number 77 cannot be opened"):
        open_camera(77)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("capture", [Capture(0), Capture(5, opened=False)], ids=["gives nothing", "closed"])
def test_a_camera_without_pictures_is_one_line(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: capture)
    with pytest.raises(UsageError, match="number 0 cannot be opened"):
        open_camera(0)
    assert capture.released


def test_a_camera_that_is_lost_says_so_and_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = Capture(11)
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: capture)
    with open_camera(0) as source:
        frames = list(source.frames())
    assert len(frames) == 10 and source.camera  # the first one was taken to see whether there are any
    assert source.problem == "camera 0 gives no more pictures after 10 frames: is it still connected?"
    assert capture.released


def test_a_cameras_time_is_the_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([100.0, 100.0, 100.5, 102.0])
    monkeypatch.setattr(video_sources.time, "perf_counter", lambda: next(ticks))
    frames = list(VideoSource(Capture(3), "camera 0", camera=True).frames())
    assert [frame.time_s for frame in frames] == [0, 0.5, 2.0]


@pytest.mark.parametrize("said", [0, -1, 1000, float("nan"), float("inf")])
def test_a_senseless_rate_becomes_thirty(said: float) -> None:
    source = VideoSource(Capture(3, fps=said, position=0), "x", camera=False)
    assert source.rate_hz == 30
    assert [frame.time_s for frame in source.frames()] == pytest.approx([0, 1 / 30, 2 / 30])


def test_some_missing_frames_are_an_estimate_and_no_damage() -> None:
    source = VideoSource(Capture(97, count=100), "x", camera=False)
    assert len(list(source.frames())) == 97 and source.problem == ""
