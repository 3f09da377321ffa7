"""What others claim on FER-2013, beside what this study has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from study.analysis.recipes import Recipe
from study.core.errors import UsageError
from study.core.spec import Stored
from study.core.toml import read_toml
from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.table import Column, Table, hidden, keys_of
from study.report.wording import escape, percent

FILE = Path(__file__).parents[1] / "published_results.toml"
#: The image set that the claims are about.
DATASET = "fer2013"
#: Protocols that repeat what somebody claims.
REPEATED = "as-published/"
TEMPLATE = """\
What others claim on FER-2013, in percent, beside the closest recipe of this study; claims without one come last. \
Where that recipe is leaky, the honest test accuracy is that of its clean twin on the same images, balanced if the \
leak made the classes equally large.

{{ folded(table.rows | length ~ " claims with what to know about them", table.markdown(), open=open) }}
"""


class Claim(Stored, frozen=True):
    """What somebody published; accuracies in percent."""

    source: str  #: Who.
    caveat: str  #: What has to be known before comparing.
    near: tuple[str, ...]  #: Recipes that come nearest, as ``model / protocol``, best first.
    url: str = ""  #: Where, or empty.
    train: float | None = None  #: Accuracy on training images, or None.
    validation: float | None = None  #: Accuracy on validation images, or None.
    test: float | None = None  #: Accuracy on test images; the upper end of a range; None without.
    test_from: float | None = None  #: The lower end of a range, or None.


class Claims(Stored, frozen=True):
    """The file of claims."""

    claims: tuple[Claim, ...] = ()


@section("claims", title="Published claims", place=140)
def write(data: StudyData) -> Section | None:
    """Return published claims beside the nearest that the study measured; None on other datasets."""
    if not data.finished or data.card.name != DATASET:
        return None
    rows = []
    for claim in read_published():
        source = f"[{escape(claim.source)}]({claim.url})" if claim.url else escape(claim.source)
        numbers = (claim.train, claim.validation, claim.test_from, claim.test)
        shares = [None if value is None else value / 100 for value in numbers]
        named = [source, claim.source, claim.url, _words(*shares), *shares, claim.caveat]
        rows.append([*named, *_nearest(claim, data)])
    rows.sort(key=lambda row: not row[-1])  # without runs beside it
    columns = [
        Column("", "source", str, right=False),
        *hidden("source", "url"),
        Column("", "claim", str, right=False),
        *hidden("train", "validation", "test_from", "test"),
        Column("caveat", "what to know", right=False),
        Column("nearest", "closest recipe here", right=False),
        Column("nearest_claimed", "its own claim, %", percent),
        Column("nearest_validation", "its validation acc., %", percent),
        Column("nearest_clean", "honest test acc., %", percent),
        Column("runs"),
    ]
    repeated = any(run.spec.protocol.name.startswith(REPEATED) for run in data.finished)
    return Section.of(TEMPLATE, open=repeated or bool(data.leaks), table=Table("claims", columns, rows))


def read_published(path: Path = FILE) -> list[Claim]:
    """Read the claims.

    Raises:
        UsageError: a file that breaks the rules.
    """
    try:
        return list(msgspec.convert(read_toml(path), Claims).claims)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}. Fix the file.") from error


def _words(train: float | None, validation: float | None, low: float | None, high: float | None) -> str:
    """Write a claim's numbers in percent."""
    words = [f"{name} {percent(value)}" for name, value in (("train", train), ("validation", validation)) if value]
    if low is not None:
        words.append(f"{percent(low)} to {percent(high)}" if high is not None else f"above {percent(low, 0)}")
    elif high is not None:
        words.append(percent(high, 2).rstrip("0").rstrip("."))
    return ", ".join(words)


def _nearest(claim: Claim, data: StudyData) -> tuple[Any, ...]:
    """Return what the study has nearest to a claim: the recipe, three accuracies as shares, and the keys of its runs.

    The first is what a leaky pipeline would have reported, None for an honest recipe; the second the recipe's
    validation accuracy, None for a leaky one; the third its test accuracy, or that of a leaky one's clean twin, None
    where it was not run.
    """
    for wanted in claim.near:
        for leak in data.leaks:
            if _plain(leak.recipe) == wanted and not leak.hardly_trained:
                clean = leak.clean.get(leak.measure)
                return str(leak.recipe), leak.claimed.value, None, clean.value if clean else None, leak.runs
        for one in data.ranked:
            if _plain(one.recipe) == wanted:
                validation, test = (one.measures[f"{split}_accuracy"].mean for split in ("validation", "test"))
                return str(one.recipe), None, validation, test, keys_of(one.runs)
    return None, None, None, None, ()


def _plain(recipe: Recipe) -> str:
    """Return a recipe as claims name it: without what tells it apart from others of its names."""
    return f"{recipe.model} / {recipe.protocol.split(' [')[0]}"
