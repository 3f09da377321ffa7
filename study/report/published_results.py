"""Published claims on FER-2013, each beside what the study measured that comes nearest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.core.errors import UsageError
from study.core.toml import check_table, read_toml
from study.report.collect import StudyData

FILE = Path(__file__).parent / "published_results.toml"
#: The image set that the claims are about.
DATASET = "fer2013"
_NUMBER = (int, float)
_CLAIM: dict[str, tuple[type, ...]] = {
    "source": (str,),
    "url": (str,),
    "train": _NUMBER,
    "validation": _NUMBER,
    "test": _NUMBER,
    "test_from": _NUMBER,
    "caveat": (str,),
    "near": (list,),
}


@dataclass(frozen=True)
class Claim:
    """What somebody published; accuracies in percent.

    Attributes:
        source: Who.
        caveat: What has to be known before comparing.
        near: Recipes that come nearest, as ``model / protocol``, best first.
        url: Where, or empty.
        train: Accuracy on training images, or None.
        validation: Accuracy on validation images, or None.
        test: Accuracy on test images; the upper end of a range; None without.
        test_from: The lower end of a range, or None.
    """

    source: str
    caveat: str
    near: tuple[str, ...]
    url: str = ""
    train: float | None = None
    validation: float | None = None
    test: float | None = None
    test_from: float | None = None


@dataclass(frozen=True)
class Measured:
    """What a study measured nearest to a claim, in shares.

    Attributes:
        recipe: ``model / protocol``.
        claimed: What a leaky pipeline would have reported; None for an honest recipe.
        clean: Test accuracy of the recipe; of a leaky one that of its clean twin, None where it was not run.
        runs: Keys of the runs.
    """

    recipe: str
    claimed: float | None
    clean: float | None
    runs: tuple[str, ...]


def read_published(path: Path = FILE) -> list[Claim]:
    """Read the claims.

    Raises:
        UsageError: a file that breaks the rules.
    """
    claims = []
    for number, table in enumerate(read_toml(path).get("claims", []), start=1):
        where = f"{path} [[claims]] {number}"
        row: dict[str, Any] = check_table(where, table, _CLAIM)
        if missing := [name for name in ("source", "caveat", "near") if name not in row]:
            raise UsageError(f"{where}: every claim needs {', '.join(missing)}.")
        claims.append(Claim(**{**row, "near": tuple(row["near"])}))
    return claims


def nearest(claim: Claim, data: StudyData) -> Measured | None:
    """Return what the study has nearest to a claim, or None."""
    for wanted in claim.near:
        for leak in data.leaks:
            if _plain(leak.recipe) == wanted and not leak.hardly_trained:
                clean = leak.clean.get(leak.measure)
                return Measured(str(leak.recipe), leak.claimed.value, clean.value if clean else None, leak.runs)
        for one in data.ranked:
            if _plain(one.recipe) == wanted:
                keys = tuple(run.record.key for run in one.runs)
                return Measured(str(one.recipe), None, one.measures["test_accuracy"].mean, keys)
    return None


def _plain(recipe: Any) -> str:
    """Return a recipe as claims name it: without what tells it apart from others of its names."""
    return f"{recipe.model} / {recipe.protocol.split(' [')[0]}"
