"""An audit of a dataset on disk: its page and tables, pictures of what was found, and labels under suspicion.

The page's words are in ``templates/audit.md.j2``. Pictures show the dataset's own images, for whoever has them; they
are never published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from study.analysis.label_errors import HeldOut, RankedLabels, held_out, rank_labels
from study.core.errors import DataError, StoreError
from study.core.files import write_atomically
from study.core.spec import SPLITS
from study.report.local import MOST_IN_ROW, Cell, image_sheet
from study.report.markdown import folded, render
from study.report.table import Column, Table, hidden, text_columns
from study.report.wording import NOTHING, code, escape, p_value, percent, points

if TYPE_CHECKING:
    from study.core.store import Store
    from study.datasets.audit import Audit
    from study.datasets.image_set import ImageSet

TEMPLATE = Path(__file__).parent / "templates" / "audit.md.j2"
TITLE = "# Audit of "
"""How every audit page begins, which tells it from the report of a study."""

MOST_SHOWN = 40
"""More rows than this of a list are in the CSV only."""

_FEWEST_RELABELLED = 30
_HASH_DIGITS = 12
_MOST_GROUPS = 80


@dataclass(frozen=True)
class LabelErrors:
    """Labels under suspicion."""

    study: str  #: The study whose networks were asked.
    held_out: HeldOut  #: Their predictions.
    found: RankedLabels  #: Confident learning on these; its rows count the images of ``held_out``.


def find_label_errors(data: ImageSet, store: Store) -> LabelErrors:
    """Rank the labels of an image set by the predictions of a study's finished runs.

    Raises:
        DataError: the study was made from other images.
        StoreError: no finished run has predictions that can be used.
    """
    records = [record for record in store.records() if record.status == "done"]
    if not records:
        raise StoreError(
            f"study {store.study!r} has no finished runs in {store.results}: run it, or leave out --study."
        )
    known = records[0].dataset
    if known.fingerprint != data.fingerprint:
        raise DataError(
            f"the study must be made from the audited images, whose fingerprint is {data.fingerprint[:12]}, found "
            f"{known.name} ({known.fingerprint[:12]}) in study {store.study!r}. Give another --study."
        )
    predictions = held_out([store.load_arrays(record) for record in records], data.splits)
    if predictions is None:
        raise StoreError(f"study {store.study!r} has no honest run with finite predictions. Give another --study.")
    return LabelErrors(store.study, predictions, rank_labels(data.labels[predictions.rows], predictions.probabilities))


def write_audit(audit: Audit, folder: Path, suspected: LabelErrors | None = None) -> Path:
    """Write the page and its tables, the page last; return its path. Pictures are ``audit_pictures``' matter.

    Args:
        audit: What was found.
        folder: Where to write.
        suspected: Labels under suspicion, where a study was asked.

    Raises:
        StoreError: the folder cannot be written.
    """
    tables = _tables(audit, suspected)
    named = {f"{table.name}.csv": table for table in tables.values() if table.name}
    for name, table in named.items():
        write_atomically(folder / "tables" / name, table.csv().encode())
    for path in sorted((folder / "tables").glob("*.csv")):
        if path.name not in named:
            path.unlink()
    page = folder / "README.md"
    write_atomically(page, _page(audit, tables, suspected).encode())
    return page


def _page(audit: Audit, tables: dict[str, Table], suspected: LabelErrors | None) -> str:
    """Return the page as Markdown."""
    data, counts = audit.data, audit.data.counts()["train"]
    facts: dict[str, Any] = {
        "largest": data.classes[int(np.argmax(counts))],
        "smallest": data.classes[int(np.argmin(counts))],
        "identical_files": sum(map(len, audit.identical)),
        "largest_group": max(audit.identical, key=len, default=np.empty(0, np.int64)),
        "known": audit.copies("test", "train", near=False),
        "by_class": _shares_by_class(audit),
    }
    if suspected:
        rows = suspected.held_out.rows
        relabelled = np.intersect1d(rows, np.concatenate([np.empty(0, np.int64), *audit.conflicting_alike]))
        facts |= {
            "asked": len(rows),
            "right": float(np.mean(suspected.held_out.probabilities.argmax(axis=1) == data.labels[rows])),
            "relabelled": relabelled,
            "caught": int(np.isin(relabelled, rows[suspected.found.rows]).sum()),
            "fewest_relabelled": _FEWEST_RELABELLED,
        }
    facts |= {"audit": audit, "data": data, "suspected": suspected, "title": TITLE}
    return render(TEMPLATE, tables=tables, first_rows=_first_rows, **facts)


def _shares_by_class(audit: Audit) -> list[str]:
    """Say what share of each class's test images has a copy in train, the largest first; empty where none has."""
    found = [one for one in audit.alike_overlaps if (one.split, one.other) == ("test", "train") and one.images]
    order = sorted(found, key=lambda one: one.copied / one.images, reverse=True)
    if not any(one.copied for one in found):
        return []
    return [f"{percent(one.copied / one.images)} % of {audit.data.classes[one.label]}" for one in order]


