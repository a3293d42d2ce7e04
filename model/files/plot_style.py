"""How every figure looks, and its files: the same data give the same bytes.

Colours are those of Okabe and Ito (Color Universal Design, 2008), which people with any kind of
colour vision can tell apart.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLACK, GREY, WHITE = "#000000", "#bbbbbb", "#ffffff"
ORANGE, SKY, GREEN, YELLOW = "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILION, PURPLE = "#0072b2", "#d55e00", "#cc79a7"

SERIES = (BLUE, SKY, GREEN, ORANGE, VERMILION, PURPLE, BLACK)
"""Colours of lines and bars that are no operations."""

MARKERS = "osD^vP*X"
"""Of points in a series."""

FORMATS = ("png", "svg")

_PARAMETERS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=SERIES),
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "svg.hashsalt": "sparse-vit-accelerator",
}


@contextmanager
def style() -> Iterator[None]:
    """The figures' settings, whatever the user's own are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_PARAMETERS)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def text_on(colour: str) -> str:
    """Black or white, whichever is easier to read on `colour` (luma of ITU-R BT.601)."""
    red, green, blue = mpl.colors.to_rgb(colour)
    return BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else WHITE


def render(figure: Figure, kind: str) -> bytes:
    """The file of a figure; `kind` is one of FORMATS."""
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()
