"""Frames come with their times, or a reason why they end; what is written is whole and at its pace."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from study.core.errors import UsageError, WriteError
from study.faces import video_io
from study.faces.detection import Box
from study.faces.prediction import Answer
from study.faces.video import Frame, Watched
from study.faces.video_io import (
    InBackground,
    JsonLines,
    Terminal,
    VideoFile,
    VideoSource,
    Window,
    open_camera,
    open_video,
    window_problem,
)
from tests.trained.fakes import CLASSES, shares

PICTURE = np.zeros((48, 64, 3), np.uint8)


def watched(index: int, time_s: float, *labels: int) -> Watched:
    answers = [Answer(Box(5 * i, 6, 20, 20), 0.9, shares(label), label, track=i) for i, label in enumerate(labels, 1)]
    return Watched(Frame(index, time_s, PICTURE), answers, 30.0)


def frames_in(path: Path) -> list[np.ndarray]:
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.avi", "A.MP4"])
def test_a_video_file_has_one_frame_for_each_and_can_be_opened(name: str, tmp_path: Path) -> None:
    sink = VideoFile(tmp_path / name, 25.0)
    for index in range(40):
        sink.write(watched(index, index / 25), np.full((48, 64, 3), 6 * index, np.uint8))
    sink.close()
    frames = frames_in(tmp_path / name)
    assert len(frames) == 40 and frames[30].mean() == pytest.approx(180, abs=4)
    assert cv2.VideoCapture(str(tmp_path / name)).get(cv2.CAP_PROP_FPS) == 25


def test_a_video_file_keeps_the_clock_of_an_uneven_camera(tmp_path: Path) -> None:
    sink = VideoFile(tmp_path / "a.mp4", 20.0)
    for index, time_s in enumerate((0.0, 0.3, 0.31, 0.32, 0.9, 1.0)):
        sink.write(watched(index, time_s), PICTURE)
    sink.close()
    assert len(frames_in(tmp_path / "a.mp4")) == 21


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "h264"), ("a.webm", "vp9")])
def test_a_video_file_is_one_that_browsers_play(name: str, codec: str, tmp_path: Path) -> None:
    sink = VideoFile(tmp_path / name, 29.97)
    for index in range(5):
        sink.write(watched(index, index / 29.97), np.zeros((49, 65, 3), np.uint8))
    sink.close()
    with av.open(str(tmp_path / name)) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.pix_fmt) == (codec, "yuv420p")
        assert (stream.width, stream.height) == (64, 48), "odd sizes lose their last pixel"
        assert len(list(container.decode(stream))) == 5
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if codec == "h264":
        data = (tmp_path / name).read_bytes()
        assert data.index(b"moov") < data.index(b"mdat"), "playing begins before all is loaded"


def test_a_video_that_the_disk_does_not_take_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("an older one")
    for at_the_end in (False, True):
        sink, noise = VideoFile(tmp_path / "a.mp4", 30.0), np.random.default_rng(0)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000 if not at_the_end else 0, hard))
        try:
            with pytest.raises(WriteError, match=r"cannot write .*a\.mp4 \(File too large\)"):
                for index in range(3 if at_the_end else 400):
                    sink.write(watched(index, index / 30), noise.integers(0, 256, (240, 320, 3), np.uint8))
                sink.close()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sink.close()
        assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
        assert (tmp_path / "a.mp4").read_text() == "an older one"


def test_lines_that_the_disk_does_not_take_are_one_line() -> None:
    sink = JsonLines(Path("/dev/full"), CLASSES, "")
    with pytest.raises(WriteError, match="cannot write /dev/full"):
        sink.write(watched(0, 0.0, 3), PICTURE)
    sink.close()


def test_a_video_file_keeps_its_size(tmp_path: Path) -> None:
    sink = VideoFile(tmp_path / "a.mp4", 20.0)
    for index, size in enumerate(((48, 64), (96, 128), (48, 64))):
        sink.write(watched(index, index / 20), np.zeros((*size, 3), np.uint8))
    sink.close()
    assert [frame.shape for frame in frames_in(tmp_path / "a.mp4")] == [(48, 64, 3)] * 3


def test_a_video_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "a.gif", tmp_path / "no" / "a.mp4", tmp_path):
        with pytest.raises(UsageError, match="--save takes a file"):
            VideoFile(path, 30.0)
    VideoFile(tmp_path / "a.mp4", 30.0).close()
    assert not (tmp_path / "a.mp4").exists(), "without frames there is no file"


def test_a_line_of_json_is_there_as_soon_as_its_frame_is(tmp_path: Path) -> None:
    sink = JsonLines(tmp_path / "a.jsonl", CLASSES, "Drawn.")
    for index in range(3):
        sink.write(watched(index, index / 30, *([3, 5] if index else [])), PICTURE)
        lines = (tmp_path / "a.jsonl").read_text().splitlines()
        assert len(lines) == index + 1
    sink.close()
    first, _, last = map(json.loads, lines)
    assert first == {"frame": 0, "time_s": 0.0, "notice": "Drawn.", "faces": []}
    assert last["frame"] == 2 and last["time_s"] == 0.067
    assert [(face["id"], face["label"]) for face in last["faces"]] == [(1, "happy"), (2, "surprise")]
    assert last["faces"][0]["box"] == {"left": 5, "top": 6, "width": 20, "height": 20}
    assert last["faces"][0]["score"] == 0.9 and not last["faces"][0]["unsure"]
    assert last["faces"][0]["probabilities"]["happy"] == 0.7 and len(last["faces"][0]["probabilities"]) == 7


def test_lines_go_to_standard_output_for_a_dash(capsys) -> None:
    sink = JsonLines(Path("-"), CLASSES, "")
    sink.write(watched(0, 0.0, 3), PICTURE)
    sink.close()
    assert json.loads(capsys.readouterr().out)["faces"][0]["label"] == "happy"
    print("still open")


def test_a_file_of_lines_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--jsonl takes a file that can be written"):
        JsonLines(tmp_path, CLASSES, "")


def test_the_terminal_says_what_changes_and_nothing_else() -> None:
    lines: list[str] = []
    sink = Terminal(CLASSES, lines.append)
    story = [(), (3,), (3,), (3, 5), (4, 5), (4,), (4,)]
    for index, labels in enumerate(story):
        sink.write(watched(index, index / 10, *labels), PICTURE)
    words = [line.split() for line in lines]
    assert [(line[0], *line[3:5]) for line in words] == [
        ("0.1", "1", "happy"),
        ("0.3", "2", "surprise"),
        ("0.4", "1", "sad"),
        ("0.5", "2", "gone"),
    ]


class Screen:
    """Stands for OpenCV's windows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, keys: list[int], open_for: int = 1000) -> None:
        self.shown, self.waited, self.closed = 0, [], False
        self.keys, self.open_for = iter(keys), open_for
        for name in ("namedWindow", "resizeWindow", "destroyAllWindows", "imshow", "waitKey", "getWindowProperty"):
            monkeypatch.setattr(cv2, name, getattr(self, name))

    def namedWindow(self, *words: object) -> None: ...  # noqa: N802, OpenCV's names

    def resizeWindow(self, *words: object) -> None: ...  # noqa: N802

    def destroyAllWindows(self) -> None:  # noqa: N802
        self.closed = True

    def imshow(self, *words: object) -> None:
        self.shown += 1

    def waitKey(self, milliseconds: int) -> int:  # noqa: N802
        self.waited.append(milliseconds)
        return next(self.keys, -1)

    def getWindowProperty(self, *words: object) -> float:  # noqa: N802
        return float(self.shown < self.open_for)


