"""What is written about a video is whole, at its pace, and says what it must."""

from __future__ import annotations

import json
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from study.core.errors import UsageError
from study.faces import video_sinks
from study.faces.answers import Answer
from study.faces.background import InBackground
from study.faces.faces import Box
from study.faces.video import Frame, Watched
from study.faces.video_sinks import JsonLines, Terminal, VideoFile, Window, window_problem
from tests.trained.fakes import CLASSES, shares

PICTURE = np.zeros((48, 64, 3), np.uint8)


def watched(index: int, time_s: float, *labels: int) -> Watched:
    answers = [Answer(Box(5 * i, 6, 20, 20), shares(label), label, i) for i, label in enumerate(labels, 1)]
    return Watched(Frame(index, time_s, PICTURE), answers, 30.0)


def frames_in(path: Path) -> list[np.ndarray]:
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "A.MP4"])
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
        monkeypatch.setattr(video_sinks.time, "perf_counter", lambda ticks=ticks: next(ticks))
        for index in range(3):
            window.write(watched(index, index * 0.5), PICTURE)
        assert screen.waited == pytest.approx(waits, abs=1)


def test_no_window_is_opened_where_there_is_no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_sinks.sys, "platform", "linux")
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
