"""One picture: its data, its words, how it is drawn, and the PNG that remembers the data's hash."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.record import rounded
from study.spec import content_hash

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Pixels to the inch; nine inches are then a little more than the width at which GitHub shows a picture.
DPI = 120
WIDTH_IN = 9.0
_DATA_HASH = "study-data"
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
_SHARED_COLOURS = {"baseline": "#555555", "oversample": "#E69F00", "augment": "#0072B2", "oversample+augment": "#009E73"}
_OTHER_COLOURS = ("#CC79A7", "#56B4E9", "#D55E00", "#000000", "#8C6D31", "#7A5195")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")


@dataclass(frozen=True)
class Picture:
    """A figure before it is drawn.

    Attributes:
        name: File name below ``figures/`` without ending.
        alt: What a reader who cannot see it should know.
        data: All numbers and names that it shows, as JSON data.
        draw: Draws it.
    """

    name: str
    alt: str
    data: Any
    draw: Callable[[], Figure]

    @property
    def data_hash(self) -> str:
        """sha256 (hex) of the data; floats count with six significant digits."""
        return content_hash(rounded(self.data))

    def png(self) -> bytes:
        """Draw the picture; the PNG carries the data's hash and has at most 256 colours, which keeps it small."""
        import matplotlib
        from PIL import Image, PngImagePlugin

        with matplotlib.rc_context(_STYLE):
            buffer = io.BytesIO()
            self.draw().savefig(buffer, format="png", dpi=DPI)
        buffer.seek(0)
        note = PngImagePlugin.PngInfo()
        note.add_text(_DATA_HASH, self.data_hash)
        packed = io.BytesIO()
        with Image.open(buffer) as image:
            image.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
                packed, format="PNG", pnginfo=note, optimize=True
            )
        return packed.getvalue()


def stored_data_hash(path: Path) -> str:
    """Return the data hash that a PNG carries; empty where there is none or the file is no PNG."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            image.load()
            return str(image.info.get(_DATA_HASH, ""))
    except (OSError, UnidentifiedImageError, SyntaxError):
        return ""


def new_figure(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """Return an empty figure that belongs to no window and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in))
    FigureCanvasAgg(figure)
    return figure


def protocol_colours(protocols: tuple[str, ...]) -> dict[str, str]:
    """Return a colour for every protocol, the same in every figure of a study."""
    others = [name for name in protocols if name not in _SHARED_COLOURS]
    colours = {name: _OTHER_COLOURS[place % len(_OTHER_COLOURS)] for place, name in enumerate(others)}
    return {name: _SHARED_COLOURS.get(name) or colours[name] for name in protocols}


def file_name(text: str) -> str:
    """Return a name as part of a file name: letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-")
