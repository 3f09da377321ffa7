"""The images, their classes and splits."""

from __future__ import annotations

from study.core.spec import SPLITS
from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.table import Column, Table, text_columns
from study.report.wording import percent

TEMPLATE = """\
{% if card.drawn %}
The faces of this set are drawn by the package (synthetic); no photograph of a person is among them.
{% endif %}
{{ "{:,}".format(card.counts.values() | map("sum") | sum) }} images of {{ card.image_shape[1] }} × {{ \
card.image_shape[0] }} pixels, {{ "grey" if card.image_shape[2] == 1 else card.image_shape[2] ~ " channels" }}, {{ \
data.classes | length }} classes.
{{ card.split_source | md }}{{ "" if card.split_source.endswith(".") else "." }}
{% if card.bound %}

A share of the labels is wrong on purpose: no network can be expected to score above {{ card.bound | percent }} % on \
the test split.
{% endif %}

{{ table.markdown() }}

{% for note in card.notes %}
> **Note.** {{ note | md }}

{% endfor %}

{% set fingerprints %}
| what | sha256 |
|:---|:---|
| data set | {{ card.fingerprint | code }} |
{% for split, hash in card.split_hashes.items() %}
| {{ split | md }} split | {{ hash | code }} |
{% endfor %}
{% if card.settings %}

Settings: {% for name, value in card.settings | dictsort %}{{ name | md }} {{ value | md }}{{ ", " if not loop.last \
}}{% endfor %}.
{% endif %}
{% endset %}
{{ folded("Fingerprints of the data", fingerprints) }}
"""


@section("data", title="Data", place=150)
def write(data: StudyData) -> Section:
    """Return what the dataset's card says, with the images of each class and split."""
    counts = data.card.counts
    train = sum(counts["train"])
    rows = [
        [name, *(counts[split][place] for split in SPLITS), counts["train"][place] / train]
        for place, name in enumerate(data.classes)
    ]
    rows.append(["all", *(sum(counts[split]) for split in SPLITS), 1.0])
    images = [Column(split, split, "{:,}".format) for split in SPLITS]
    share = Column("train_share", "share of train, %", percent)
    table = Table("class-counts", [*text_columns("class"), *images, share], rows)
    return Section.of(TEMPLATE, data=data, card=data.card, table=table)