def _first_rows(table: Table) -> str:
    """Return a table's first rows, and where the others are."""
    text = replace(table, rows=table.rows[:MOST_SHOWN]).markdown()
    if len(table.rows) <= MOST_SHOWN:
        return text
    summary = f"The first {MOST_SHOWN} of {len(table.rows):,}"
    return f"{folded(summary, text)}\nAll: [tables/{table.name}.csv](tables/{table.name}.csv)."


def _tables(audit: Audit, suspected: LabelErrors | None) -> dict[str, Table]:
    """Return every table by what it is called in the template; those without a name make no CSV."""
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


def _left(key: str, title: str) -> Column:
    return Column(key, title, right=False)


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({percent(part / whole)} %)" if whole else NOTHING


def _classes(audit: Audit) -> Table:
    counts = audit.data.counts()
    totals = {split: sum(row) for split, row in counts.items()}
    columns = text_columns("class")
    for split in SPLITS:
        columns += [Column(f"{split}_images", split, "{:,}".format), Column(f"{split}_share", "%", percent)]
    rows = [
        [name, *(cell for split in SPLITS for cell in (counts[split][label], counts[split][label] / totals[split]))]
        for label, name in enumerate(audit.data.classes)
    ]
    rows.append(["all", *(cell for split in SPLITS for cell in (totals[split], 1.0))])
    return Table("class-counts", columns, rows)


def _class_drift(audit: Audit) -> Table:
    columns = [
        _left("split", "train and"),
        Column("chi_square", "chi-square", "{:.1f}".format),
        Column("degrees_of_freedom", "degrees of freedom", value="freedom"),
        Column("p_value", "p", p_value),
        Column("cramers_v", "Cramer's V", "{:.3f}".format),
    ]
    return Table.of("class-drift", columns, audit.class_drifts)


def _copies_by_split(audit: Audit) -> Table:
    """Images of the row's split that have a copy in the column's."""
    columns = [_left("", "images of"), Column("", "images", "{:,}".format)]
    columns += [Column("", f"{words}: {other}", str) for words in ("identical", "any copy") for other in SPLITS]
    rows: list[list[Any]] = []
    for split in SPLITS:
        images = len(audit.data.indices(split))
        found = [audit.copies(split, other, near).copied for near in (False, True) for other in SPLITS]
        rows.append([split, images, *(_share(count, images) for count in found)])
    return Table("", columns, rows)


