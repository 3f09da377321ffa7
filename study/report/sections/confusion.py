"""Which class is taken for which, run by run."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.figures.confusion import best_picture, confusion_pictures
from study.report.section import Section, fill, section
from study.report.tables import results

TEMPLATE = """\
Test split{{ ", that of the run where it has one of its own" if elsewhere }}. Rows are true classes and sum to 100 %; \
each cell shows the share and the number of images.

{% if best %}
{{ picture(best) }}

{% endif %}
{% for model in data.naming.models if model in confusions %}
{% set body %}
{% for one in confusions[model] %}
{{ picture(one) }}

{% endfor %}
{% endset %}
{{ folded(model | md ~ (" – " ~ confusions[model] | length ~ " seeds" if confusions[model] | length > 1 else ""), \
body) }}
{% endfor %}
{% set body %}
{% for name in confusion_names %}
- [{{ name | md }}](tables/confusion/{{ name | urlencode }}.csv)
{% endfor %}
{% endset %}
{{ folded("As CSV", body) }}
"""


@section("confusion", title="Confusion matrices", place=120)
def write(data: StudyData) -> Section | None:
    """Return the matrices of every model, folded, and as CSV."""
    if not data.finished:
        return None
    shown, best = confusion_pictures(data), best_picture(data)
    keys = [run.record.key for run in data.finished]
    text = fill(TEMPLATE, data=data, elsewhere=data.elsewhere, confusions=shown, best=best, confusion_names=keys)
    pictures = [*([best] if best else []), *(one for several in shown.values() for one in several)]
    return Section(text, results.confusion_tables(data), pictures)
