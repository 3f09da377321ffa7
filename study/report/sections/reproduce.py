"""The commands, versions and keys behind the report."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.reproduce import commands
from study.report.section import Section, fill, section
from study.report.tables import runs

TEMPLATE = """\
```sh
{{ commands }}
```

{% if not card.drawn %}
`PATH` is the data set with the fingerprint above.
{% endif %}
All other seeds are derived from a run's seed by name.
{% if versions %}
{{ folded("Versions and machine", versions.markdown()) }}
{% endif %}
{{ folded("Run keys", keys.markdown()) }}


"""


@section("reproduce", title="How to reproduce", place=200)
def write(data: StudyData) -> Section:
    """Return what trains the same runs and checks the report."""
    keys = runs.run_keys_table(data)
    versions = runs.versions_table(data) if data.finished else None
    text = fill(TEMPLATE, card=data.card, commands="\n".join(commands(data)), keys=keys, versions=versions)
    return Section(text, [keys, *([versions] if versions else [])])