def _copies_by_class(audit: Audit) -> Table:
    """Test and validation images with a copy in train, class by class."""
    columns = [_left("", "class")]
    for split in ("test", "validation"):
        columns.append(Column("", f"{split} images", "{:,}".format))
        for words in ("identical", "any copy"):
            columns += [Column("", words, str), Column("", "relabelled", "{:,}".format)]
    every = {
        (near, one.split, one.label): one
        for near, overlaps in ((False, audit.identical_overlaps), (True, audit.alike_overlaps))
        for one in overlaps
        if one.other == "train"
    }
    rows = []
    for label, name in [*enumerate(audit.data.classes), (-1, "all")]:
        row: list[Any] = [name]
        for split in ("test", "validation"):
            for near in (False, True):
                one = audit.copies(split, "train", near) if label < 0 else every[near, split, label]
                row += [*([] if near else [one.images]), _share(one.copied, one.images), one.relabelled]
        rows.append(row)
    return Table("", columns, rows)


def _copies(audit: Audit) -> Table:
    """Every count behind the two tables above, for the CSV."""
    rows = [
        [kind, one.split, one.other, audit.data.classes[one.label], one.images, one.copied, one.relabelled]
        for kind, overlaps in (("identical", audit.identical_overlaps), ("identical or near", audit.alike_overlaps))
        for one in overlaps
    ]
    keys = ("copies", "images_of", "copies_in", "class", "images", "images_with_copy", "with_other_label")
    return Table("copies", hidden(*keys), rows)


def _conflicts(audit: Audit) -> Table:
    columns = [_left("first_label", "label"), _left("second_label", "and label")]
    columns.append(Column("groups_of_identical_images", "groups of identical images"))
    names = audit.data.classes
    rows = [[names[one], names[two], count] for one, two, count in audit.conflicts]
    return Table("conflicting-labels", columns, rows)


def _named(audit: Audit, row: np.integer[Any] | int) -> list[str]:
    """Return id, split and label of an image."""
    data = audit.data
    return [str(data.ids[row]), SPLITS[data.splits[row]], data.classes[data.labels[row]]]


def _duplicates(audit: Audit) -> Table:
    """Every image of every group, for the CSV: equal ``content`` means identical images."""
    rows = [
        [number, *_named(audit, row), audit.data.hashes[row].decode()[:_HASH_DIGITS]]
        for number, group in enumerate(audit.groups, start=1)
        for row in group
    ]
    return Table("duplicates", hidden("group", "image", "split", "label", "content"), rows)


def _near_pairs(audit: Audit) -> Table:
    pairs, ids = audit.near, audit.data.ids
    rows = [
        [str(ids[one]), str(ids[two]), "yes" if mirrored else "no", round(float(value), 3)]
        for one, two, mirrored, value in zip(pairs.first, pairs.second, pairs.mirrored, pairs.similarity, strict=True)
    ]
    return Table("near-pairs", hidden("image", "other", "mirrored", "similarity"), rows)


def _pixels(audit: Audit) -> Table:
    number = "{:.3g}".format
    columns = [
        *text_columns("measure"),
        Column("train_median", "median in train", number),
        _left("split", "other split"),
        Column("median", "median there", number),
        Column("cliffs_delta", "Cliff's delta", lambda value: points(value / 100, 3), value="delta"),
        Column("p_value", "p", p_value),
    ]
    return Table.of("pixel-drift", columns, audit.pixel_drifts)


def _empty(audit: Audit) -> Table:
    pixels = audit.pixels
    rows = [
        [*_named(audit, row), pixels.brightness[row], pixels.contrast[row]]
        for row in np.flatnonzero(pixels.constant | pixels.nearly_constant)
    ]
    columns = [
        Column("image", "image", code, right=False),
        *text_columns("split", "label"),
        Column("brightness", "mean grey level", "{:.0f}".format),
        Column("contrast", "standard deviation", "{:.2g}".format),
    ]
    return Table("empty-images", columns, rows)


