"""Build: a study's data becomes a report: the page's text, tables and pictures, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from study.analysis.pairs import MARGIN
from study.core.store import Store
from study.report.collect import StudyData, collect
from study.report.latex import latex_tables
from study.report.markdown import fill, tidy
from study.report.picture import Picture
from study.report.section import written
from study.report.sections.runs import missing_cells, statuses
from study.report.wording import listed, ranges

HEAD = """\
# {{ title | md }}

{{ models | plural("model") }} under {{ protocols | plural("protocol") }} on {{ card.name | md }}, {{ \
"{:,}".format(card.counts.values() | map("sum") | sum) }} images of {{ data.classes | length }} classes; {{ \
"seed" if data.seeds | length == 1 else "seeds" }} {{ seeds }}; budget {{ budgets | md }}; runs: {{ \
statuses }}{{ ", " ~ missing ~ " missing" if missing }}.
{% if data.leaks %}Ranked runs{{ " trained here" if data.imported }} made every choice on the validation split. Leaky \
runs, marked as such and never ranked, saw or chose on test images on purpose{{ "; they and their clean twins \
predicted the test split after every epoch" if watched }}.{% else %}{{ "For the runs trained here, every" if \
data.imported else "Every" }} choice was made on the validation split; the test split was predicted once, at the end \
of each run.{% endif %} Written by {{ ("study report " ~ data.name) | code }} from the records{{ \
", except for the remarks" if data.remarks else "; not edited by hand" }}.
"""
TAIL = """\
All tables are also in [tables/](tables/) as CSV, with the keys of the runs behind each row; per class and run in
`tables/per-class.csv`. Pictures of the data set's images (samples, most confident mistakes) are never part of this
report: they are drawn into `local/` beside it, on a machine that has the data.
"""


@dataclass(frozen=True)
class Report:
    """A report before it is written."""

    markdown: str  #: The page.
    tables: Mapping[str, str]  #: CSV text by path below ``tables/``.
    pictures: Mapping[str, Picture]  #: Pictures by path below ``figures/``.
    latex: Mapping[str, str]  #: LaTeX tables by file name.


def build_report(store: Store, margin: float = MARGIN) -> Report:
    """Build the report of a study without drawing or writing anything; ``margin`` as for ``collect``.

    Raises:
        StoreError: the study has no records, or a record cannot be read.
    """
    data = collect(store, margin)
    sections = written(data)
    tables = {table.name: table for _, section in sections for table in section.tables}
    pages = [_head(data), *(f"## {title}\n\n{section.text}" for title, section in sections), TAIL]
    return Report(
        markdown=tidy("\n\n".join(pages)),
        tables={f"{name}.csv": table.csv() for name, table in tables.items()},
        pictures={f"{one.name}.png": one for _, section in sections for one in section.pictures},
        latex=latex_tables(data, tables),
    )


def _head(data: StudyData) -> str:
    return fill(
        HEAD,
        data=data,
        card=data.card,
        title=f"Study {data.study}" + (": drawn faces (synthetic)" if data.card.drawn else ""),
        budgets=listed(sorted({record.spec.budget for record in data.trained})),
        models=len({data.recipe(record).model for record in data.trained}),
        protocols=len({data.recipe(record).protocol for record in data.trained}),
        seeds=ranges(data.seeds),
        statuses=statuses(data),
        missing=len(missing_cells(data)),
        watched=any(record.spec.protocol.monitor_test for record in data.records),
    )
