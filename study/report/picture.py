"""One picture: its data, its words, how it is drawn, and the PNG that remembers the data's hash."""

from __future__ import annotations

import functools
import hashlib
import inspect
import io
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from study.analysis.factors import WAYS
from study.core.record import rounded
from study.core.spec import content_hash

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image
else:  # so that sections name them in annotations without importing matplotlib
    Axes = Figure = Any

#: Pixels to the inch: sharp on dense screens, where a picture is shown at ``1 / DENSITY`` of its pixels.
DPI, DENSITY = 170, 1.45
WIDTH_IN = 9.0
#: Font size of labels that name recipes.
LABEL_SIZE = 9.5
_DATA_HASH = "study-data"
_DRAWING_HASH = "study-drawing"
_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that pictures look the same everywhere
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "figure.facecolor": "white",
}
#: Okabe and Ito's colours, which stay apart for colour-blind readers; the shared protocols always have the same ones.
_SHARED_COLOURS = {
    "baseline": "#555555",
    "oversample": "#E69F00",
    "augment": "#0072B2",
    "oversample+augment": "#009E73",
}
_OTHER_COLOURS = (
    "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#8C6D31", "#7A5195", "#117733", "#882255", "#999933", "#44AA99",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
#: Of what belongs to no protocol.
INK = "#333333"


@dataclass(frozen=True)
class Picture:
    """A figure before it is drawn."""

    name: str  #: File name below ``figures/`` without ending.
    alt: str  #: What a reader who cannot see it should know.
    data: Any  #: All numbers and names that it shows, as JSON data.
    draw: Callable[[], Figure | Image]  #: A function that draws it, with matplotlib or Pillow.

    @property
    def data_hash(self) -> str:
        """sha256 (hex) of the data; floats count with six significant digits."""
        return content_hash(rounded(self.data))

    def png(self) -> bytes:
        """Draw the picture; the PNG carries the hashes of its data and of the drawing code."""
        import matplotlib
        from PIL import Image as Images
        from PIL import PngImagePlugin

        with matplotlib.rc_context(_STYLE):
            drawn = self.draw()
            if isinstance(drawn, Images.Image):
                image = drawn
            else:
                drawn.canvas.draw()
                image = Images.fromarray(np.asarray(drawn.canvas.buffer_rgba())[:, :, :3])  # type: ignore[attr-defined]
        note = PngImagePlugin.PngInfo()
        for name, value in self._marks.items():
            note.add_text(name, value)
        packed = io.BytesIO()
        _few_colours(image).save(packed, format="PNG", pnginfo=note)
        return packed.getvalue()

    @property
    def _marks(self) -> dict[str, str]:
        return {_DATA_HASH: self.data_hash, _DRAWING_HASH: _drawing_hash(inspect.getfile(self.draw))}

    def drawn_as(self, path: Path) -> bool:
        """Tell whether a PNG shows this data, drawn by this code, so that drawing it again would change nothing."""
        found = _read_marks(path)
        return all(found.get(name) == value for name, value in self._marks.items())


def _few_colours(image: Image) -> Image:
    """Reduce a picture to a palette of 256 colours, which makes the file a third as large, and keep its white pure."""
    from PIL import Image as Images

    small = image.quantize(256, method=Images.Quantize.FASTOCTREE, dither=Images.Dither.NONE)
    palette = np.array(small.getpalette(), dtype=np.uint8).reshape(-1, 3)
    palette[palette.sum(axis=1, dtype=int).argmax()] = 255
    small.putpalette(palette.tobytes())
    return small


def stored_data_hash(path: Path) -> str:
    """Return the data hash that a PNG carries; empty where there is none or the file is no PNG."""
    return _read_marks(path).get(_DATA_HASH, "")


def _read_marks(path: Path) -> dict[str, str]:
    from PIL import Image as Images
    from PIL import UnidentifiedImageError

    try:
        with Images.open(path) as image:
            image.load()
            return {str(name): str(value) for name, value in image.info.items()}
    except (OSError, UnidentifiedImageError, SyntaxError):
        return {}


@functools.cache
def _drawing_hash(file: str) -> str:
    """Return the sha256 (hex) of the sources that draw: a section's file and this one."""
    return hashlib.sha256(Path(file).read_bytes() + Path(__file__).read_bytes()).hexdigest()


def new_figure(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """Return an empty figure that belongs to no window and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def panel_grid(
    count: int, most: int, row_in: float, top_in: float, labels: tuple[str, str], left: float, hspace: float
) -> tuple[Figure, list[Axes]]:
    """Return a figure of ``count`` panels with one scale, at most ``most`` beside each other, below a legend.

    A row is ``row_in`` inches high, the legend ``top_in``. The ``labels`` of x and y stand below the last panels and
    left of the first ones. ``left`` is a share of the figure's width, ``hspace`` one of a panel's height.
    """
    columns = min(most, count)
    rows = -(-count // columns)
    height = row_in * rows + top_in + 0.1
    figure = new_figure(height)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    top, bottom = 1 - top_in / height, 0.5 / height
    figure.subplots_adjust(left=left, right=0.99, top=top, bottom=bottom, wspace=0.08, hspace=hspace)
    for place, axes in enumerate(grid.flat):
        axes.set_visible(place < count)
        axes.set_xlabel(labels[0] if place >= count - columns else "")
        axes.set_ylabel(labels[1] if place % columns == 0 else "")
    return figure, list(grid.flat[:count])


def heatmap(axes: Axes, values: NDArray[np.float64], columns: Sequence[str], rows: Sequence[str], **more: Any) -> None:
    """Draw numbers as coloured cells, with the names of the columns on top; ``more`` goes to seaborn."""
    import seaborn

    looks = {"cbar": False, "linewidths": 0.6, "linecolor": "white", "xticklabels": columns, "yticklabels": rows}
    seaborn.heatmap(values, ax=axes, **looks, **more)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, rotation=0)
    axes.tick_params(axis="y", labelsize=LABEL_SIZE)


def add_legend(figure: Figure, marks: Sequence[Mapping[str, Any]], columns: int) -> None:
    """Put a legend above the panels: the label of each mark or line and how it looks, in words of ``Line2D``.

    It has at most so many columns, fewer where labels are long.
    """
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **{"color": INK, **looks}) for looks in marks]
    space = {"columnspacing": 1.2, "handlelength": 1.6, "borderaxespad": 0.2}
    columns = _fitting_columns(marks, columns)
    figure.legend(handles=handles, loc="upper center", ncols=columns, fontsize=9, **space)


def legend_rows(marks: Sequence[Mapping[str, Any]], columns: int) -> int:
    """Return how many rows the legend of ``add_legend`` has; each is about 0.2 inches high."""
    return -(-len(marks) // _fitting_columns(marks, columns))


def _fitting_columns(marks: Sequence[Mapping[str, Any]], most: int) -> int:
    """Return how many columns of a legend lie inside the figure."""
    lengths = [len(looks["label"]) for looks in marks]

    def width_in(columns: int) -> float:
        return sum(0.075 * int(column.max()) + 0.45 for column in np.array_split(lengths, columns))

    return next((columns for columns in range(min(most, len(marks)), 1, -1) if width_in(columns) <= WIDTH_IN), 1)


def protocol_colours(protocols: tuple[str, ...]) -> dict[str, str]:
    """Return a colour for every protocol, the same in every figure of a study."""
    others = itertools.cycle(_OTHER_COLOURS)
    return {name: _SHARED_COLOURS.get(name) or next(others) for name in protocols}


def file_name(text: str) -> str:
    """Return a name as part of a file name: letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-")


def shortened(text: str, most: int = 56) -> str:
    """Return a name that stays inside a figure, its middle left out where it is long.

    >>> shortened("resnet50 / transfer/discriminative", 20)
    'resnet50 /…riminative'
    """
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def labels_of(recipes: Iterable[object], most: int = 56) -> list[str]:
    """Return names of recipes, models or protocols for a figure, without what all of them share.

    >>> labels_of(["vgg16 (from ImageNet) / transfer/full (50 % of train)", "cnn3 / transfer/full (50 % of train)"])
    ['vgg16 (pretrained) / full', 'cnn3 / full']
    """
    names = [str(recipe) for recipe in recipes]
    brief = [re.sub(r" \(from [^/]+\)(?= / |$)", " (pretrained)", name) for name in names]
    names = brief if len(set(brief)) == len(set(names)) else names
    shares = {"".join(re.findall(r" \(\S+ % of train\)", name)) for name in names}
    common = [*shares] if len(shares) == 1 else []
    if all(WAYS in name for name in names):
        common.append(WAYS)
    for part in common:
        names = [name.replace(part, "") for name in names]
    # What tells recipes apart often stands in the middle, where a long name is cut.
    names = [name if len(name) <= most else name.replace(" (random weights)", " (random)") for name in names]
    return [shortened(name, most) for name in names]


def protocol_marks(colours: Mapping[str, str], used: Collection[str], **looks: Any) -> list[dict[str, Any]]:
    """Return a legend's marks of the protocols in use, in the order of their colours."""
    shown = [name for name in colours if name in used]
    return [
        {"label": label, "color": colours[name], **looks} for label, name in zip(labels_of(shown), shown, strict=True)
    ]


def label_share(labels: list[str]) -> float:
    """Return the share of a figure's width that the longest label takes at ``LABEL_SIZE``, at most half."""
    return min(0.5, (0.078 * max(map(len, labels)) + 0.15) / WIDTH_IN)