def _label_errors(audit: Audit, suspected: LabelErrors) -> Table:
    probability = "{:.2f}".format
    data, found, held_out = audit.data, suspected.found, suspected.held_out
    columns = [
        Column("rank", "rank"),
        Column("image", "image", code, right=False),
        *text_columns("split", "label"),
        Column("label_probability", "its probability", probability),
        _left("suggested", "networks say"),
        Column("suggested_probability", "its probability", probability),
        Column("margin"),
    ]
    rows: list[list[Any]] = []
    for place, class_, margin in zip(found.rows, found.suggested, found.margin, strict=True):
        row, odds = held_out.rows[place], held_out.probabilities[place]
        suggestion = [float(odds[data.labels[row]]), data.classes[class_], float(odds[class_]), float(margin)]
        rows.append([len(rows) + 1, *_named(audit, row), *suggestion])
    return Table("suspicious-labels", columns, rows)


def _joint(audit: Audit, suspected: LabelErrors) -> Table:
    """Estimated shares in percent by given label and true class."""
    names = audit.data.classes
    columns = [*text_columns("label"), *(Column(name, escape(name), percent) for name in names)]
    rows = [[name, *map(float, shares)] for name, shares in zip(names, suspected.found.joint, strict=True)]
    return Table("label-joint", columns, rows)


def write_audit_pictures(audit: Audit, folder: Path, suspected: LabelErrors | None = None) -> list[Path]:
    """Draw sheets of what was found into a folder; return the paths written. Nothing found, no sheet.

    Raises:
        StoreError: the folder cannot be written.
    """
    data, identical = audit.data, {int(rows[0]) for rows in audit.conflicting}
    across = [rows for rows in audit.groups if all(len(np.unique(of[rows])) > 1 for of in (data.splits, data.hashes))]
    only_near = [rows for rows in audit.conflicting_alike if int(rows[0]) not in identical]
    empty = np.flatnonzero(audit.pixels.constant | audit.pixels.nearly_constant)
    sheets = {
        "copies-across-splits.png": [_group(audit, rows) for rows in across],
        "conflicting-labels.png": [_group(audit, rows) for rows in audit.conflicting + only_near],
        "mirrored.png": [_pair(audit, int(place)) for place in np.flatnonzero(audit.near.mirrored)],
        "least-alike.png": [_pair(audit, int(place)) for place in np.argsort(audit.near.similarity, kind="stable")],
        "largest-groups.png": [_group(audit, rows) for rows in sorted(audit.groups, key=len, reverse=True)],
        "empty.png": [_group(audit, [row]) for row in empty],
        "suspicious-labels.png": [[cell] for cell in _suspected(audit, suspected)] if suspected else [],
    }
    written = []
    for name, groups in sheets.items():
        path = folder / name
        if groups:
            write_atomically(path, image_sheet(groups[:_MOST_GROUPS]))
            written.append(path)
        else:
            path.unlink(missing_ok=True)
    return written


def _place(audit: Audit, row: int) -> str:
    data = audit.data
    return f"{data.classes[data.labels[row]]}\n{SPLITS[data.splits[row]]}"


def _group(audit: Audit, rows: Sequence[Any] | np.ndarray) -> list[Cell]:
    return [(audit.data.images[row], _place(audit, row)) for row in rows[:MOST_IN_ROW]]


def _pair(audit: Audit, place: int) -> list[Cell]:
    pairs = audit.near
    first, second = int(pairs.first[place]), int(pairs.second[place])
    mirrored = " m" if pairs.mirrored[place] else ""
    words = f"{_place(audit, second)} {pairs.similarity[place]:.2f}{mirrored}"
    return [(audit.data.images[first], _place(audit, first)), (audit.data.images[second], words)]


def _suspected(audit: Audit, suspected: LabelErrors) -> list[Cell]:
    data, found = audit.data, suspected.found
    rows = suspected.held_out.rows[found.rows]
    return [
        (data.images[row], f"{data.classes[data.labels[row]]}\n{data.classes[suggested]}?")
        for row, suggested in zip(rows, found.suggested, strict=True)
    ]
