"""The report as one HTML file: the Markdown page with its figures and tables inside, and nothing to fetch."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from study.core.spec import content_hash
from study.report.picture import DENSITY

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

    from study.report.build import Report

TEMPLATES = Path(__file__).parent / "templates"
#: Wider pictures are shown smaller, so that they are sharp on dense screens.
SPARSE_PX = 1200
CONTENT_MARK = "study-content"
_MARKED = re.compile(rf'<meta name="{CONTENT_MARK}" content="([0-9a-f]+)">')
#: The mark stands in the head, before any figure.
_HEAD_CHARACTERS = 4096


def report_content(report: Report) -> str:
    """Return a hash (hex) of all that the page shows: words, tables, and the figures' data, not their pixels."""
    pictures = {name: picture.data_hash for name, picture in report.pictures.items()}
    return content_hash([report.markdown, dict(report.tables), pictures])


def stored_content(page: str) -> str:
    """Return the hash that a written page carries; empty where it has none."""
    found = _MARKED.search(page[:_HEAD_CHARACTERS])
    return found[1] if found else ""


def html_page(report: Report, figure: Callable[[str], bytes]) -> str:
    """Return the page; ``figure`` returns the PNG of a figure by its name below ``figures/``."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True, trim_blocks=True
    )
    parser = _parser(report.tables, figure)
    tokens = parser.parse(report.markdown)
    chapters = list(_name_headings(tokens))
    title = next(words for level, words, _ in chapters if level == 1)
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(
        title=title,
        mark=CONTENT_MARK,
        content=report_content(report),
        chapters=[(words, name) for level, words, name in chapters if level == 2],
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        body=Markup(parser.renderer.render(tokens, parser.options, {})),
    )


def _parser(tables: Mapping[str, str], figure: Callable[[str], bytes]) -> MarkdownIt:
    """Return a parser whose pages carry what they link to; the HTML in the Markdown is the template's own."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True}).enable("table")

    def image(renderer: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        token = tokens[place]
        png = figure(unquote(str(token.attrs["src"])).removeprefix("figures/"))
        width, height = (int.from_bytes(png[start : start + 4]) for start in (16, 20))
        dense = DENSITY if width > SPARSE_PX else 1.0
        token.attrs |= {
            "src": _data("image/png", png),
            "width": round(width / dense),
            "height": round(height / dense),
            "class": "figure",
        }
        token.attrs["alt"] = renderer.renderInlineAsText(token.children or [], options, env)
        return str(renderer.renderToken(tokens, place, options, env))

    def link(renderer: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        token = tokens[place]
        target = unquote(str(token.attrs["href"]))
        if (table := tables.get(target.removeprefix("tables/"))) is not None:
            token.attrs |= {"href": _data("text/csv", table.encode()), "download": target.rpartition("/")[2]}
        elif target.startswith(("https://", "http://")):
            token.attrs["rel"] = "noopener noreferrer"
        elif not target.startswith("#"):
            del token.attrs["href"]  # a folder beside the Markdown page, which this page has with it
        return str(renderer.renderToken(tokens, place, options, env))

    parser.add_render_rule("image", image)
    parser.add_render_rule("link_open", link)
    parser.add_render_rule("table_open", lambda renderer, *token: '<div class="wide">' + renderer.renderToken(*token))
    parser.add_render_rule("table_close", lambda renderer, *token: renderer.renderToken(*token) + "</div>")
    return parser


def _name_headings(tokens: Sequence[Token]) -> Iterator[tuple[int, str, str]]:
    """Give every heading the name that GitHub gives it; yield level, words and name."""
    taken: dict[str, int] = {}
    for place, token in enumerate(tokens):
        if token.type != "heading_open":
            continue
        words = "".join(one.content for one in tokens[place + 1].children or [])
        name = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        taken[name] = taken.get(name, -1) + 1
        token.attrs["id"] = name + (f"-{taken[name]}" if taken[name] else "")
        yield int(token.tag[1:]), words, str(token.attrs["id"])


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