@pytest.mark.parametrize("key", [ord("q"), ord("Q"), 27])
def test_q_and_escape_stop_and_other_keys_do_not(key: int, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(monkeypatch, [-1, ord("x"), key])
    window = Window(paced=False)
    stops = []
    for index in range(3):
        window.write(watched(index, index / 30), PICTURE)
        stops.append(window.stopped)
    window.close()
    assert stops == [False, False, True] and screen.shown == 3 and screen.closed


def test_closing_the_window_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    Screen(monkeypatch, [], open_for=1)
    window = Window(paced=False)
    window.write(watched(0, 0.0), PICTURE)
    assert window.stopped


def test_a_file_is_shown_at_its_own_pace_and_a_camera_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for paced, waits in ((True, [1, 490, 980]), (False, [1, 1, 1])):
        screen = Screen(monkeypatch, [])
        window = Window(paced)
        ticks = iter([10.0, 10.01, 10.02])
        monkeypatch.setattr(video_io.time, "perf_counter", lambda ticks=ticks: next(ticks))
        for index in range(3):
            window.write(watched(index, index * 0.5), PICTURE)
        assert screen.waited == pytest.approx(waits, abs=1)


def test_no_window_is_opened_where_there_is_no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_io.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert window_problem() == "no display is available"


def test_a_display_that_does_not_answer_is_tried_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":7943")
    assert window_problem() == "no window could be opened"


class Slow:
    """A sink that takes its time and may fail."""

    def __init__(self, fails_at: int = -1) -> None:
        self.taken: list[int] = []
        self.closed = False
        self.fails_at = fails_at

    def write(self, watched: Watched, marked: np.ndarray) -> None:
        time.sleep(0.002)
        if watched.frame.index == self.fails_at:
            raise UsageError("the disk is full")
        self.taken.append(watched.frame.index)

    def close(self) -> None:
        self.closed = True


def test_a_sink_in_the_background_takes_every_frame_in_order() -> None:
    sink = Slow()
    background = InBackground(sink)
    for index in range(50):
        background.write(watched(index, index / 30), PICTURE)
    background.close()
    assert sink.taken == list(range(50)) and sink.closed


def test_an_error_in_the_background_comes_back() -> None:
    sink = Slow(fails_at=3)
    background = InBackground(sink)
    with pytest.raises(UsageError, match="disk is full"):
        for index in range(100):
            background.write(watched(index, index / 30), PICTURE)
    background.close()
    assert sink.closed and sink.taken[:3] == [0, 1, 2]


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
    monkeypatch.setattr(video_io.time, "perf_counter", lambda: next(ticks))
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
