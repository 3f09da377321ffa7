"""The notebook for those who come from Jupyter or Colab: it runs from top to bottom, and its outputs are stored."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "experiments" / "quickstart.ipynb"


def code_cells() -> list[dict[str, Any]]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def outputs(kind: str) -> list[Any]:
    return [one["data"][kind] for cell in code_cells() for one in cell["outputs"] if kind in one.get("data", {})]


def test_the_stored_outputs_show_a_table_and_a_figure() -> None:
    assert all(cell["execution_count"] for cell in code_cells())
    assert len(outputs("image/png")) == 2, "the leaderboard before and after the new model"
    assert any("<table" in "".join(one) and "cnn2" in "".join(one) for one in outputs("text/html"))
    assert "### " not in "".join(map("".join, outputs("text/markdown")))[:4]


def test_the_stored_outputs_are_plain_and_name_no_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    streams = "".join("".join(one.get("text", "")) for cell in code_cells() for one in cell["outputs"])
    assert len(text) < 400_000 and len(streams) < 15_000, "no cursor codes, no bars"
    assert "\\u001b" not in text and "\r" not in streams.replace("\r\n", "\n")
    assert not re.search(r"/(root|home|tmp|work|usr|var|Users)/", streams)
    assert "Traceback" not in streams and "study: " not in streams


def test_it_begins_with_a_way_to_get_the_project() -> None:
    first = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"][0]["source"]
    assert "colab.research.google.com" in "".join(first)
    install = "".join(code_cells()[0]["source"])
    assert "git clone" in install
    assert "--require-hashes --requirement {root}/requirements.txt" in install
    assert "--no-deps --no-build-isolation --editable {root}" in install


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("nbclient", "nbformat", "ipykernel"):
        pytest.importorskip(package)
    from docs.make_notebook import executed

    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))  # put back afterwards
    notebook = executed(tmp_path)
    said = "".join(one.get("text", "") for cell in notebook.cells for one in cell.get("outputs", ()))
    assert "Traceback" not in said and "study: " not in said, said
    pictures = [one for cell in notebook.cells for one in cell.get("outputs", ()) if "image/png" in one.get("data", {})]
    assert len(pictures) == 2, "the leaderboard before and after the new model"
    report = tmp_path / "quickstart" / "reports" / "quickstart"
    assert "mine / baseline" in (report / "README.md").read_text(encoding="utf-8")
    assert (report / "report.html").is_file()
