"""The tables of an audit: the page shows some, and all of them become CSV files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from study.core.spec import SPLITS
from study.report.audit.label_errors import LabelErrors
from study.report.table import Column, Table
from study.report.wording import NOTHING, code, escape, p_value, percent, points

if TYPE_CHECKING:
    from study.datasets.audit import Audit
    from study.datasets.audit.overlap import ClassOverlap

MOST_SHOWN = 40
"""More rows than this of a list are in the CSV only."""

_HASH_DIGITS = 12


def _integer(value: int) -> str:
    return f"{value:,}"


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({percent(part / whole)} %)" if whole else NOTHING


def audit_tables(audit: Audit, suspected: LabelErrors | None) -> dict[str, Table]:
    """Return every table by what it is called in the page's code; those without a name make no CSV."""
    tables = {
        "classes": _classes(audit),
        "class_drift": _class_drift(audit),
        "by_split": _copies_by_split(audit),
        "by_class": _copies_by_class(audit),
        "copies": _copies(audit),
        "conflicts": _conflicts(audit),
        "duplicates": _duplicates(audit),
        "near_pairs": _near_pairs(audit),
        "pixels": _pixels(audit),
        "empty": _empty(audit),
    }
    if suspected:
        tables |= {"suspected": _label_errors(audit, suspected), "joint": _joint(audit, suspected)}
    return tables


def _classes(audit: Audit) -> Table:
    counts = audit.data.counts()
    totals = {split: sum(row) for split, row in counts.items()}
    columns = [Column("class", "class", right=False)]
    for split in SPLITS:
        columns += [Column(f"{split}_images", split, _integer), Column(f"{split}_share", "%", percent)]
    rows = [
        [name, *(cell for split in SPLITS for cell in (counts[split][label], counts[split][label] / totals[split]))]
        for label, name in enumerate(audit.data.classes)
    ]
    rows.append(["all", *(cell for split in SPLITS for cell in (totals[split], 1.0))])
    return Table("class-counts", columns, rows)


def _class_drift(audit: Audit) -> Table:
    columns = [
        Column("split", "train and", right=False),
        Column("chi_square", "chi-square", lambda value: f"{value:.1f}"),
        Column("degrees_of_freedom", "degrees of freedom"),
        Column("p_value", "p", p_value),
        Column("cramers_v", "Cramer's V", lambda value: f"{value:.3f}"),
    ]
    rows = [[one.split, one.chi_square, one.freedom, one.p_value, one.cramers_v] for one in audit.class_drifts]
    return Table("class-drift", columns, rows)


def _copies_by_split(audit: Audit) -> Table:
    """Images of the row's split that have a copy in the column's."""
    columns = [Column("", "images of", right=False), Column("", "images", _integer)]
    for words in ("identical", "any copy"):
        columns += [Column("", f"{words}: {other}", lambda cell: cell) for other in SPLITS]
    rows: list[list[Any]] = []
    for split in SPLITS:
        images = len(audit.data.indices(split))
        found = [audit.copies(split, other, near).copied for near in (False, True) for other in SPLITS]
        rows.append([split, images, *(_share(count, images) for count in found)])
    return Table("", columns, rows)


def _copies_by_class(audit: Audit) -> Table:
    """Test and validation images with a copy in train, class by class."""
    columns = [Column("", "class", right=False)]
    for split in ("test", "validation"):
        columns += [
            Column("", f"{split} images", _integer),
            Column("", "identical", lambda cell: cell),
            Column("", "relabelled", _integer),
            Column("", "any copy", lambda cell: cell),
            Column("", "relabelled", _integer),
        ]
    rows = []
    for label, name in [*enumerate(audit.data.classes), (-1, "all")]:
        row: list[Any] = [name]
        for split in ("test", "validation"):
            found = [
                audit.copies(split, "train", near) if label < 0 else _one(overlaps, label, split)
                for near, overlaps in ((False, audit.identical_overlaps), (True, audit.alike_overlaps))
            ]
            row.append(found[0].images)
            for one in found:
                row += [_share(one.copied, one.images), one.relabelled]
        rows.append(row)
    return Table("", columns, rows)


def _one(overlaps: list[ClassOverlap], label: int, split: str) -> ClassOverlap:
    return next(one for one in overlaps if (one.label, one.split, one.other) == (label, split, "train"))


