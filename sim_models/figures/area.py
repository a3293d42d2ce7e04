"""Images a second against what a configuration takes of an UltraScale+, or in standard cells.

Arrays of all lanes, widths and numbers of cores that hold the setting's network, with the setting's
other choices. Cells are predicted (rtl_gen/area), cycles are the cycle model's.

Data, a row a point:

    network, attention_maps     name; measured, synthetic or resampled
    variant                     dense, or 80 % sparse and pruned by the default schedule
    lanes, width, cores         of the configuration
    luts, flip_flops, dsps, block_rams, gates, sram_bits
                                cells of all cores
    cycles                      of a batch, an image a core, from start to done
    images_per_second           at the configuration's clock
    front                       whether no other point of the variant takes as few LUT and is as
                                fast
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.files.plot_style import BLACK, MARKERS, SERIES, new_figure, style
from model.masks.strategies import SPARSITY_MEANS
from model.network.fit import misfit
from rtl_gen.area.columns import HEADINGS
from rtl_gen.area.model import predict
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.synthesis.ultrascale import ULTRASCALE
from sim_models.figures.front import undominated
from sim_models.figures.tables import Column, TextTable, text_table
from sim_models.figures.workload import Progress, Setting, maps, variants
from sim_models.workload import simulate

TITLE = "Images a second against cells of an UltraScale+, and against gates"
LANES, WIDTHS, CORES = (2, 4, 8, 16), (8, 16, 32, 64, 128), (1, 2, 4, 8)
SHOWN = ("luts", "dsps", "gates")
"""Columns with a panel."""


def area_points(setting: Setting) -> int:
    """Configurations of the setting, for each variant."""
    return 2 * len(list(_configurations(setting)))


def area_data(setting: Setting, progress: Progress) -> pd.DataFrame:
    """Evaluate the arrays for the setting's network."""
    network = setting.network
    rows = []
    for variant, work in variants(network, setting.seed).items():
        for config in _configurations(setting):
            done = simulate(config, work, setting.memory)
            rows.append(
                {
                    "network": network.name,
                    "attention_maps": maps(network, setting.seed).label,
                    "variant": variant,
                    "lanes": config.lanes,
                    "width": config.width,
                    "cores": config.cores,
                    **predict(config),
                    "cycles": done.cycles.total,
                    "images_per_second": done.images_per_second,
                }
            )
            progress(1)
    data = pd.DataFrame(rows)
    return data.assign(front=on_front(data))


def _configurations(setting: Setting) -> Iterator[AcceleratorConfig]:
    """The setting's with other arrays, as far as there are such."""
    base = setting.config
    for lanes, width, cores in product(LANES, WIDTHS, CORES):
        bus_bytes = min(max(base.bus_bytes, lanes), width)
        max_dim = -(-base.max_dim // width) * width
        try:
            config = replace(
                base, lanes=lanes, width=width, cores=cores, bus_bytes=bus_bytes, max_dim=max_dim
            )
        except UserError:
            continue
        if misfit(config, setting.network) is None:
            yield config


def on_front(data: pd.DataFrame) -> list[bool]:
    """Whether no other point of the variant is at least as good in both and better in one."""
    front = pd.Series(data=False, index=data.index)
    for _, of in data.groupby("variant"):
        front[of.index] = undominated(of["luts"], of["images_per_second"])
    return front.tolist()


@style()
def draw_area(data: pd.DataFrame) -> Figure:
    """A panel each for LUT, DSP and gates; a line is the front, dashes are where parts end."""
    figure = new_figure(15, 5)
    for axes, column in zip(figure.subplots(1, len(SHOWN), sharey=True), SHOWN, strict=True):
        _draw(axes, data, column)
        axes.set_xlabel(f"{HEADINGS[column]}, predicted")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.grid(which="both")
        limits = axes.get_xlim()
        for part, resources in ULTRASCALE.parts.items():
            if limits[0] < (end := resources.get(column, 0)) < limits[1]:
                axes.axvline(end, color=BLACK, linewidth=1, linestyle="--")
                axes.annotate(
                    part,
                    (end, 1),
                    xycoords=("data", "axes fraction"),
                    xytext=(2, -2),
                    textcoords="offset points",
                    rotation=90,
                    verticalalignment="top",
                    fontsize=8,
                )
    figure.axes[0].set_ylabel("images a second")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    figure.suptitle(f"{TITLE}, {_subject(data)}", fontsize=11)
    return figure


def _draw(axes: Axes, data: pd.DataFrame, column: str) -> None:
    for colour, (variant, of) in zip(SERIES, data.groupby("variant", sort=False), strict=False):
        for marker, (cores, points) in zip(MARKERS, of.groupby("cores"), strict=False):
            axes.plot(
                points[column],
                points["images_per_second"],
                marker=marker,
                markersize=5,
                linestyle="",
                color=colour,
                label=f"{variant}, cores = {cores}",
            )
        if column == "luts":
            front = of[of["front"]].sort_values(column)
            axes.plot(front[column], front["images_per_second"], color=colour, linewidth=1)


def _subject(data: pd.DataFrame) -> str:
    return f"{data['network'].iloc[0]} ({data['attention_maps'].iloc[0]} attention maps)"


def area_table(data: pd.DataFrame) -> TextTable:
    """A line a point."""
    marks = data["front"].map({True: "yes", False: ""})
    cells = [Column(name, heading, "{:,.10g}") for name, heading in HEADINGS.items()]
    return text_table(
        "area",
        f"{TITLE}, {_subject(data)}",
        data.assign(front=marks),
        [
            Column("variant", "variant"),
            Column("lanes", "lanes"),
            Column("width", "width"),
            Column("cores", "cores"),
            *cells,
            Column("cycles", "cycles of a batch", "{:,}"),
            Column("images_per_second", "images a second", "{:,.0f}"),
            Column("front", "front"),
        ],
        f"Cells are predicted. Front: no other takes as few LUT and is as fast. {SPARSITY_MEANS}.",
    )
