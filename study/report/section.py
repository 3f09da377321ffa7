"""The sections of a report, each registered in a file of ``study/report/sections`` or of a plugin.

A section is a function of the study's data. It returns Markdown and the tables and pictures that are kept beside it;
nothing else needs editing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from study.core.errors import UsageError
from study.core.registry import Registry
from study.report.collect import StudyData
from study.report.markdown import fill
from study.report.picture import Picture
from study.report.table import Table


@dataclass(frozen=True)
class Section:
    """What a section says of one study."""

    text: str  #: Markdown below the heading; headings of its own start with ``###``.
    tables: Sequence[Table] = ()  #: Kept as ``tables/<name>.csv``.
    #: Drawn as ``figures/<name>.png``; the text shows them by ``picture`` of a template.
    pictures: Sequence[Picture] = ()

    @classmethod
    def of(cls, template: str, *unseen: Table, **names: Any) -> Section:
        """Return a filled template, the named tables and pictures among ``names``, and tables that the text lacks."""
        shown = list(_flat(list(names.values())))
        tables = [one for one in (*shown, *unseen) if isinstance(one, Table) and one.name]
        return cls(fill(template, **names), tables, [one for one in shown if isinstance(one, Picture)])


def _flat(value: Any) -> Iterator[Any]:
    """Yield what lists, tuples and the values of mappings hold, however deep."""
    if isinstance(value, (list, tuple, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _flat(one)
    else:
        yield value


Write = Callable[[StudyData], Section | None]


@dataclass(frozen=True)
class SectionEntry:
    """A registered section."""

    name: str  #: Of the section: lower-case letters, digits, ``-`` and ``_``.
    title: str  #: Its heading.
    place: int  #: Sections stand in ascending order; the package's own are tens.
    write: Write  #: Returns the section, or None where a study has nothing to say there.


SECTIONS: Registry[SectionEntry] = Registry("report section", package="study.report.sections")


def section(name: str, *, title: str, place: int) -> Callable[[Write], Write]:
    """Register the decorated function as a section of every report, under a unique name and with a heading.

    ``place`` says where it stands: the conclusions are 10, the leaderboard 30, calibration 90, the commands 200.

    Raises:
        UsageError: a taken name, or an empty title.
    """
    if not title.strip():
        raise UsageError(f"a report section needs a title, got {title!r} for {name!r}.")

    def add(write: Write) -> Write:
        SECTIONS.add(name, SectionEntry(name, title, place, write), inspect.getsourcefile(write) or "?")
        return write

    return add


def written(data: StudyData) -> list[tuple[str, Section]]:
    """Return the headings and sections of a study, in order."""
    entries = sorted(SECTIONS, key=lambda one: (one.place, one.name))
    return [(one.title, found) for one in entries if (found := one.write(data)) is not None]
