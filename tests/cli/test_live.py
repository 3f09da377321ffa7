"""The verb live: videos in, marked videos and lines out; every way to stop leaves whole files."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from study.cli import live as verb
from study.core.errors import UsageError
from tests.faces.people import background, put_face
from tests.trained.fakes import fake_runtime

ROOT = Path(__file__).parents[2]
NOTICE = "Trained on drawn faces."
#: A real process with a network that needs no study, and a camera that never ends unless it is told to.
CHILD = """
import sys
import cv2, numpy as np
from study.cli.app import run_app
from study.cli import live
from tests.trained.fakes import fake_runtime
from tests.faces.people import background, put_face

class Camera:
    left = int(sys.argv.pop(1))
    picture = background(640, 360).copy()
    put_face(picture, 3, (300, 180), 150)
    def __init__(self, *words): pass
    def isOpened(self): return True
    def set(self, *words): return True
    def get(self, what): return 30.0 if what == cv2.CAP_PROP_FPS else 0.0
    def release(self): pass
    def read(self):
        Camera.left -= 1
        return (True, self.picture.copy()) if Camera.left >= 0 else (False, None)

if Camera.left > 0:
    cv2.VideoCapture = Camera
live.opened_runtime = lambda *words: fake_runtime(notice="Trained on drawn faces.")
run_app(live.app, "study live")
"""


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setattr(verb, "opened_runtime", lambda *words: fake_runtime(notice=NOTICE))
    return lambda *words: CliRunner().invoke(verb.app, [*map(str, words)])


def child(
    *words: object, camera: int = 0, before: str = "", out: int | TextIO = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start the verb in a process of its own, with a camera of so many pictures."""
    return subprocess.Popen(
        [sys.executable, "-c", before + CHILD, str(camera), *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@contextlib.contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def write_video(path: str, frames: int = 45, codec: str = "mp4v") -> str:
    """Write one drawn face that moves over 640x360."""
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*codec), 30, (640, 360))
    for index in range(frames):
        picture = background(640, 360).copy()
        put_face(picture, 3, (200 + 4 * index, 180), 130)
        writer.write(picture)
    writer.release()
    return path


def frames_in(path: str) -> list[np.ndarray]:
    capture, frames = cv2.VideoCapture(path), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames


