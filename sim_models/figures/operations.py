"""Label and colour of each operation of a network, the same in every figure."""

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.files.plot_style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, YELLOW


class Look(NamedTuple):
    """Label and colour of one operation."""

    label: str
    colour: str


OPERATIONS: dict[str, Look] = {
    "patch_embedding": Look("patch embedding", YELLOW),
    "qkv": Look("QKV", SKY),
    "attention": Look("attention", VERMILION),
    "pruning": Look("token selection", BLACK),
    "projection": Look("projection", GREEN),
    "ffn": Look("FFN", BLUE),
    "layer_norm": Look("LayerNorm", PURPLE),
    "classifier": Look("classifier", ORANGE),
    "between": Look("loads, drains", GREY),
}
"""By name of NetworkCycles' field, in the order of legends and stacks."""


def operation_legend(figure: Figure, axes: Axes, columns: int) -> None:
    """A legend of the operations that `axes` shows, above the figure."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=columns)
