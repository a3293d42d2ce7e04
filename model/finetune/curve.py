"""The loss curve of a run as a table and as a picture, beside that of held-back images."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from model.files.plot_style import new_figure, render, style
from model.finetune.trainer import COLUMNS

WINDOW = 20
"""Steps that a line's moving mean spans."""

_LOSSES = {
    "logits": "KL divergence of the logits",
    "feature": "relative error of the CLS feature",
    "hidden": "relative error of the tokens, mean of layers",
}


def to_frame(history: Sequence[tuple[float, ...]]) -> pd.DataFrame:
    """A row a step; see `trainer.COLUMNS`."""
    return pd.DataFrame(history, columns=COLUMNS)


def to_png(frame: pd.DataFrame, title: str, measured: pd.DataFrame | None = None) -> bytes:
    """Every loss over the steps, logarithmic; on its right what `validation` measured."""
    with style():
        panels = 1 if measured is None else 2
        figure = new_figure(7 * panels, 4.5)
        axes = figure.subplots(1, panels, squeeze=False)[0]
        _draw_steps(axes[0], frame)
        axes[0].set_title(title)
        if measured is not None:
            _draw_validation(axes[1], measured)
            axes[1].set_title("Averaged network, centre crops")
    return render(figure, "png")


def _draw_steps(axes: Axes, frame: pd.DataFrame) -> None:
    """Points, and a moving mean as a line."""
    for index, (name, label) in enumerate(_LOSSES.items()):
        axes.plot(frame["step"], frame[name], ".", markersize=2, alpha=0.4, color=f"C{index}")
        smooth = frame[name].rolling(WINDOW, min_periods=1).mean()
        axes.plot(frame["step"], smooth, color=f"C{index}", label=label)
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    axes.grid(visible=True)
    axes.legend()


def _draw_validation(axes: Axes, measured: pd.DataFrame) -> None:
    """A colour a network, dashed on training images."""
    for (network, images), rows in measured.groupby(["network", "images"]):
        colour = f"C{list(measured['network'].unique()).index(network)}"
        line = "--" if images == "training" else "-"
        axes.plot(rows["step"], rows["logits"], line, color=colour, label=f"{network}, {images}")
    axes.set(xlabel="finished steps", ylabel=_LOSSES["logits"], yscale="log")
    axes.grid(visible=True)
    axes.legend()
