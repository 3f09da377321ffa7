"""``study predict``: the emotion of every face in pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from study.cli import options
from study.cli.app import examples, option
from study.core.errors import UsageError

if TYPE_CHECKING:
    from study.faces.prediction import Seen

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples(
        "study predict --image family.jpg",
        "study predict --image holidays --csv --save marked > faces.csv",
        "cat family.jpg | study predict --image - --json",
    )
)
def predict(
    more: Annotated[list[str] | None, Argument(metavar="PATH", help="More pictures or folders.")] = None,
    image: Annotated[
        list[str] | None, option("PATH", "Picture, folder of them, or - for standard input; may be repeated.")
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print one JSON document: image, box, label, ...")] = False,
    as_csv: Annotated[bool, Option("--csv", help="Print a table with one row a face.")] = False,
    top: Annotated[int, option("N", "Classes to name for each face, in text.", min=1)] = 3,
    save: Annotated[
        Path | None, option("FOLDER", "Write each picture with its faces marked, as NAME-faces.", file_okay=False)
    ] = None,
    bars: Annotated[bool, Option("--bars", help="Draw all probabilities beside each face too.")] = False,
    landmarks: Annotated[
        bool, Option("--landmarks", help="Find 468 points of each face: drawn by --save, listed by --json.")
    ] = False,
    crops: Annotated[
        bool, Option("--crops", help="Take each picture as one face. Small square ones always are.")
    ] = False,
    detector: options.DetectorOption = None,
    face_score: options.FaceScoreOption = None,
    run: options.RunOption = None,
    study: options.StudyOption = None,
    results: options.ResultsOption = Path("results"),
    plugin: options.PluginOption = None,
) -> None:
    """Find the faces in pictures and name the emotion of each with the best run of a study.

    Exits with 2 if an input is not an image; the rest are still processed. Other files in folders are skipped.
    """
    if as_json and as_csv:
        raise UsageError("one form of output at a time: give --json or --csv.")
    if bars and save is None:
        raise UsageError("--bars draws on pictures: give --save FOLDER too.")
    words = [*(image or ()), *(more or ())]
    if not words:
        raise UsageError("which pictures? Give --image PATH: files, folders, or - for standard input.")
    from study.faces.detection import open_detector
    from study.faces.output import save_marked, standard_output, text_lines, write_csv, write_json
    from study.faces.pictures import gather
    from study.faces.prediction import all_refused, look

    sources, skipped = gather(words)
    _refuse(all_refused(sources))
    finder = open_detector(detector, least_score=face_score)
    runtime = options.opened_runtime(results, study, run, plugin)
    passed: list[Seen] = []
    saved: list[Path] = []

    def answered() -> Iterator[Seen]:
        for seen in look(sources, runtime, finder, crops=crops, landmarks=landmarks, keep=save is not None):
            if save is not None and seen.picture is not None:
                saved.append(save_marked(seen, runtime, save, saved, bars))
                seen.picture = None
            passed.append(seen)
            yield seen

    with standard_output(utf8=as_json or as_csv) as out:
        if as_json or as_csv:
            (write_json if as_json else write_csv)(answered(), runtime, out)
        else:
            if runtime.notice:
                print(runtime.notice)
            for seen in answered():
                for line in text_lines(seen, runtime.classes, top) if seen.readable or not seen.source.named else ():
                    print(line, flush=True)
    for line in _totals(passed, skipped, saved):
        print(line, file=sys.stderr)
    _refuse([seen for seen in passed if not seen.readable and seen.source.named])


def _totals(passed: list[Seen], skipped: int, saved: list[Path]) -> Iterator[str]:
    """Yield what to say at the end."""
    from study.faces.output import count

    pictures = sum(seen.readable for seen in passed)
    damaged = sum(not seen.readable and not seen.source.named for seen in passed)
    if pictures > 1 or skipped or damaged:
        yield f"{count(sum(len(seen.answers) for seen in passed), 'face')} in {count(pictures, 'picture')}"
    if skipped:
        yield f"{count(skipped, 'other file')} skipped"
    if damaged:
        yield f"{count(damaged, 'picture')} could not be read"
    if saved:
        yield f"{count(len(saved), 'marked picture')} in {saved[0].parent}"


def _refuse(refused: list[Seen]) -> None:
    """Raise where something that was named is not a picture."""
    if refused:
        what = "; ".join(f"{seen.source.name}: {seen.problem}" for seen in refused)
        raise UsageError(f"--image takes pictures that can be read, got {what}.")
