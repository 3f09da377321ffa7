"""The stored answers scored again without images that training knew, or by other labels."""

from __future__ import annotations

from study.analysis.rescoring import ALL, FERPLUS, NO_COPIES, NO_NEAR_COPIES, Subset
from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.table import RECIPE, RUNS, Column, Table
from study.report.wording import with_interval

TEMPLATE = """\
The same stored answers scored again, in percent, over fewer images or by other labels; the number of images stands \
in the heading. *Copies* have pixels equal to a training image's{{ "; *near copies* show the same photograph as one, \
changed a little: at least those that the search found" if "without_near_copies" in subset_names }}{{ "; FER+ labels \
come from ten taggers, images without a clear class are left out" if "ferplus" in subset_names }}.{% if \
"without_copies" in subset_names %} The remaining images differ in class mix and difficulty. The change is therefore \
not the value of the copies alone.{% endif %}{% if \
"without_near_copies" not in subset_names %} Near copies are not recorded in this study: a run with the data at hand \
records them.{% endif %}


{{ table.markdown() }}
"""
_TITLES = {
    ALL: "all",
    NO_COPIES: "without copies",
    NO_NEAR_COPIES: "without near copies that were found",
    FERPLUS: "by FER+ labels",
}


@section("known_images", title="Duplicates of training images", place=80)
def write(data: StudyData) -> Section | None:
    """Return every recipe's accuracy on parts of the test split; None without a dataset file."""
    if not data.rescoring:
        return None
    scores, subsets = data.rescoring.scores, data.rescoring.subsets

    def column(place: int, subset: Subset) -> Column:
        title = f"{_TITLES[subset.name]}, {len(subset):,}"
        return Column(f"accuracy_{subset.name}", title, with_interval, value=lambda one: scores[one.recipe][place])

    columns = [
        Column("rank", "#"),
        *RECIPE,
        Column("statement_about", value=lambda one: scores[one.recipe][0].question),
        *(column(place, subset) for place, subset in enumerate(subsets)),
        RUNS,
    ]
    table = Table.of("rescoring", columns, data.standings)
    return Section.of(TEMPLATE, table=table, subset_names=[one.name for one in subsets])
