"""Files of a sweep, each written whole or not at all; the same rows give the same bytes.

<name>.csv, <name>.parquet   a line a point
<name>.json                  the same, with the energy table, mean speed-ups and the code version
<name>.png                   milliseconds and energy of every point
"""

import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from model.files.csv_file import csv_bytes
from model.files.plot_style import MARKERS, SERIES, new_figure, render, style
from rtl_gen.files import replace_file
from rtl_gen.json_file import json_text
from sim_models import CODE
from sim_models.sweeps.run import SweepResult

SUFFIXES = (".csv", ".json", ".parquet", ".png")


def write_sweep(result: SweepResult, folder: Path, name: str) -> list[Path]:
    """Write the four files and return their paths."""
    frame = pd.DataFrame(result.rows)
    contents: dict[str, Callable[[], bytes]] = {
        ".csv": lambda: csv_bytes(frame),
        ".json": lambda: _json(result),
        ".parquet": lambda: _parquet(frame),
        ".png": lambda: render(draw_points(frame), "png"),
    }
    paths = []
    for suffix in SUFFIXES:
        path = folder / f"{name}{suffix}"
        content = contents[suffix]()
        with replace_file(path) as file:
            file.write(content)
        paths.append(path)
    return paths


def _json(result: SweepResult) -> bytes:
    content = {
        "code": CODE,
        "energy_table": result.energy.model_dump(mode="json"),
        "mean_speedup_over_sparse": result.mean_speedups(),
        "rows": result.rows,
    }
    return json_text(content).encode()


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, engine=pyarrow.__name__, index=False)
    return buffer.getvalue()


@style()
def draw_points(frame: pd.DataFrame) -> Figure:
    """Energy over time: a colour a network, a marker a pruning, hollow for dense attention."""
    figure = new_figure(8, 5)
    axes = figure.subplots()
    for (network, pruning), group in frame.groupby(["network", "pruning"], sort=False):
        colour = SERIES[list(frame["network"].unique()).index(network) % len(SERIES)]
        marker = MARKERS[list(frame["pruning"].unique()).index(pruning) % len(MARKERS)]
        axes.scatter(
            group["milliseconds"],
            group["energy_total_uj"] / 1000,
            marker=marker,
            edgecolors=colour,
            facecolors=[colour if masks != "dense" else "none" for masks in group["masks"]],
            label=f"{network}, {pruning}",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(LogFormatter())
    axes.set_xlabel("milliseconds an image")
    axes.set_ylabel("estimated energy, mJ an image")
    axes.grid(which="both")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure
