"""``study live``: the emotions of the faces before a camera or in a video."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from study.cli.app import examples, option
from study.cli.options import (
    DetectorOption,
    FaceScoreOption,
    PluginOption,
    ResultsOption,
    RunOption,
    StudyOption,
    opened_runtime,
)
from study.core.errors import UsageError

if TYPE_CHECKING:
    from study.faces.video import Watched
    from study.faces.video_io import Sink, VideoFile, VideoSource, Window
    from study.trained.runtime import Runtime

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples(
        "study live",
        "study live --video party.mp4 --save marked.mp4 --jsonl faces.jsonl",
        "study live --camera 1 --no-window --jsonl - | head",
    )
)
def live(
    camera: Annotated[int | None, option("N", "Number of the camera. Default: 0.", min=0)] = None,
    video: Annotated[Path | None, option("FILE", "Video file instead of a camera.")] = None,
    save: Annotated[Path | None, option("FILE", "Write the marked video: .mp4, .webm or .avi.")] = None,
    jsonl: Annotated[
        Path | None, option("FILE", "Write a line of JSON a frame; - for standard output.", dir_okay=False)
    ] = None,
    bars: Annotated[bool, Option("--bars", help="Draw all probabilities beside each face too.")] = False,
    no_window: Annotated[bool, Option("--no-window", help="Show no window; say what changes instead.")] = False,
    every: Annotated[int, option("K", "Search for faces in every K-th frame.", min=1)] = 3,
    smooth: Annotated[float, option("SECONDS", "Average answers over about this time; 0 for not at all.", min=0)] = 0.5,
    detector: DetectorOption = None,
    face_score: FaceScoreOption = None,
    run: RunOption = None,
    study: StudyOption = None,
    results: ResultsOption = Path("results"),
    plugin: PluginOption = None,
) -> None:
    """Follow the faces before a camera or in a video and name the emotion of each with the best run of a study.

    Stop with q or Escape in the window, or with Ctrl-C: the files written until then are complete.
    """
    if camera is not None and video is not None:
        raise UsageError("one source at a time: give --camera or --video.")
    for flag, path in (("--save", save), ("--jsonl", jsonl)):
        if path and video and os.path.exists(path) and os.path.exists(video) and os.path.samefile(path, video):
            raise UsageError(f"{flag} must not be the video that is read, got {path} for both.")
    if jsonl and not os.path.isdir(jsonl.parent):
        raise UsageError(f"--jsonl takes a file in a folder that exists, got {jsonl}.")
    from study.faces.detection import open_detector
    from study.faces.output import standard_output
    from study.faces.tracking import MARGIN, Smoother
    from study.faces.video import watch
    from study.faces.video_io import VideoFile, open_camera, open_video

    finder = open_detector(detector, video=True, least_score=face_score)
    with open_camera(camera or 0) if video is None else open_video(video) as source:
        video_file = VideoFile(save, source.rate_hz) if save else None  # what it refuses is said before the wait
        runtime = opened_runtime(results, study, run, plugin)
        with standard_output(utf8=str(jsonl) == "-"):
            sinks, window = _open_sinks(source, runtime, video_file, jsonl, no_window)
            watched = watch(source.frames(), runtime, finder, Smoother(smooth, MARGIN if smooth else 0.0), every)
            if runtime.notice:
                _say(runtime.notice)
            draw = None if window is None and save is None else bars
            passed_on = _pass_on(watched, sinks, window, runtime, draw)
    _say(passed_on)
    for path in (save, jsonl):
        if path is not None and str(path) != "-":
            _say(f"Written: {path}")
    if source.problem:
        _say(source.problem)
        raise typer.Exit(1)


def _open_sinks(
    source: VideoSource, runtime: Runtime, video_file: VideoFile | None, jsonl: Path | None, no_window: bool
) -> tuple[list[Sink], Window | None]:
    from study.faces.video_io import InBackground, JsonLines, Terminal, Window, window_problem

    sinks: list[Sink] = []
    if video_file is not None:
        sinks.append(InBackground(video_file))
    if jsonl is not None:
        sinks.append(JsonLines(jsonl, runtime.classes, runtime.notice))
    problem = "" if no_window else window_problem()
    if problem:
        _say(f"No window: {problem}. Continuing without one; --no-window does so from the start.")
    if no_window or problem:
        if str(jsonl) != "-":
            sinks.append(Terminal(runtime.classes, lambda line: print(line, flush=True)))
        return sinks, None
    window = Window(paced=not source.camera)
    return [*sinks, window], window


def _pass_on(
    watched: Iterable[Watched], sinks: list[Sink], window: Window | None, runtime: Runtime, draw: bool | None
) -> str:
    """Hand every frame to every sink until the video ends, the window says stop, or a signal comes; close the sinks.

    ``draw`` says whether faces are marked with bars; None for not at all. Returns how much there was, in words.
    """
    from study.faces.annotation import annotate
    from study.faces.output import count

    frames, faces, start = 0, set(), time.perf_counter()
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGTERM, previous)
        for sink in sinks:
            stack.callback(sink.close)
        with contextlib.suppress(KeyboardInterrupt):
            for one in watched:
                picture = one.frame.image
                if draw is not None:
                    rate = f"{one.rate_hz:.0f} fps" if one.rate_hz else ""
                    picture = annotate(picture, one.answers, runtime.classes, runtime.notice, rate, bars=draw)
                for sink in sinks:
                    sink.write(one, picture)
                frames += 1
                faces |= {answer.track or 0 for answer in one.answers}
                if window is not None and window.stopped:
                    break
    passed = time.perf_counter() - start
    return f"{frames} frames in {passed:.1f} s ({frames / max(passed, 1e-9):.1f} a second), {count(len(faces), 'face')}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