def lines_of(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_a_video_becomes_a_marked_video_and_a_line_for_each_frame(call: Callable[..., Any]) -> None:
    result = call("--video", write_video("in.mp4"), "--save", "out.mp4", "--jsonl", "out.jsonl", "--no-window")
    assert result.exit_code == 0, result.output
    lines, marked = lines_of("out.jsonl"), frames_in("out.mp4")
    assert len(lines) == len(marked) == 45
    assert [line["frame"] for line in lines] == list(range(45))
    assert lines[30]["time_s"] == pytest.approx(1.0, abs=0.01) and lines[30]["notice"] == NOTICE
    assert {face["id"] for line in lines for face in line["faces"]} == {1}
    assert all(len(line["faces"]) == 1 for line in lines[3:])
    lefts = [line["faces"][0]["box"]["left"] for line in lines[3:]]
    assert lefts[-1] - lefts[0] == pytest.approx(4 * 41, abs=20)
    band = marked[30][-12:].mean()
    assert marked[30].shape == (360, 640, 3) and band < 110, "the notice stands on a dark band"
    assert "45 frames in" in result.stderr and "1 face" in result.stderr
    assert "Written: out.mp4" in result.stderr and NOTICE in result.stderr
    assert "face 1" in result.stdout


def test_a_video_of_one_frame_has_its_face(call: Callable[..., Any]) -> None:
    result = call("--video", write_video("in.mp4", 1), "--save", "out.webm", "--jsonl", "out.jsonl", "--no-window")
    assert result.exit_code == 0, result.output
    ((line,), (marked,)) = lines_of("out.jsonl"), frames_in("out.webm")
    assert [face["id"] for face in line["faces"]] == [1] and 0.5 <= line["faces"][0]["score"] <= 1
    box = line["faces"][0]["box"]
    edge = marked[box["top"] + box["height"] // 2, box["left"] - 2 : box["left"] + 3].astype(int)
    assert edge.std() > 10, "its box is drawn"


def test_bars_are_drawn_on_request(call: Callable[..., Any]) -> None:
    marked = []
    for bars in ([], ["--bars"]):
        call("--video", write_video("in.mp4", 3), "--save", "out.mp4", "--no-window", *bars)
        marked.append(frames_in("out.mp4")[2])
    assert (abs(marked[0].astype(int) - marked[1]) > 40).any(axis=2).mean() > 0.02


def test_a_full_disk_is_one_line_and_never_written() -> None:
    write_video("in.mp4", 45)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
    words = ("--video", "in.mp4", "--save", "out.mp4", "--no-window")
    with ended(child(*words, before=limit)) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and "Traceback" not in err and "Written" not in err
    assert err.splitlines()[-1].startswith("study: cannot write out.mp4 (File too large).")
    assert sorted(path.name for path in Path().iterdir()) == ["in.mp4"]


@pytest.mark.parametrize("place", ["/dev/full", "-"])
def test_lines_that_cannot_be_written_are_one_line(place: str) -> None:
    write_video("in.mp4", 5)
    with (
        open("/dev/full", "w") as full,
        ended(child("--video", "in.mp4", "--no-window", "--jsonl", place, out=full)) as p,
    ):
        _, err = p.communicate(timeout=60)
    assert p.returncode == 2 and "Traceback" not in err and "Written" not in err and "Exception" not in err
    assert "No space left on device" in err.splitlines()[-1]


def test_lines_can_go_to_standard_output_alone(call: Callable[..., Any]) -> None:
    result = call("--video", write_video("in.mp4", 12), "--jsonl", "-", "--no-window")
    assert [json.loads(line)["frame"] for line in result.stdout.splitlines()] == list(range(12))


def test_without_a_display_it_says_so_and_goes_on(call: Callable[..., Any]) -> None:
    result = call("--video", write_video("in.mp4", 12), "--jsonl", "out.jsonl")
    assert result.exit_code == 0 and len(lines_of("out.jsonl")) == 12
    assert "No window: no display is available" in result.stderr


@pytest.mark.parametrize("key", [ord("q"), 27])
def test_a_key_in_the_window_stops_and_leaves_whole_files(
    key: int, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from study.faces import video_io

    keys = iter([-1] * 9 + [key])
    monkeypatch.setattr(video_io, "window_problem", lambda: "")
    monkeypatch.setattr(cv2, "waitKey", lambda wait: next(keys))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *words: 1.0)
    for name in ("namedWindow", "resizeWindow", "imshow", "destroyAllWindows"):
        monkeypatch.setattr(cv2, name, lambda *words: None)
    result = call("--video", write_video("in.mp4"), "--save", "out.mp4", "--jsonl", "out.jsonl")
    assert result.exit_code == 0, result.output
    assert len(lines_of("out.jsonl")) == len(frames_in("out.mp4")) == 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--camera", "0", "--video", "in.mp4"], "one source"),
        (["--video", "nowhere.mp4"], "not there"),
        (["--video", "text.mp4"], "not a video"),
        (["--video", "n" * 300], "not there"),
        (["--camera", "77"], "cannot be opened"),
        (["--video", "in.mp4", "--save", "in.mp4"], "--save must not be the video"),
        (["--video", "in.mp4", "--jsonl", "./in.mp4"], "--jsonl must not be the video"),
        (["--video", "in.mp4", "--save", "out.gif"], "--save takes a file"),
        (["--video", "in.mp4", "--jsonl", "no/out.jsonl"], "--jsonl takes a file"),
        (["--video", "in.mp4", "--detector", "text.mp4"], "--detector takes"),
    ],
)
def test_slips_are_one_line_before_any_network_is_opened_and_leave_what_is_there(
    words: list[str], said: str, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "opened_runtime", None)
    write_video("in.mp4", 5)
    before = Path("in.mp4").read_bytes()
    Path("text.mp4").write_text("no video")
    result = call(*words, "--no-window")
    assert isinstance(result.exception, UsageError)
    with pytest.raises(UsageError, match=said):
        raise result.exception
    assert Path("in.mp4").read_bytes() == before
    assert not Path("out.gif").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_whole_files(number: signal.Signals) -> None:
    words = ("--camera", 0, "--save", "out.mp4", "--jsonl", "out.jsonl", "--no-window")
    with ended(child(*words, camera=10**9)) as process:
        patience = time.monotonic() + 60
        while not Path("out.jsonl").exists() or Path("out.jsonl").read_text().count("\n") < 20:
            assert process.poll() is None and time.monotonic() < patience, process.stderr.read()
            time.sleep(0.02)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    lines, marked = lines_of("out.jsonl"), frames_in("out.mp4")
    assert len(lines) >= 20 and [line["frame"] for line in lines] == list(range(len(lines)))
    due = round(lines[-1]["time_s"] * 30) + 1
    assert len(marked) == pytest.approx(due, abs=2), "as many as the camera's time has thirtieths"
    assert "Traceback" not in err and "Written: out.mp4" in err and "frames in" in err


def test_a_camera_that_is_lost_is_one_line_and_leaves_whole_files() -> None:
    with ended(child("--save", "out.mp4", "--jsonl", "out.jsonl", "--no-window", camera=13)) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.splitlines()[-1] == "camera 0 gives no more pictures after 12 frames: is it still connected?"
    assert len(lines_of("out.jsonl")) == 12 and len(frames_in("out.mp4")) >= 1


def test_a_camera_that_is_not_there_is_one_line_and_exit_code_2() -> None:
    with ended(child("--camera", 77, "--no-window")) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 2 and out == ""
    assert len(err.splitlines()) == 1 and "number 77 cannot be opened" in err


def test_a_damaged_file_is_one_line_of_ours_and_none_of_other_peoples() -> None:
    write_video("in.avi", 30, "MJPG")
    whole = Path("in.avi").read_bytes()
    Path("cut.avi").write_bytes(whole[: len(whole) // 2])
    with ended(child("--video", "cut.avi", "--jsonl", "out.jsonl", "--no-window")) as process:
        _, err = process.communicate(timeout=60)
    count = len(lines_of("out.jsonl"))
    assert process.returncode == 1 and 5 < count < 20
    assert err.splitlines()[-1] == f"cut.avi ends after {count} of 30 frames: it is damaged or cut short."
    assert len(err.splitlines()) == 4
    Path("text.mp4").write_text("no video")
    with ended(child("--video", "text.mp4", "--no-window")) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and len(err.splitlines()) == 1 and "is not a video" in err
