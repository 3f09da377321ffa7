"""The index of all committed reports, ``reports/README.md``: ``python -m study.report.index [--check] PAGE...``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from study.core.files import write_atomically
from study.core.store import PUBLISHED, Store
from study.report.markdown import render
from study.report.wording import NOTHING, escape, listed, percent

TEMPLATE = Path(__file__).parent / "templates" / "index.md.j2"


def index_page(pages: Iterable[Path], results: Path) -> str:
    """Return the index of pages as Markdown, each ``README.md`` in a folder of its own: with a leaderboard, a study's.

    Raises:
        StoreError: a record of a study cannot be read.
    """
    studies, others = [], []
    for page in sorted(pages):
        board = page.parent / "tables" / "leaderboard.csv"
        if board.is_file():
            studies.append(_study(page.parent.name, board, results))
        else:
            title = page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
            others.append({"folder": page.parent.name, "title": title})
    return render(TEMPLATE, folder=PUBLISHED, studies=studies, others=others)


def _study(name: str, board: Path, results: Path) -> dict[str, str]:
    """Return a row of the table of studies: the best recipe is the one that its leaderboard ranks first."""
    records = Store(results, f"{PUBLISHED}/{name}").records()
    card = records[0].dataset
    best = next((row for row in csv.DictReader(board.open(encoding="utf-8")) if row["rank"] == "1"), None)
    what = "drawn faces" if card.drawn else "images"
    row = {
        "name": name,
        "data": f"{escape(card.name)}, {sum(map(sum, card.counts.values())):,} {what}",
        "models": listed(sorted({escape(record.spec.model.name) for record in records})),
        "runs": str(sum(record.status == "done" for record in records)),
        "date": max(record.provenance.started for record in records)[:10],
    }
    if best is None:
        return row | dict.fromkeys(("best", "accuracy", "seeds"), NOTHING)
    accuracy, low, high = (percent(float(best[f"test_accuracy{end}"])) for end in ("", "_low", "_high"))
    return row | {
        "best": escape(f"{best['model']} / {best['protocol']}"),
        "accuracy": f"{accuracy} % ({low} to {high})",
        "seeds": best["seeds"],
    }


def main(words: Sequence[str]) -> int:
    """Write ``reports/README.md``, or with ``--check`` return 1 where it is stale."""
    index, pages = Path("reports", "README.md"), [Path(word) for word in words if word != "--check"]
    text = index_page((page for page in pages if len(page.parts) == 4), Path("results"))  # no evaluations in them
    if "--check" not in words:
        write_atomically(index, text.encode())
    elif not index.is_file() or index.read_text(encoding="utf-8") != text:
        print(f"{index} no longer matches the reports: run `make report-index`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
