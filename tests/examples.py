"""Files that pages of documentation show whole."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def example(folder: Path, page: str, part: str) -> Path:
    """Write the only block of Python on a page of ``docs/`` that has a part to a file, and return that."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    (block,) = (
        block for block in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if part in block
    )
    file = folder / f"{re.sub('[^a-z]', '', part)}_example.py"
    file.write_text(block, encoding="utf-8")
    return file
