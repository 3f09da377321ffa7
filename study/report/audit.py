"""An audit of a dataset on disk: its page and tables, pictures of what was found, and labels under suspicion.

The page's words are in ``templates/audit.md.j2``. Pictures show the dataset's own images, for whoever has them; they
are never published.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    """Write the page and its tables, the page last; return its path.

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
    tables = {"classes": _classes(audit), "by_split": _copies_by_split(audit), "by_class": _copies_by_class(audit)}
    tables |= _copies(audit) | _drift(audit) | {"empty": _empty(audit)}
    return tables | (_label_errors(audit, suspected) if suspected else {})


def _left(key: str, title: str) -> Column:
    return Column(key, title, right=False)


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({percent(part / whole)} %)" if whole else NOTHING


def _named(data: ImageSet, row: np.integer[Any] | int) -> list[str]:
    """Return id, split and label of an image."""
    return [str(data.ids[row]), SPLITS[data.splits[row]], data.classes[data.labels[row]]]


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


def _copies(audit: Audit) -> dict[str, Table]:
    """Every count behind the tables of copies, every group and near pair (for the CSV), and labels that contradict."""
    data, near, names = audit.data, audit.near, audit.data.classes
    counts = [
        [kind, one.split, one.other, names[one.label], one.images, one.copied, one.relabelled]
        for kind, overlaps in (("identical", audit.identical_overlaps), ("identical or near", audit.alike_overlaps))
        for one in overlaps
    ]
    keys = ("copies", "images_of", "copies_in", "class", "images", "images_with_copy", "with_other_label")
    groups = [
        [number, *_named(data, row), data.hashes[row].decode()[:_HASH_DIGITS]]
        for number, group in enumerate(audit.groups, start=1)
        for row in group
    ]
    pairs = [
        [str(data.ids[one]), str(data.ids[two]), "yes" if mirrored else "no", round(float(value), 3)]
        for one, two, mirrored, value in zip(near.first, near.second, near.mirrored, near.similarity, strict=True)
    ]
    columns = [_left("first_label", "label"), _left("second_label", "and label")]
    columns.append(Column("groups_of_identical_images", "groups of identical images"))
    conflicts = [[names[one], names[two], count] for one, two, count in audit.conflicts]
    return {
        "copies": Table("copies", hidden(*keys), counts),
        "conflicts": Table("conflicting-labels", columns, conflicts),
        "duplicates": Table("duplicates", hidden("group", "image", "split", "label", "content"), groups),
        "near_pairs": Table("near-pairs", hidden("image", "other", "mirrored", "similarity"), pairs),
    }


def _drift(audit: Audit) -> dict[str, Table]:
    """How the classes and the pixels of the other splits differ from those of train."""
    of_classes = [
        _left("split", "train and"),
        Column("chi_square", "chi-square", "{:.1f}".format),
        Column("degrees_of_freedom", "degrees of freedom", value="freedom"),
        Column("p_value", "p", p_value),
        Column("cramers_v", "Cramer's V", "{:.3f}".format),
    ]
    number = "{:.3g}".format
    of_pixels = [
        *text_columns("measure"),
        Column("train_median", "median in train", number),
        _left("split", "other split"),
        Column("median", "median there", number),
        Column("cliffs_delta", "Cliff's delta", lambda value: points(value / 100, 3), value="delta"),
        Column("p_value", "p", p_value),
    ]
    return {
        "class_drift": Table.of("class-drift", of_classes, audit.class_drifts),
        "pixels": Table.of("pixel-drift", of_pixels, audit.pixel_drifts),
    }


def _empty(audit: Audit) -> Table:
    pixels = audit.pixels
    rows = [
        [*_named(audit.data, row), pixels.brightness[row], pixels.contrast[row]]
        for row in np.flatnonzero(pixels.constant | pixels.nearly_constant)
    ]
    columns = [
        Column("image", "image", code, right=False),
        *text_columns("split", "label"),
        Column("brightness", "mean grey level", "{:.0f}".format),
        Column("contrast", "standard deviation", "{:.2g}".format),
    ]
    return Table("empty-images", columns, rows)


def _label_errors(audit: Audit, suspected: LabelErrors) -> dict[str, Table]:
    """Labels under suspicion, and estimated shares in percent by given label and true class."""
    data, found, held_out = audit.data, suspected.found, suspected.held_out
    probability = "{:.2f}".format
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
        rows.append([len(rows) + 1, *_named(data, row), *suggestion])
    shares = [*text_columns("label"), *(Column(name, escape(name), percent) for name in data.classes)]
    joint = [[name, *map(float, row)] for name, row in zip(data.classes, found.joint, strict=True)]
    return {
        "suspected": Table("suspicious-labels", columns, rows),
        "joint": Table("label-joint", shares, joint),
    }


def write_audit_pictures(audit: Audit, folder: Path, suspected: LabelErrors | None = None) -> list[Path]:
    """Draw sheets of what was found into a folder; return the paths written. Nothing found, no sheet.

    Raises:
        StoreError: the folder cannot be written.
    """
    data, near, identical = audit.data, audit.near, {int(rows[0]) for rows in audit.conflicting}

    def cell(row: int, more: str = "") -> Cell:
        return data.images[row], f"{data.classes[data.labels[row]]}\n{SPLITS[data.splits[row]]}{more}"

    def cells(groups: Iterable[Any]) -> list[list[Cell]]:
        return [[cell(row) for row in rows[:MOST_IN_ROW]] for rows in groups]

    pairs = [
        [cell(first), cell(second, f" {similarity:.2f}{' m' if mirrored else ''}")]
        for first, second, mirrored, similarity in zip(
            near.first, near.second, near.mirrored, near.similarity, strict=True
        )
    ]
    across = [rows for rows in audit.groups if all(len(np.unique(of[rows])) > 1 for of in (data.splits, data.hashes))]
    only_near = [rows for rows in audit.conflicting_alike if int(rows[0]) not in identical]
    empty = np.flatnonzero(audit.pixels.constant | audit.pixels.nearly_constant)
    sheets = {
        "copies-across-splits.png": cells(across),
        "conflicting-labels.png": cells(audit.conflicting + only_near),
        "mirrored.png": [pairs[place] for place in np.flatnonzero(near.mirrored)],
        "least-alike.png": [pairs[place] for place in np.argsort(near.similarity, kind="stable")],
        "largest-groups.png": cells(sorted(audit.groups, key=len, reverse=True)),
        "empty.png": cells([row] for row in empty),
        "suspicious-labels.png": [],
    }
    if suspected:
        found = zip(suspected.held_out.rows[suspected.found.rows], suspected.found.suggested, strict=True)
        sheets["suspicious-labels.png"] = [
            [(data.images[row], f"{data.classes[data.labels[row]]}\n{data.classes[suggested]}?")]
            for row, suggested in found
        ]
    written = []
    for name, groups in sheets.items():
        path = folder / name
        if groups:
            write_atomically(path, image_sheet(groups[:_MOST_GROUPS]))
            written.append(path)
        else:
            path.unlink(missing_ok=True)
    return written
