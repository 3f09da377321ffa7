"""Templates of Markdown pages, filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from study.report.wording import code, escape, listed, percent, plural


def render(template: Path, **names: Any) -> str:
    """Return a Jinja2 template as Markdown without blanks at line ends and without double empty lines.

    Args:
        template: The file. Values that are not ours pass through its filter ``md``, or ``code``.
        **names: What it names.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # Markdown, not HTML: every value that is not ours passes through `md` instead of HTML escaping.
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {"md": escape, "code": code, "percent": percent, "plural": plural, "listed": listed}
    text = environment.get_template(template.name).render(**names)
    lines = [line.rstrip() for line in text.split("\n")]
    tidy = [line for place, line in enumerate(lines) if line or (place and lines[place - 1])]
    return "\n".join(tidy).strip() + "\n"
