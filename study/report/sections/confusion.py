"""Which class is taken for which, run by run: one picture a model and seed, one panel a protocol.

Drawn with Pillow: a hundred runs have five thousand numbered cells, for which matplotlib's text takes half a minute.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from study.analysis.runs import ScoredRun
from study.report.collect import StudyData
from study.report.picture import Picture, file_name, labels_of
from study.report.section import Section, section
from study.report.table import Table, hidden

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

TEMPLATE = """\
Test split{{ ", that of the run where it has one of its own" if data.elsewhere }}. Rows are true classes and sum to \
100 %; each cell shows the share and the number of images.

{% if best %}
{{ picture(best) }}

{% endif %}
{% for model in data.naming.models if model in confusions %}
{% set body %}
{% for one in confusions[model] %}
{{ picture(one) }}

{% endfor %}
{% endset %}
{{ folded(model | md ~ (" – " ~ confusions[model] | length ~ " seeds" if confusions[model] | length > 1 else ""), \
body) }}
{% endfor %}
{% set body %}
{% for table in tables %}
- [{{ table.name.removeprefix("confusion/") | md }}](tables/{{ table.name | urlencode }}.csv)
{% endfor %}
{% endset %}
{{ folded("As CSV", body) }}
"""
#: Above this many classes the cells are too small for numbers; the colours and the CSV remain.
MOST_CLASSES_WITH_NUMBERS = 12
_WIDTH = 1080
_LEFT, _TOP, _BOTTOM, _HEAD, _BETWEEN = 112, 34, 98, 40, 12
_INK = (34, 34, 34)


@section("confusion", title="Confusion matrices", place=120)
def write(data: StudyData) -> Section | None:
    """Return the matrices of every model, folded, and as CSV."""
    if not data.finished:
        return None
    columns = hidden("true", *(f"predicted_{name}" for name in data.classes))
    tables = []
    for run in data.finished:
        rows = [[name, *map(int, counts)] for name, counts in zip(data.classes, run.test.confusion, strict=True)]
        tables.append(Table(f"confusion/{run.record.key}", columns, rows))
    return Section.of(TEMPLATE, data=data, confusions=_pictures(data), best=_best_picture(data), tables=tables)


def _pictures(data: StudyData) -> dict[str, list[Picture]]:
    """Return the pictures of every model, in table order, by model name; rows sum to 100 %."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for run in data.finished:
        recipe = data.recipe(run.record)
        groups[recipe.model, run.spec.seed].append(run_panel(run, f"{recipe.protocol}: "))
    pictures = defaultdict(list)
    for model, seed in sorted(groups, key=lambda group: (data.naming.models.index(group[0]), group[1])):
        alt = f"Confusion matrices of {model}, seed {seed}, on the test split"
        name, title = f"confusion-{file_name(model)}-seed_{seed}", f"{model}, seed {seed}, test split"
        pictures[model].append(confusion_picture(name, alt, title, data.classes, groups[model, seed]))
    return dict(pictures)


def _best_picture(data: StudyData) -> Picture | None:
    """Return the matrix of the best run by validation accuracy of the recipe that ranks first; None without one."""
    if not data.ranked:
        return None
    run = max(data.ranked[0].runs, key=lambda one: one.validation.accuracy)
    recipe, seed = data.ranked[0].recipe, run.spec.seed
    alt = f"Confusion matrix of the best run, {recipe}, seed {seed}, on the test split"
    title = f"{labels_of([recipe])[0]}, seed {seed}"
    return confusion_picture("confusion-best", alt, title, data.classes, [run_panel(run)])


def run_panel(run: ScoredRun, words: str = "") -> dict[str, Any]:
    """Return the panel of a run for ``confusion_picture``."""
    return {"title": f"{words}accuracy {100 * run.test.accuracy:.1f} %", "counts": run.test.confusion.tolist()}


def confusion_picture(name: str, alt: str, title: str, classes: list[str], panels: list[dict[str, Any]]) -> Picture:
    """Return one picture; a panel has a ``title`` and ``counts`` (classes x classes), rows are true classes."""
    content = {"title": title, "classes": classes, "panels": panels}
    return Picture(name, alt, content, lambda: _draw(title, classes, panels))


