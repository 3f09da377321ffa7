"""The page of an audit: ``README.md`` and tables in a folder, pictures of dataset images in its ``local/``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from study.core.files import write_atomically
from study.report.audit.label_errors import LabelErrors
from study.report.audit.tables import MOST_SHOWN, audit_tables
from study.report.table import Table
from study.report.wording import code, escape, percent, plural

if TYPE_CHECKING:
    from study.datasets.audit import Audit
    from study.datasets.audit.overlap import ClassOverlap

TITLE = "# Audit of "
"""How every audit page begins, which tells it from the report of a study."""


_FEWEST_TWINS = 30
_FER2013_SPLITS = " *Validation* is its PublicTest, *test* its PrivateTest."


def write_audit(audit: Audit, folder: Path, suspected: LabelErrors | None = None) -> Path:
    """Write the page and its tables, the page last; return its path. Pictures are ``audit_pictures``' matter.

    Args:
        audit: What was found.
        folder: Where to write.
        suspected: Labels under suspicion, where a study was asked.

    Raises:
        StoreError: the folder cannot be written.
    """
    tables = audit_tables(audit, suspected)
    named = {f"{table.name}.csv": table for table in tables.values() if table.name}
    for name, table in named.items():
        write_atomically(folder / "tables" / name, table.csv().encode())
    for path in sorted((folder / "tables").glob("*.csv")):
        if path.name not in named:
            path.unlink()
    page = folder / "README.md"
    write_atomically(page, audit_page(audit, tables, suspected).encode())
    return page


def audit_page(audit: Audit, tables: dict[str, Table], suspected: LabelErrors | None) -> str:
    """Return the page as Markdown."""
    parts = [
        *_head(audit, suspected),
        *_classes(audit, tables),
        *_copies(audit, tables),
        *_conflicts(audit, tables),
        *_pixels(audit, tables),
        *_empty(audit, tables),
        *(_label_errors(audit, tables, suspected) if suspected else ()),
        *_methods(audit, suspected),
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _head(audit: Audit, suspected: LabelErrors | None) -> Iterator[str]:
    data = audit.data
    height, width, channels = data.image_shape
    yield f"{TITLE}{escape(data.name)}"
    call = "study data audit PATH" + (f" --study {suspected.study}" if suspected else "")
    splits = _FER2013_SPLITS if data.name.startswith("fer2013") else ""
    yield (
        f"{len(data):,} images of {width}x{height} pixels, {'grey' if channels == 1 else 'colour'}, "
        f"{len(data.classes)} classes; fingerprint `{data.fingerprint[:12]}`. {escape(data.split_source)}{splits} "
        f"Written by {code(call)}; not edited by hand. Images are named by their ids; pictures of them are drawn into "
        "`local/` where the data are at hand, and are not published."
    )
    if data.drawn:
        yield "**The faces are drawn, not photographed.**"
    yield "## What to know first"
    if audit.warnings:
        yield "\n".join(f"- {escape(line)}" for line in audit.warnings)
    else:
        yield (
            "Nothing was found that would spoil a result: no copies across splits, no conflicting labels, no empty "
            "images, no drift between the splits."
        )
    copies = "Images with an identical copy"  # said above, with more detail
    notes = [note for note in data.notes if not note.startswith(copies)]
    if notes:
        yield "\n".join(f"- Note: {escape(note)}" for note in notes)


def _classes(audit: Audit, tables: dict[str, Table]) -> Iterator[str]:
    counts = audit.data.counts()["train"]
    names = audit.data.classes
    yield "## Classes and splits"
    yield tables["classes"].markdown()
    drifting = [one for one in audit.class_drifts if one.large]
    yield (
        f"The largest class of train, {escape(names[int(np.argmax(counts))])}, has {audit.imbalance:.1f} times as many "
        f"images as the smallest, {escape(names[int(np.argmin(counts))])}. "
        + (
            "The splits do not have the same shares of classes:"
            if drifting
            else "The splits have the same shares of classes, as far as a chi-square test can tell or it would matter:"
        )
    )
    yield tables["class_drift"].markdown()


def _copies(audit: Audit, tables: dict[str, Table]) -> Iterator[str]:
    data = audit.data
    files = sum(map(len, audit.identical))
    yield "## Copies"
    yield (
        f"**{audit.distinct:,} of the {len(data):,} images are different.** {plural_of(len(audit.identical), 'group')} "
        f"of identical images hold {files:,} files, {files - len(audit.identical):,} more than needed; the largest has "
        f"{max(map(len, audit.identical), default=1):,}{_of_one_level(audit)}. A near copy is the same photograph with "
        "small changes: shifted, mirrored, brightened, encoded anew, with a watermark. Counting these too, "
        f"{plural_of(len(audit.groups), 'group')} hold {sum(map(len, audit.groups)):,} files; "
        f"{int(audit.near.mirrored.sum()):,} of {len(audit.near):,} near pairs are mirrored. There may be more than "
        "were found (see the method below)."
    )
    yield (
        "Images of each row that have a copy in the split after the colon, in the same split another one; *any copy* "
        "is identical or near. Copies of test and validation images in train make scores look better than they are:"
    )
    yield tables["by_split"].markdown()
    found = audit.copies("test", "train", near=False)
    if found.copied:
        yield (
            f"Of the {found.copied:,} test images with an identical copy in train, {found.copied - found.relabelled:,} "
            "have the same label in every copy: so many answers can be known by heart."
        )
    yield from _by_class(audit, tables)
    yield (
        "All counts, for every pair of splits: [tables/copies.csv](tables/copies.csv). Every group with its images: "
        "[tables/duplicates.csv](tables/duplicates.csv). Every near pair: "
        "[tables/near-pairs.csv](tables/near-pairs.csv)."
    )


def _of_one_level(audit: Audit) -> str:
    largest = max(audit.identical, key=len, default=np.empty(0, np.int64))
    return ", all of one grey level" if len(largest) and audit.pixels.constant[largest].all() else ""


def _by_class(audit: Audit, tables: dict[str, Table]) -> Iterator[str]:
    found = [one for one in audit.alike_overlaps if (one.split, one.other) == ("test", "train") and one.images]
    if not any(one.copied for one in found):
        return
    order = sorted(found, key=lambda one: one.copied / one.images, reverse=True)

    def say(one: ClassOverlap) -> str:
        return f"{percent(one.copied / one.images)} % of {escape(audit.data.classes[one.label])}"

    yield (
        f"Classes differ: {say(order[0])}, {say(order[1])} and {say(order[-1])} among the test images have a copy in "
        "train. Copies in train of test and of validation images, class by class; *relabelled* are images of "
        "which some copy there has another label:"
    )
    yield tables["by_class"].markdown()


def _conflicts(audit: Audit, tables: dict[str, Table]) -> Iterator[str]:
    yield "## Copies with different labels"
    if not audit.conflicting_alike:
        yield "None: all copies of an image carry the same label."
        return
    near = len(audit.conflicting_alike)
    yield (
        f"{len(audit.conflicting):,} of {plural_of(len(audit.identical), 'group')} of identical images carry different "
        f"labels, and {near:,} of {len(audit.groups):,} when near copies count. The same face with two labels shows "
        "how far the labels agree with themselves."
    )
    if tables["conflicts"].rows:
        yield tables["conflicts"].markdown()


def _pixels(audit: Audit, tables: dict[str, Table]) -> Iterator[str]:
    yield "## Brightness, contrast and sharpness"
    large = [one for one in audit.pixel_drifts if one.large]
    if large:
        yield "**The splits do not look alike**: what differs is warned of at the top."
    else:
        yield "The splits look alike: no measure differs enough between them to matter."
    yield tables["pixels"].markdown()
    yield (
        "Cliff's delta is how much likelier an image of train has the greater value than the smaller, against an image "
        "of the other split: 0 where they are alike, ±1 where the splits do not overlap; from ±0.33 on it is warned "
        "of. Unevenness is how far an image's grey levels are from being equally frequent: histogram equalisation "
        "brings it below 0.05."
    )


def _empty(audit: Audit, tables: dict[str, Table]) -> Iterator[str]:
    rows = tables["empty"].rows
    if not rows:
        return
    yield "## Images that show nothing"
    constant = int(audit.pixels.constant.sum())
    yield (
        f"{plural_of(len(rows), 'image')}, {constant:,} of them of one grey level throughout. They carry labels all "
        "the same."
    )
    yield _shortened(tables["empty"])


def _label_errors(audit: Audit, tables: dict[str, Table], suspected: LabelErrors) -> Iterator[str]:
    found, held_out = suspected.found, suspected.held_out
    labels = audit.data.labels[held_out.rows]
    right = float(np.mean(held_out.probabilities.argmax(axis=1) == labels))
    where = (
        "every image that some run held out, in the training split too"
        if held_out.whole
        else "the validation split alone, since no run held out images of train"
    )
    yield "## Labels under suspicion"
    yield (
        f"Asked were the networks of study {escape(suspected.study)} ({plural_of(len(held_out.runs), 'run')}, their "
        f"mean probabilities), on {where}: {len(labels):,} images, {percent(right)} % of them answered as labelled. "
        f"They contradict {len(found.rows):,} labels with confidence. **That is no count of wrong labels**: networks "
        "this often wrong contradict right labels too. The order is what is useful: look at the first ones."
    )
    yield _shortened(tables["suspected"])
    seen = _relabelled_twins(audit, held_out.rows)
    if len(seen) >= _FEWEST_TWINS:
        caught = int(np.isin(seen, held_out.rows[found.rows]).sum())
        base = len(found.rows) / len(labels)
        yield (
            f"A check: {plural_of(len(seen), 'image')} of these have an identical or near copy with another label "
            "somewhere in the set, so that one of the two is wrong, not always this one; "
            f"{caught} of them ({percent(caught / len(seen))} %) are under suspicion, of all images {percent(base)} %."
        )
    yield (
        "Estimated shares of all images by label (row) and class that the networks find (column), in percent; "
        f"{percent(found.noise)} % lie off the diagonal:"
    )
    yield tables["joint"].markdown()


def _relabelled_twins(audit: Audit, rows: np.ndarray) -> np.ndarray:
    """Return those of the rows that have a copy with another label, identical or near."""
    groups = audit.conflicting_alike
    twins = np.concatenate(groups) if groups else np.empty(0, np.int64)
    return np.intersect1d(rows, twins)


def _methods(audit: Audit, suspected: LabelErrors | None) -> Iterator[str]:
    lines = [
        "Identical images have equal pixels (128-bit hash of shape and pixels). Identical groups with conflicting "
        "labels are counted once, whatever the number of copies.",
        "Near copies are found in two steps: 64-bit perceptual hashes (signs of the lowest frequencies of the discrete "
        "cosine transform, also of the mirror image) that differ in few bits, then the correlation of local details "
        "over small shifts. The thresholds were chosen on FER-2013 by looking: of 265 pairs looked at, most of them "
        "the least alike and the mirrored ones, 4 showed two photographs. Copies that were also enlarged, turned or "
        "half covered are missed. A group joins all pairs that share an image.",
        "Sharpness is the root mean square of the Laplacian over the standard deviation of the grey levels. Splits are "
        "compared by ranks (Mann-Whitney, Cliff's delta); warned is from a delta of ±0.33 with p < 0.0001, and for "
        "classes from a Cramer's V of 0.1.",
    ]
    if suspected:
        lines.append(
            "RankedLabels is confident learning (Northcutt, Jiang and Chuang 2021): a label is suspected where another "
            "class reaches the mean probability of the images labelled so and the label is not the most probable "
            "class; ranked by the probability of the label less that of the most probable other class. Leaky runs and "
            "the image set's own test split take no part."
        )
    body = "\n".join(f"- {line}" for line in lines)
    yield f"<details><summary>How this was found</summary>\n\n{body}\n\n</details>"


def _shortened(table: Table) -> str:
    """Return a table's first rows, and where the others are."""
    text = replace(table, rows=table.rows[:MOST_SHOWN]).markdown()
    link = f"[tables/{table.name}.csv](tables/{table.name}.csv)"
    if len(table.rows) <= MOST_SHOWN:
        return text
    first = f"<details><summary>The first {MOST_SHOWN} of {len(table.rows):,}</summary>"
    return f"{first}\n\n{text}\n\n</details>\n\nAll: {link}."


def plural_of(count: int, word: str) -> str:
    """Write a count with its word and separators of thousands."""
    return plural(count, word).replace(str(count), f"{count:,}", 1)
