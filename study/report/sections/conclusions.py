"""What follows from the tests, most important first."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.conclusions import conclusions
from study.report.section import Section, section


@section("conclusions", title="Conclusions", place=10)
def write(data: StudyData) -> Section:
    """Return the sentences of ``study.report.conclusions``."""
    return Section("\n".join(f"- {sentence}" for sentence in conclusions(data)))
