"""Templates of Markdown pages, filled in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.report.wording import code, escape, listed, percent, plural

if TYPE_CHECKING:
    from study.report.picture import Picture


def render(template: Path, **names: Any) -> str:
    """Return the Jinja2 template in a file, filled in, as a Markdown page."""
    return tidy(fill(template.read_text(encoding="utf-8"), **names))


def fill(template: str, **names: Any) -> str:
    r"""Return a Jinja2 template as Markdown; it may call ``folded(summary, body, open)`` and ``picture(one)``.

    >>> fill("{{ name | md }}: {{ 0.5 | percent }} %", name="a_b")
    'a\\_b: 50.0 %'
    """
    from jinja2 import Environment, StrictUndefined

    # Markdown, not HTML: every value that is not ours passes through `md` instead of HTML escaping.
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    environment.filters |= {"md": escape, "code": code, "percent": percent, "plural": plural, "listed": listed}
    environment.filters["thousands"] = "{:,}".format
    environment.globals |= {"folded": folded, "picture": shown}
    return environment.from_string(template).render(**names)


def folded(summary: str, body: str, open: bool = False) -> str:  # noqa: A002 - as in HTML
    """Return Markdown that a click on its summary unfolds."""
    return f"\n<details{' open' if open else ''}><summary>{summary}</summary>\n\n{body}\n\n</details>\n"


def shown(picture: Picture) -> str:
    """Return the Markdown that shows a picture of the report."""
    return f"![{escape(picture.alt)}](figures/{picture.name}.png)"


def tidy(text: str) -> str:
    """Return Markdown without blanks at line ends and without double empty lines."""
    lines = [line.rstrip() for line in text.split("\n")]
    kept = [line for place, line in enumerate(lines) if line or (place and lines[place - 1])]
    return "\n".join(kept).strip() + "\n"
