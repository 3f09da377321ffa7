"""How intervals and tests are made."""

from __future__ import annotations

from study.analysis.contrasts import LEVEL
from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.table import Table, hidden

TEMPLATE = """\
{% if found %}
Two questions are kept apart. A statement on a **recipe** is about its mean over new seeds and new images and needs \
three seeds; a statement on a **network** is about that trained network on new images. {% if found.copies_known \
%}Test images with equal content ({{ found.scores.clusters.images - found.scores.clusters.count }} of {{ \
"{:,}".format(found.scores.clusters.images) }} are copies of another) count as one draw.{% else %}Which test images \
are copies of each other is not recorded in this study: **they are treated as independent**, and intervals may be a \
little too narrow.{% endif %}

{% set body %}
{% if seeded %}
- **Recipes.** Seeds and images are crossed: the variance of a mean holds the spread between seeds, never less than \
chance in the images makes it, and that of the images that all seeds share. Critical values are Cochran and Cox's. \
Seeds that two recipes share are paired by their average correlation, shrunk.
{% endif %}
- **Networks.** Intervals over new images, paired where two networks are compared; McNemar's exact test, never pooled \
over seeds.
- **Metrics** other than accuracy, log loss and Brier score enter by their first-order influence.
- **Several questions at once.** All pairs of recipes are one family (Bonferroni on moderated variances, and p < 0.05 \
by the pair's own); networks against the best on validation another (Holm), as are factor effects over all models, \
those of single models and those on the classes, separately for each score (Holm on moderated variances).
{% if seeded %}
- **Best on validation** is chosen with the same seeds that the test split then scores. Its headline score takes each \
network of the recipe that the other seeds choose, and its interval holds both that estimate and the plain mean.
- **Equivalence** is tested with a margin of {{ "%g" | format(100 * found.margin) }} points, set by `--margin`; the \
chance to beat the best assumes that accuracies are normal over seeds, its interval comes from generalised pivots.
{% endif %}
- **What cannot be held.** Where one training in ten diverges, three or five seeds often show none of it, and no \
interval from them covers the mean. Each run is a mark in the leaderboard's figure; runs far behind are named.
- **Expected calibration error**: 15 bins of equal width; it is biased upwards for nearly calibrated networks, and \
its interval is one of this biased score.
- **Few images.** One right and one wrong image of each class are added to the variance, so that classes of a few \
images have wide intervals (more than 95 % below 20 images); where every answer is right, or none, the interval is \
Clopper and Pearson's.
- **Traceability.** In every CSV of results the column `runs` names the keys of the runs behind the row.
{% endset %}
{{ folded("Methods", body) }}
{% else %}
With the first finished run.
{% endif %}
"""


@section("methods", title="How the numbers are made", place=190)
def write(data: StudyData) -> Section:
    """Return the methods, and keep the settings that ``report --check`` reads."""
    found = data.found
    if not found:
        return Section.of(TEMPLATE, found=None)
    clusters = found.scores.clusters
    settings = {
        "equivalence_margin": found.margin,
        "interval_level": LEVEL,
        "detectable_difference": found.detectable,
        "test_images": clusters.images,
        "test_images_of_different_content": clusters.count if found.copies_known else None,
    }
    table = Table("settings", hidden("name", "value"), list(settings.items()))
    return Section.of(TEMPLATE, table, found=found, seeded=any(map(found.scores.has_seeds, found.scores.recipes)))
