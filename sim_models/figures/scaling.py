"""Images a second and bytes of an image against cores, lanes and the memory's rate.

The grid is that of the sweep `scaling.yaml`, as far as a configuration can have it, for the
setting's network and latency.

Data, a row a point:

    network, attention_maps     name; measured, synthetic or resampled
    variant                     dense, or 80 % sparse and pruned by the default schedule
    lanes, cores                of the configuration
    rate                        of the memory, in bytes a cycle
    cycles                      of a batch, an image a core, from start to done
    images_per_second           at the configuration's clock
    read_bytes                  over the memory port for an image: its share of a batch's
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.files.plot_style import BLACK, SERIES, new_figure, style
from model.files.yaml_file import read_model
from model.masks.strategies import SPARSITY_MEANS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from sim_models import sweeps
from sim_models.figures.tables import Column, TextTable, text_table
from sim_models.figures.workload import Progress, Setting, maps, variants
from sim_models.memory import MemoryTiming
from sim_models.sweeps.spec import SweepSpec
from sim_models.workload import simulate

TITLE = "Images a second by cores, lanes and memory"
GRID = Path(sweeps.__file__).parent / "examples" / "scaling.yaml"
DASHES = ("--", "-")
"""Of the variants, dense first."""


def scaling_points(setting: Setting) -> int:
    """Machines and memories of the setting, for each variant."""
    return 2 * len(list(_machines(setting)))


def scaling_data(setting: Setting, progress: Progress) -> pd.DataFrame:
    """Evaluate the grid for the setting's network."""
    network = setting.network
    rows = []
    for variant, work in variants(network, setting.seed).items():
        for config, memory in _machines(setting):
            done = simulate(config, work, memory)
            rows.append(
                {
                    "network": network.name,
                    "attention_maps": maps(network, setting.seed).label,
                    "variant": variant,
                    "lanes": config.lanes,
                    "cores": config.cores,
                    "rate": memory.rate,
                    "cycles": done.cycles.total,
                    "images_per_second": done.images_per_second,
                    "read_bytes": round(done.activity.read_bytes / config.cores),
                }
            )
            progress(1)
    return pd.DataFrame(rows)


def _machines(setting: Setting) -> Iterator[tuple[AcceleratorConfig, MemoryTiming]]:
    """Those of the grid that the setting's configuration can become."""
    spec = read_model(GRID, SweepSpec)
    for lanes, cores, rate in product(spec.overrides.lanes, spec.overrides.cores, spec.memory.rate):
        try:
            config = replace(setting.config, lanes=lanes, cores=cores)
        except UserError:
            continue
        yield config, replace(setting.memory, rate=rate)


@style()
def draw_scaling(data: pd.DataFrame) -> Figure:
    """A panel of images a second for every number of lanes, and one of megabytes of an image."""
    figure = new_figure(12, 4.4)
    groups = list(data.groupby("lanes"))
    *panels, traffic = figure.subplots(1, len(groups) + 1, sharex=True)
    for axes, (lanes, points) in zip(panels, groups, strict=True):
        _draw_rates(axes, points)
        axes.set_title(f"images a second, {lanes} lanes a core", fontsize=10)
        axes.set_ylim(0, 1.05 * data["images_per_second"].max())
    # The rate of memory makes no difference to it, lanes hardly do.
    for _, points in data[data["rate"] == data["rate"].max()].groupby(["variant", "lanes"]):
        traffic.plot(points["cores"], points["read_bytes"] / 1e6, color=BLACK, linewidth=1)
    traffic.set_title("read for an image, MB", fontsize=10)
    traffic.set_ylim(bottom=0)
    for axes in (*panels, traffic):
        axes.set_xlabel("cores")
        axes.set_xticks(sorted(set(data["cores"])))
        axes.grid()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle(_subject(data), fontsize=11)
    return figure


def _draw_rates(axes: Axes, data: pd.DataFrame) -> None:
    for dashes, (variant, of) in zip(DASHES, data.groupby("variant", sort=False), strict=True):
        for colour, (rate, points) in zip(SERIES, of.groupby("rate"), strict=False):
            axes.plot(
                points["cores"],
                points["images_per_second"],
                marker="o",
                markersize=4,
                linestyle=dashes,
                color=colour,
                label=f"{variant}, {rate} bytes a cycle",
            )


def _subject(data: pd.DataFrame) -> str:
    return f"{data['network'].iloc[0]} ({data['attention_maps'].iloc[0]} attention maps)"


def scaling_table(data: pd.DataFrame) -> TextTable:
    """A line a point."""
    return text_table(
        "scaling",
        f"{TITLE}, {_subject(data)}",
        data,
        [
            Column("variant", "variant"),
            Column("lanes", "lanes"),
            Column("cores", "cores"),
            Column("rate", "bytes a cycle"),
            Column("cycles", "cycles of a batch", "{:,}"),
            Column("images_per_second", "images a second", "{:,.0f}"),
            Column("read_bytes", "bytes read an image", "{:,}"),
        ],
        f"An image a core, all of which leave the same tokens. {SPARSITY_MEANS}.",
    )
