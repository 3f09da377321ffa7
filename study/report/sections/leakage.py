"""What each leak claims, what its clean twin scores, and what lies between."""

from __future__ import annotations

from study.report.collect import StudyData
from study.report.figures.leaks import curve_picture, ladder_picture
from study.report.section import Section, fill, section
from study.report.tables import leaks

TEMPLATE = """\
What it is worth to let test images into training or into a choice. **Claimed** is what the leaky pipeline would have \
reported of itself. **Leaky** and **clean** are its networks and those of its clean twin, which differs in the leak \
alone, on the same images; **worth** is leaky less clean in points{{ ", with 95 % intervals in small type" }}. With \
*classes equal* every class weighs the same, as in a test split that was oversampled.

{{ picture(ladder) }}

{{ table.markdown() }}

{% if data.leaks | selectattr("hardly_trained") | list %}
‡ hardly trained: nothing follows on this leak.

{% endif %}
{% for leak in data.leaks if not leak.paired %}
{{ leak.recipe | md }}: no run of its clean twin{{ " " ~ (leak.twin | code) if leak.twin }} with the same seed, so \
that nothing can be said about its worth.

{% endfor %}
{% set body %}
- Leaks **before the split** (`oversample-before-split`, `augment-before-split`, `cnn5-notebook`): all images are \
split anew at random. The claim is made on the leaky pipeline's own test part, copies included; the comparison on the \
images that the clean twin holds out. Both make the same number of updates and keep the checkpoint with the lowest \
loss on their own validation part.
- **`checkpoint-on-test`**: one training. Leaky is the epoch with the highest test accuracy, clean the epoch with the \
highest validation accuracy.
- **`test-as-validation`**: checkpoint, stopping and learning rate follow the loss on the test split, or on the \
validation split.
- With three seeds or more the intervals hold for new seeds and new images, seeds paired; with fewer for the trained \
networks on new images. A chosen epoch counts as given: the intervals do not choose it again.
- **Trained on** and **unseen** part the scored images by whether the leaky networks trained on them, or on an \
identical copy. The counts, and the clean twin's accuracy without images that have an identical copy in its training \
part, are in [tables/leakage.csv](tables/leakage.csv).
{% endset %}
{{ folded("How the pairs are made", body) }}

{% if by_epoch %}
By epoch: leaks of images as the networks stood after each epoch; leaks of a choice as the checkpoint that would have \
been kept up to it. All numbers, with training accuracies, are in \
[tables/leakage-by-epoch.csv](tables/leakage-by-epoch.csv).

{{ picture(by_epoch) }}
{% endif %}
"""


@section("leakage", title="Leakage", place=20)
def write(data: StudyData) -> Section | None:
    """Return the ladder of leaks; None without leaky runs."""
    if not data.leaks:
        return None
    ladder, by_epoch = ladder_picture(data.leaks), curve_picture(data.leaks)
    table = leaks.ladder_table(data)
    text = fill(TEMPLATE, data=data, ladder=ladder, by_epoch=by_epoch, table=table)
    return Section(text, [table, leaks.curve_table(data)], [ladder, *([by_epoch] if by_epoch else [])])
