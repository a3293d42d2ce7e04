"""Every figure by its name, and its files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from model.files.csv_file import csv_bytes
from model.files.plot_style import FORMATS, render
from rtl_gen.files import replace_file
from sim_models.figures import area, breakdown, pareto, scaling, speedup, timeline
from sim_models.figures.tables import TextTable
from sim_models.figures.workload import Progress, Setting
from sim_models.paper import SPARSITIES


@dataclass(frozen=True, kw_only=True)
class FigureKind:
    """One figure: data first, then whatever shows them."""

    title: str
    points: Callable[[Setting], int]
    """How many points `data` reports to its progress."""
    data: Callable[[Setting, Progress], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Figure]
    table: Callable[[pd.DataFrame], TextTable]


FIGURES: dict[str, FigureKind] = {
    "breakdown": FigureKind(
        title=breakdown.TITLE,
        points=lambda setting: 2 * len(setting.networks),
        data=breakdown.breakdown_data,
        draw=breakdown.draw_breakdown,
        table=breakdown.breakdown_table,
    ),
    "speedup": FigureKind(
        title=speedup.TITLE,
        points=lambda setting: 2 * len(setting.networks) * len(SPARSITIES),
        data=speedup.speedup_data,
        draw=speedup.draw_speedup,
        table=speedup.speedup_table,
    ),
    "pareto": FigureKind(
        title=pareto.TITLE,
        points=lambda _: pareto.POINTS,
        data=pareto.pareto_data,
        draw=pareto.draw_pareto,
        table=pareto.pareto_table,
    ),
    "scaling": FigureKind(
        title=scaling.TITLE,
        points=scaling.scaling_points,
        data=scaling.scaling_data,
        draw=scaling.draw_scaling,
        table=scaling.scaling_table,
    ),
    "area": FigureKind(
        title=area.TITLE,
        points=area.area_points,
        data=area.area_data,
        draw=area.draw_area,
        table=area.area_table,
    ),
    "timeline": FigureKind(
        title=timeline.TITLE,
        points=lambda _: 2,
        data=timeline.timeline_data,
        draw=timeline.draw_timeline,
        table=timeline.timeline_table,
    ),
}


def write_figure(name: str, data: pd.DataFrame, folder: Path) -> list[Path]:
    """Write NAME.csv, NAME.png and NAME.svg, each whole or not at all."""
    figure = FIGURES[name].draw(data)
    contents = {"csv": csv_bytes(data)}
    contents |= {kind: render(figure, kind) for kind in FORMATS}
    paths = [folder / f"{name}.{kind}" for kind in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        with replace_file(path) as file:
            file.write(content)
    return paths
