"""A written audit as the page shows it: its Markdown cut into what is open and what is folded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from study.core.store import PUBLISHED
from study.report.audit import TITLE

_FOLD, _SUMMARY, _SUMMARY_ENDS, _FOLD_ENDS = "<details", "<summary>", "</summary>", "</details>"
_FILE_LINK = re.compile(r"\[([^\]]+)\]\((?!https?://|#)[^)]+\)")
#: The page has a heading of its own above the audit's.
_HEADING = re.compile(r"^(#+ )", re.MULTILINE)
#: An audit's page is text of some hundred lines; more is none.
_MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class Part:
    """A stretch of Markdown."""

    text: str  #: The Markdown; links to files beside the page are words, since a browser cannot follow them.
    summary: str = ""  #: What is written on the fold; empty where the text is open.


@dataclass(frozen=True)
class WrittenAudit:
    """An audit on disk."""

    parts: tuple[Part, ...]  #: Its page.
    pictures: tuple[Path, ...]  #: Sheets of what was found; they are drawn where the data are at hand.


def find_audit(reports: Path, dataset: str, fingerprint: str) -> WrittenAudit | None:
    """Return the audit of a dataset, or None; one of a set with this name and another fingerprint does not count."""
    folder = reports / f"{dataset}-audit"
    if not folder.is_dir():
        folder = reports / PUBLISHED / folder.name
    page = folder / "README.md"
    if not page.is_file() or page.stat().st_size > _MOST_BYTES:
        return None
    text = page.read_text(encoding="utf-8", errors="replace")
    if not text.startswith(TITLE) or fingerprint[:12] not in text:
        return None
    return WrittenAudit(tuple(cut(text)), tuple(sorted((folder / "local").glob("*.png"))))


def cut(text: str) -> list[Part]:
    """Return a page's stretches in order, without its title."""
    text = text.partition("\n")[2] if text.startswith(TITLE) else text
    parts: list[Part] = []
    while _FOLD in text:  # by hand: a pattern would take ages on a page of folds that never end
        before, _, rest = text.partition(_FOLD)
        summary, there, rest = rest.partition(_SUMMARY)[2].partition(_SUMMARY_ENDS)
        folded, whole, rest = rest.partition(_FOLD_ENDS)
        if not (there and whole):
            break
        parts += [*_open(before), Part(_words(folded), _words(summary))]
        text = rest
    return parts + _open(text)


def _open(text: str) -> list[Part]:
    return [Part(_words(text))] if text.strip() else []


def _words(text: str) -> str:
    without_pictures = re.sub(r"!+\[", "[", text)  # of other places: nothing is fetched from there
    return _HEADING.sub(r"#\1", _FILE_LINK.sub(r"`\1`", without_pictures)).strip()