def _draw(title: str, classes: list[str], panels: list[dict[str, Any]]) -> Image:
    from PIL import Image, ImageDraw

    columns = 1 if len(panels) == 1 else 2
    cell = (_WIDTH // 2 - _LEFT - _BETWEEN) // len(classes)
    panel = _LEFT + cell * len(classes) + _BETWEEN, _TOP + cell * len(classes) + _BOTTOM
    rows = -(-len(panels) // columns)
    image = Image.new("RGB", (columns * panel[0], _HEAD + rows * panel[1]), "white")
    draw = ImageDraw.Draw(image)
    _write_inside(draw, (_BETWEEN, _HEAD // 2), title, image.width - 2 * _BETWEEN, 18, bold=True, anchor="lm")
    for place, one in enumerate(panels):
        row, column = divmod(place, columns)
        _panel(image, draw, column * panel[0] + _LEFT, _HEAD + row * panel[1] + _TOP, cell, classes, one)
    return image


def _panel(
    image: Image, draw: ImageDraw, left: int, top: int, cell: int, classes: list[str], panel: dict[str, Any]
) -> None:
    """Draw one matrix whose first cell starts at (left, top)."""
    import matplotlib

    counts = np.array(panel["counts"])
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    fills = np.round(255 * matplotlib.colormaps["Blues"](shares)[..., :3]).astype(int)
    size = cell * len(classes)
    words = _font(15 if len(classes) <= MOST_CLASSES_WITH_NUMBERS else 10)
    _write_inside(draw, (left + size // 2, top - _TOP // 2), panel["title"], size, 16, anchor="mm")
    for row, column in np.ndindex(counts.shape):
        x, y = left + column * cell, top + row * cell
        draw.rectangle((x, y, x + cell - 2, y + cell - 2), fill=tuple(fills[row, column].tolist()))
        if len(classes) <= MOST_CLASSES_WITH_NUMBERS:
            ink = (255, 255, 255) if shares[row, column] > 0.55 else _INK
            middle = x + cell // 2 - 1
            draw.text((middle, y + cell // 2 - 9), f"{100 * shares[row, column]:.0f} %", ink, _font(14), anchor="mm")
            draw.text((middle, y + cell // 2 + 9), str(counts[row, column]), ink, _font(12), anchor="mm")
    for place, name in enumerate(classes):
        middle = place * cell + cell // 2
        draw.text((left - 6, top + middle), _shortened(name, words, _LEFT - 30), _INK, words, anchor="rm")
        stamp = _turned(_shortened(name, words, _LEFT - 10), words, 45)  # rises to the end of its column
        right = left + middle + 4 + round(words.size / 2)
        image.paste(_INK, (right - stamp.width, top + size + 4 - round(words.size / 3)), stamp)
    stamp = _turned("true", _font(14), 90)
    image.paste(_INK, (left - _LEFT + 12 - stamp.width // 2, top + size // 2 - stamp.height // 2), stamp)
    draw.text((left + size // 2, top + size + _BOTTOM - 20), "predicted", _INK, _font(14), anchor="mm")


def _write_inside(
    draw: ImageDraw, place: tuple[int, int], text: str, width: int, size: int, anchor: str, bold: bool = False
) -> None:
    """Write a title in the largest type, of ``size`` or less, in which it is not wider than ``width``."""
    fonts = [_font(one, bold) for one in range(size, 9, -1)]
    font = next((one for one in fonts if one.getlength(text) <= width), fonts[-1])
    draw.text(place, _shortened(text, font, width), _INK, font, anchor=anchor)


def _turned(text: str, font: FreeTypeFont, degrees: int) -> Image:
    """Return a mask of a text that is turned to the left."""
    from PIL import Image, ImageDraw

    mask = Image.new("L", (round(font.getlength(text)) + 2, round(font.size * 1.3)), 0)
    ImageDraw.Draw(mask).text((1, mask.height // 2), text, 255, font, anchor="lm")
    return mask.rotate(degrees, expand=True, resample=Image.Resampling.BICUBIC)


def _shortened(text: str, font: FreeTypeFont, width: int) -> str:
    """Cut a name that would leave its margin."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


@functools.cache
def _font(size: int, bold: bool = False) -> FreeTypeFont:
    """Return DejaVu Sans, which comes with matplotlib."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans{'-Bold' if bold else ''}.ttf", size)
