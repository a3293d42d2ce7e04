"""Cycles against what sparsity and pruning keep, for a grid of masks and schedules.

Data, a row a point of one network:

    network, attention_maps     name; measured, synthetic or resampled
    sparsity            of attention, a fraction; 0 is dense
    final_ratio         tokens dropped by the last layer / patches; the schedule starts at 0.1 and
                        rises exponentially; 0 is no pruning
    keep_ratio          mean over layers of tokens in the projection and FFN / all tokens
    attention_kept      mean over layers and heads of the averaged attention between live tokens
                        that the mask keeps; dropped queries count as 0. A measure of what is left
                        to the network, not its accuracy
    cycles              of an image, from start to done
    milliseconds        at the configuration's clock
    front               whether no other point has fewer cycles and keeps as much attention
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.files.plot_style import BLACK, SERIES, new_figure, style
from model.masks.strategies import SPARSITY_MEANS
from model.pruning.schedule import DEFAULT_SCHEDULE, NO_PRUNING, Schedule
from sim_models.figures.front import undominated
from sim_models.figures.tables import Column, TextTable, text_table
from sim_models.figures.workload import Progress, Setting, maps, workload
from sim_models.workload import Workload

TITLE = "Cycles against what is kept"
GRID_SPARSITIES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
FINAL_RATIOS = (0.0, 0.3, 0.5, 0.7, 0.9)
POINTS = len(GRID_SPARSITIES) * len(FINAL_RATIOS)


def pareto_data(setting: Setting, progress: Progress) -> pd.DataFrame:
    """Evaluate the grid for the setting's network."""
    network = setting.network
    averaged = maps(network, setting.seed)
    rows = []
    for sparsity in GRID_SPARSITIES:
        for ratio in FINAL_RATIOS:
            schedule: Schedule = NO_PRUNING
            if ratio:
                schedule = replace(DEFAULT_SCHEDULE, end=ratio).fitted(network)
            work = workload(network, setting.seed, sparsity or None, schedule)
            cycles = work.cycles(setting.config, setting.memory).total
            projected = [layer.projection for layer in schedule.layer_tokens(network)]
            rows.append(
                {
                    "network": network.name,
                    "attention_maps": averaged.label,
                    "sparsity": sparsity,
                    "final_ratio": ratio,
                    "keep_ratio": float(np.mean(projected)) / network.tokens,
                    "attention_kept": attention_kept(work, averaged.maps),
                    "cycles": cycles,
                    "milliseconds": cycles / setting.config.frequency_mhz / 1000,
                }
            )
            progress(1)
    data = pd.DataFrame(rows)
    return data.assign(front=on_front(data))


def attention_kept(work: Workload, averaged: np.ndarray) -> float:
    """Averaged attention, (layers, heads, n, n), that the mask and the survivors leave."""
    kept = work.live[:, None, :, None] & work.live[:, None, None, :]
    if work.masks is not None:
        kept = kept & work.masks
    return float((averaged * kept).sum(axis=-1).mean())


def on_front(data: pd.DataFrame) -> list[bool]:
    """Whether no other point is at least as good in both respects and better in one."""
    return undominated(data["cycles"], data["attention_kept"])


@style()
def draw_pareto(data: pd.DataFrame) -> Figure:
    """Cycles against keep ratio, sparsity and kept attention."""
    figure = new_figure(12, 5.2)
    by_keep, by_sparsity, by_kept = figure.subplots(1, 3, sharey=True)
    _lines(by_keep, data, "keep_ratio", "sparsity")
    by_keep.set_xlabel("tokens kept, mean over layers, %")
    by_keep.set_ylabel("million cycles of one image")
    _lines(by_sparsity, data, "sparsity", "final_ratio")
    by_sparsity.set_xlabel("attention sparsity, %")
    _lines(by_kept, data, "attention_kept", "sparsity", line="")
    front = data[data["front"]].sort_values("cycles")
    by_kept.plot(
        100 * front["attention_kept"], front["cycles"] / 1e6, color=BLACK, label="Pareto front"
    )
    by_kept.set_xlabel("averaged attention kept, %")
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "ncols": 3}
    by_keep.legend(title="attention sparsity", **below)
    by_sparsity.legend(title="patches dropped by the last layer", **below)
    by_kept.legend(title="colours as on the left", handles=by_kept.lines[-1:], **below)
    for axes in (by_keep, by_sparsity, by_kept):
        axes.grid()
    figure.suptitle(f"{_subject(data)}, masks x pruning schedules", fontsize=11)
    return figure


def _subject(data: pd.DataFrame) -> str:
    return f"{data['network'].iloc[0]} ({data['attention_maps'].iloc[0]} attention maps)"


def _lines(axes: Axes, data: pd.DataFrame, across: str, series: str, line: str = "-") -> None:
    for colour, (value, group) in zip(SERIES, data.groupby(series), strict=False):
        points = group.sort_values(across)
        axes.plot(
            100 * points[across],
            points["cycles"] / 1e6,
            marker="o",
            markersize=5,
            linestyle=line,
            color=colour,
            label=f"{value:.0%}",
        )


def pareto_table(data: pd.DataFrame) -> TextTable:
    """A line a point."""
    marks = data["front"].map({True: "yes", False: ""})
    return text_table(
        "pareto",
        f"{_subject(data)}: cycles by mask and schedule",
        data.assign(front=marks),
        [
            Column("sparsity", "sparsity", "{:.0%}"),
            Column("final_ratio", "final ratio", "{:.0%}"),
            Column("keep_ratio", "tokens kept", "{:.1%}"),
            Column("attention_kept", "attention kept", "{:.1%}"),
            Column("cycles", "cycles", "{:,}"),
            Column("milliseconds", "ms", "{:.3f}"),
            Column("front", "Pareto front"),
        ],
        "Tokens kept: mean over layers, in the projection and FFN. Attention kept: of the averaged "
        f"maps, by mask and survivors; not accuracy. {SPARSITY_MEANS}.",
    )
