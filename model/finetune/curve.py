"""The loss curve of a run as a table and as a picture."""

from collections.abc import Sequence

import pandas as pd

from model.finetune.trainer import COLUMNS
from sim_models.figures.style import new_figure, render, style

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


def to_csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode()


def to_png(frame: pd.DataFrame, title: str) -> bytes:
    """Every loss over the steps, logarithmic: points, and a moving mean as a line."""
    with style():
        figure = new_figure(7, 4.5)
        axes = figure.subplots()
        for index, (name, label) in enumerate(_LOSSES.items()):
            axes.plot(frame["step"], frame[name], ".", markersize=2, alpha=0.4, color=f"C{index}")
            smooth = frame[name].rolling(WINDOW, min_periods=1).mean()
            axes.plot(frame["step"], smooth, color=f"C{index}", label=label)
        axes.set(xlabel="step", ylabel="loss", yscale="log", title=title)
        axes.grid(visible=True)
        axes.legend()
    return render(figure, "png")