def _copies(audit: Audit) -> Table:
    """Every count behind the two tables above, for the CSV."""
    keys = ("copies", "images_of", "copies_in", "class", "images", "images_with_copy", "with_other_label")
    rows = [
        [kind, one.split, one.other, audit.data.classes[one.label], one.images, one.copied, one.relabelled]
        for kind, overlaps in (("identical", audit.identical_overlaps), ("identical or near", audit.alike_overlaps))
        for one in overlaps
    ]
    return Table("copies", [Column(key, "") for key in keys], rows)


def _conflicts(audit: Audit) -> Table:
    columns = [
        Column("first_label", "label", right=False),
        Column("second_label", "and label", right=False),
        Column("groups_of_identical_images", "groups of identical images"),
    ]
    names = audit.data.classes
    return Table(
        "conflicting-labels", columns, [[names[one], names[two], groups] for one, two, groups in audit.conflicts]
    )


def _duplicates(audit: Audit) -> Table:
    """Every image of every group, for the CSV: equal ``content`` means identical images."""
    data = audit.data
    rows = [
        [number, data.ids[row], data.splits[row], data.labels[row], data.hashes[row].decode()[:_HASH_DIGITS]]
        for number, group in enumerate(audit.groups, start=1)
        for row in group
    ]
    return Table(
        "duplicates",
        [Column(key, "") for key in ("group", "image", "split", "label", "content")],
        [[number, str(name), SPLITS[split], data.classes[label], mark] for number, name, split, label, mark in rows],
    )


def _near_pairs(audit: Audit) -> Table:
    pairs, ids = audit.near, audit.data.ids
    rows = [
        [str(ids[one]), str(ids[two]), "yes" if mirrored else "no", round(float(value), 3)]
        for one, two, mirrored, value in zip(pairs.first, pairs.second, pairs.mirrored, pairs.similarity, strict=True)
    ]
    return Table("near-pairs", [Column(key, "") for key in ("image", "other", "mirrored", "similarity")], rows)


def _pixels(audit: Audit) -> Table:
    def number(value: float) -> str:
        return f"{value:.3g}"

    columns = [
        Column("measure", "measure", right=False),
        Column("train_median", "median in train", number),
        Column("split", "other split", right=False),
        Column("median", "median there", number),
        Column("cliffs_delta", "Cliff's delta", lambda value: points(value / 100, 3)),
        Column("p_value", "p", p_value),
    ]
    rows = [
        [one.measure, one.train_median, one.split, one.median, one.delta, one.p_value] for one in audit.pixel_drifts
    ]
    return Table("pixel-drift", columns, rows)


def _empty(audit: Audit) -> Table:
    data, pixels = audit.data, audit.pixels
    rows = [
        [str(data.ids[row]), SPLITS[data.splits[row]], data.classes[data.labels[row]], pixels.brightness[row]]
        + [pixels.contrast[row]]
        for row in np.flatnonzero(pixels.constant | pixels.nearly_constant)
    ]
    columns = [
        Column("image", "image", code, right=False),
        Column("split", "split", right=False),
        Column("label", "label", right=False),
        Column("brightness", "mean grey level", lambda value: f"{value:.0f}"),
        Column("contrast", "standard deviation", lambda value: f"{value:.2g}"),
    ]
    return Table("empty-images", columns, rows)


def _label_errors(audit: Audit, suspected: LabelErrors) -> Table:
    data, found = audit.data, suspected.found
    columns = [
        Column("rank", "rank"),
        Column("image", "image", code, right=False),
        Column("split", "split", right=False),
        Column("label", "label", right=False),
        Column("label_probability", "its probability", lambda value: f"{value:.2f}"),
        Column("suggested", "networks say", right=False),
        Column("suggested_probability", "its probability", lambda value: f"{value:.2f}"),
        Column("margin", ""),
    ]
    rows = []
    for rank, (place, suggested, margin) in enumerate(
        zip(found.rows, found.suggested, found.margin, strict=True), start=1
    ):
        row = suspected.held_out.rows[place]
        odds = suspected.held_out.probabilities[place]
        label = data.labels[row]
        rows.append(
            [rank, str(data.ids[row]), SPLITS[data.splits[row]], data.classes[label], float(odds[label])]
            + [data.classes[suggested], float(odds[suggested]), float(margin)]
        )
    return Table("suspicious-labels", columns, rows)


def _joint(audit: Audit, suspected: LabelErrors) -> Table:
    """Estimated shares in percent by given label and true class."""
    names = audit.data.classes
    columns = [Column("label", "label", right=False)]
    columns += [Column(name, escape(name), percent) for name in names]
    rows = [[name, *map(float, shares)] for name, shares in zip(names, suspected.found.joint, strict=True)]
    return Table("label-joint", columns, rows)
