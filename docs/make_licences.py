"""Write docs/licences.md from the metadata of what requirements-dev.txt installs: ``python -m docs.make_licences``."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = """# Licences

The project itself is under the [MIT licence](../LICENSE). This page lists the licence of each package in
`requirements-dev.txt`, as its own metadata state it. `python -m docs.make_licences` writes it, in an environment with
all of them. Packages without a mark in the column "for" are what `make install` installs; "checks" marks those of
`make test` and of the optional features. The package ships two kinds of models: Google's BlazeFace and face mesh
([Apache 2.0](../study/faces/models/LICENSE)).

The wheels of `av` and `opencv-python` carry libraries under other licences than their own: FFmpeg (LGPL), in `av`
with x264 and x265 (GPL), in `opencv-python` with Qt (LGPL). They come from the package index and are not part of this
package.

| package | version | for | licence |
|---|---|---|---|
"""
#: Only for other systems, or silent about it: read on the package's own page or in its files.
KNOWN = {"appnope": "BSD-2-Clause", "colorama": "BSD-3-Clause", "namex": "Apache-2.0"}


def locked(name: str) -> dict[str, str]:
    """Return package -> version of a lock file: ``requirements.txt`` or ``requirements-dev.txt``."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))


def licence(package: str) -> str:
    """Return a package's licence in its own words, or an empty text if nothing says it."""
    try:
        said = metadata(package)
    except PackageNotFoundError:
        return KNOWN.get(package, "")
    classes = [one.rpartition(" :: ")[2] for one in said.get_all("Classifier", []) if one.startswith("License ::")]
    classes = [one for one in classes if one != "OSI Approved"]
    words = said.get("License-Expression") or "; ".join(classes) or (said.get("License") or "").strip().split("\n")[0]
    return words if words and words != "UNKNOWN" else KNOWN.get(package, "")


def licences_page() -> str:
    """Return the page: one row for each pinned package."""
    needed = locked("requirements.txt")
    rows = (
        f"| {name} | {version} | {'' if name in needed else 'checks'} | {licence(name)} |"
        for name, version in sorted(locked("requirements-dev.txt").items())
    )
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("licences.md").write_text(licences_page(), encoding="utf-8")
