"""Make the golden study and its report: ``python -m tests.golden.make_golden`` (``--report`` keeps the records).

The records are fake and small, with every flaw that a report has to show. After a wanted change of the report run it
with ``--report``, read the difference, and commit it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from study.core.store import Store
from study.report.write import write_report
from tests.factories import TWINS, make_card, make_counts, make_dataset, make_record

HERE = Path(__file__).parent
STUDY = "golden"
CARD_WORDS = {"drawn": True, "bound": 0.95, "notes": ["This is a fake study | with *marks* that Markdown knows."]}


def make_records() -> None:
    """Write the store of the golden study."""
    shutil.rmtree(HERE / "results", ignore_errors=True)
    store = Store(HERE / "results", STUDY)
    card = make_card("fake", make_counts(640, 60, 80), **CARD_WORDS)
    shape = {"card": card, "epochs": 4}
    for protocol in ("baseline", "oversample", "augment"):
        for seed in (0, 1):
            store.keep(make_record("cnn3", protocol, seed, converged=protocol != "oversample", **shape))
    for leak, twin in TWINS.items():
        store.keep(make_record("cnn3", f"leaky/{leak}", 0, **shape))
        if leak != "test-as-validation":  # one leaky run without its twin
            store.keep(make_record("cnn3", f"clean-twin/{twin}", 1 if "checkpoint" in leak else 0, **shape))
    store.keep(make_record("vgg16", "baseline", 0, **shape))
    store.keep(make_record("vgg16", "augment", 0, status="failed", reason="Killed writing /home/me/x/y.h5", **shape))
    store.keep(make_record("resnet50", "baseline", 0, weights="none", **shape))
    store.keep_dataset(make_dataset(card))


def make_report() -> None:
    """Write the page and the tables of the golden report; pictures are checked by their data and not kept here."""
    with tempfile.TemporaryDirectory() as folder:
        page = write_report(Store(HERE / "results", STUDY), folder)
        shutil.rmtree(HERE / "report", ignore_errors=True)
        shutil.copytree(page.parent / "tables", HERE / "report" / "tables")
        shutil.copy(page, HERE / "report" / "README.md")


if __name__ == "__main__":
    if "--report" not in sys.argv:
        make_records()
    make_report()
