"""Speed-up by token pruning on top of sparse attention, beside the paper's mean.

Data, a row a network and sparsity:

    network, attention_maps     name; measured, synthetic or resampled
    sparsity                    of attention, a fraction
    sparse_cycles               of an image, from start to done
    pruned_cycles               the same with tokens pruned by the default schedule
    speedup                     sparse_cycles / pruned_cycles, same masks
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from model.files.plot_style import BLACK, SERIES, new_figure, style, text_on
from model.masks.strategies import SPARSITY_MEANS
from model.pruning.schedule import DEFAULT_SCHEDULE
from sim_models.figures.tables import Column, TextTable, text_table
from sim_models.figures.workload import Progress, Setting, maps, workload
from sim_models.paper import PAPER_SPEEDUP, SPARSITIES

MEAN_LABEL = "mean {:.3f}x"
PAPER_LABEL = f"the paper's mean {PAPER_SPEEDUP}x"
TITLE = "Sparse attention with token pruning over sparse attention alone"


def speedup_data(setting: Setting, progress: Progress) -> pd.DataFrame:
    """Evaluate the paper's grid."""
    rows = []
    for network in setting.networks:
        source = maps(network, setting.seed).label
        for sparsity in SPARSITIES:
            sparse, pruned = (
                workload(network, setting.seed, sparsity, *schedule)
                .cycles(setting.config, setting.memory)
                .total
                for schedule in ((), (DEFAULT_SCHEDULE.fitted(network),))
            )
            rows.append(
                {
                    "network": network.name,
                    "attention_maps": source,
                    "sparsity": sparsity,
                    "sparse_cycles": sparse,
                    "pruned_cycles": pruned,
                    "speedup": sparse / pruned,
                }
            )
            progress(2)
    return pd.DataFrame(rows)


@style()
def draw_speedup(data: pd.DataFrame) -> Figure:
    """Bars by network and sparsity; needs the columns `network` to `sparsity` and `speedup`."""
    figure = new_figure(8, 4.2)
    axes = figure.subplots()
    networks = list(dict.fromkeys(data["network"]))
    groups = list(data.groupby("sparsity"))
    width = 0.8 / len(groups)
    for index, (sparsity, group) in enumerate(groups):
        heights = group.set_index("network")["speedup"].reindex(networks)
        places = np.arange(len(networks)) + (index - (len(groups) - 1) / 2) * width
        bars = axes.bar(
            places, heights, 0.92 * width, color=SERIES[index], label=f"{sparsity:.0%} sparse"
        )
        axes.bar_label(
            bars, fmt="%.3fx", fontsize=8.5, label_type="center", color=text_on(SERIES[index])
        )
    mean = data["speedup"].mean()
    for value, dashes, label in (
        (mean, "-", MEAN_LABEL.format(mean)),
        (PAPER_SPEEDUP, "--", PAPER_LABEL),
    ):
        axes.axhline(value, color=BLACK, linewidth=1.2, linestyle=dashes, label=label)
    sources = data.drop_duplicates("network").set_index("network")["attention_maps"]
    axes.set_xticks(
        range(len(networks)), [f"{name}\n({sources[name]} attention maps)" for name in networks]
    )
    axes.set_ylim(1, max(data["speedup"].max(), PAPER_SPEEDUP) + 0.05)
    axes.grid(axis="y")
    axes.set_ylabel("speed-up, cycles / cycles")
    axes.set_title(TITLE, fontsize=11)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def speedup_table(data: pd.DataFrame) -> TextTable:
    """A line a point, and the mean."""
    mean = pd.DataFrame([{"network": "mean", "speedup": data["speedup"].mean()}])
    shown = pd.concat([data, mean], ignore_index=True)
    counts = dict.fromkeys(("sparse_cycles", "pruned_cycles"), "Int64")
    return text_table(
        "speedup",
        TITLE,
        shown.astype(counts),
        [
            Column("network", "model"),
            Column("attention_maps", "attention maps"),
            Column("sparsity", "sparsity", "{:.0%}"),
            Column("sparse_cycles", "cycles, sparse", "{:,}"),
            Column("pruned_cycles", "with pruning", "{:,}"),
            Column("speedup", "speed-up", "{:.3f}x"),
        ],
        f"Cycles of one image from start to done. The paper's mean is {PAPER_SPEEDUP}x. "
        f"{SPARSITY_MEANS}.",
    )
