"""``study predict``: the emotion of every face in pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

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
    from study.faces.prediction import Seen
    from study.trained.runtime import Runtime

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
    detector: DetectorOption = None,
    face_score: FaceScoreOption = None,
    run: RunOption = None,
    study: StudyOption = None,
    results: ResultsOption = Path("results"),
    plugin: PluginOption = None,
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
    from study.faces.output import standard_output, text_lines, write_csv, write_json
    from study.faces.pictures import gather
    from study.faces.prediction import all_refused, look

    sources, skipped = gather(words)
    _refuse(all_refused(sources))
    finder = open_detector(detector, least_score=face_score)
    runtime = opened_runtime(results, study, run, plugin)
    found = look(sources, runtime, finder, crops=crops, landmarks=landmarks, keep=save is not None)
    tally = Tally(found, runtime, save, bars)
    with standard_output(utf8=as_json or as_csv) as out:
        if as_json or as_csv:
            (write_json if as_json else write_csv)(tally, runtime, out)
        else:
            if runtime.notice:
                print(runtime.notice)
            for seen in tally:
                for line in text_lines(seen, runtime.classes, top) if seen.readable or not seen.source.named else ():
                    print(line, flush=True)
    for line in tally.lines(skipped):
        print(line, file=sys.stderr)
    _refuse(tally.refused)


@dataclass
class Tally:
    """What passes by on its way to the output: counted, and drawn into pictures where that is wanted."""

    found: Iterator[Seen]  #: The pictures with their answers.
    runtime: Runtime
    save: Path | None  #: Folder of marked pictures.
    bars: bool  #: Draw all probabilities.
    pictures: int = 0
    faces: int = 0
    damaged: int = 0
    refused: list[Seen] = field(default_factory=list)
    saved: list[Path] = field(default_factory=list)

    def __iter__(self) -> Iterator[Seen]:
        for seen in self.found:
            self.pictures += seen.readable
            self.faces += len(seen.answers)
            if not seen.readable and seen.source.named:
                self.refused.append(seen)
            elif not seen.readable:
                self.damaged += 1
            if self.save is not None and seen.picture is not None:
                from study.faces.output import save_marked

                self.saved.append(save_marked(seen, self.runtime, self.save, self.saved, self.bars))
                seen.picture = None
            yield seen

    def lines(self, skipped: int) -> Iterator[str]:
        """Yield what to say at the end."""
        from study.faces.output import count

        if self.pictures > 1 or skipped or self.damaged:
            yield f"{count(self.faces, 'face')} in {count(self.pictures, 'picture')}"
        if skipped:
            yield f"{count(skipped, 'other file')} skipped"
        if self.damaged:
            yield f"{count(self.damaged, 'picture')} could not be read"
        if self.saved:
            yield f"{count(len(self.saved), 'marked picture')} in {self.save}"


def _refuse(refused: list[Seen]) -> None:
    """Raise where something that was named is not a picture."""
    if refused:
        what = "; ".join(f"{seen.source.name}: {seen.problem}" for seen in refused)
        raise UsageError(f"--image takes pictures that can be read, got {what}.")
