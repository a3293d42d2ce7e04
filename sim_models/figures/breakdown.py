"""FLOPs and latency by operation: the paper's motivation, with the cycles of this accelerator.

Data, a row a network, variant and operation:

    network, variant, operation     operation: a key of style.OPERATIONS
    flops, flops_share              two for each multiply-accumulate of a matrix product (macs.py)
    cycles, cycles_share            in which the operation's unit is busy; they add up to start to
                                    done
    milliseconds                    at the configuration's clock
    utilisation                     multiply-accumulates / (multipliers x cycles)
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim_models.figures.style import BLACK, OPERATIONS, new_figure, operation_legend, style
from sim_models.figures.tables import Column, TextTable, text_table
from sim_models.figures.workload import Progress, Setting, variants
from sim_models.macs import FLOPS_PER_MAC

TITLE = "FLOPs and latency by operation"
SHARES = {"flops_share": "FLOPs", "cycles_share": "latency"}
LABELLED_SHARE = 0.045
"""Smaller parts of a bar carry no number."""


def breakdown_data(setting: Setting, progress: Progress) -> pd.DataFrame:
    """Evaluate every network, dense and with everything."""
    frames = []
    for network in setting.networks:
        for variant, work in variants(network, setting.seed).items():
            cycles = pd.Series(work.cycles(setting).operations())
            macs = pd.Series(work.macs()).reindex(cycles.index, fill_value=0)
            flops = FLOPS_PER_MAC * macs
            frame = pd.DataFrame(
                {
                    "network": network.name,
                    "variant": variant,
                    "operation": cycles.index,
                    "flops": flops.to_numpy(),
                    "flops_share": (flops / flops.sum()).to_numpy(),
                    "cycles": cycles.to_numpy(),
                    "cycles_share": (cycles / cycles.sum()).to_numpy(),
                    "milliseconds": (cycles / setting.config.frequency_mhz / 1000).to_numpy(),
                    "utilisation": (macs / (setting.config.macs * cycles)).to_numpy(),
                }
            )
            frames.append(frame)
            progress(1)
    return pd.concat(frames, ignore_index=True)


def totals(data: pd.DataFrame) -> pd.DataFrame:
    """FLOPs, cycles and milliseconds of every network and variant."""
    return data.groupby(["network", "variant"], sort=False)[
        ["flops", "cycles", "milliseconds"]
    ].sum()


def total_label(total: pd.Series, share: str) -> str:
    """The whole that a bar of shares stands for."""
    if share == "flops_share":
        return f"{total['flops'] / 1e9:.2f} GFLOP"
    return f"{total['milliseconds']:.2f} ms"


@style()
def draw_breakdown(data: pd.DataFrame) -> Figure:
    """Two bars of shares a network, FLOPs above latency; a panel a variant."""
    chosen = list(dict.fromkeys(data["variant"]))
    figure = new_figure(11, 0.75 * data["network"].nunique() + 2.4)
    panels = figure.subplots(1, len(chosen), sharey=True)
    for variant, axes in zip(chosen, panels, strict=True):
        _draw_variant(axes, data[data["variant"] == variant], totals(data))
        axes.set_title(variant, fontsize=11)
        axes.set_xlabel("share, %")
    operation_legend(figure, panels[0], columns=5)
    return figure


def _draw_variant(axes: Axes, data: pd.DataFrame, whole: pd.DataFrame) -> None:
    places, names = [], []
    for index, (network, group) in enumerate(data.groupby("network", sort=False)):
        parts = group.set_index("operation")
        for offset, (share, name) in enumerate(SHARES.items()):
            place = 2.5 * index + offset
            places.append(place)
            names.append(f"{network}  {name}")
            left = 0.0
            for operation, look in OPERATIONS.items():
                percent = 100 * parts.loc[operation, share]
                label = look.label if not index and not offset else None
                bar = axes.barh(
                    place, percent, 0.9, left, color=look.colour, label=label, edgecolor="white"
                )
                if percent >= 100 * LABELLED_SHARE:
                    dark = look.colour in _DARK
                    axes.bar_label(
                        bar,
                        [f"{percent:.1f}"],
                        label_type="center",
                        fontsize=8.5,
                        color="white" if dark else BLACK,
                    )
                left += percent
            total = whole.loc[(network, group["variant"].iloc[0])]
            axes.text(101, place, total_label(total, share), va="center", fontsize=8.5)
    axes.set_yticks(places, names)
    axes.set_ylim(max(places) + 0.7, -0.7)
    axes.set_xlim(0, 118)
    axes.set_xticks(range(0, 101, 20))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


_DARK = {OPERATIONS[name].colour for name in ("ffn", "attention", "projection", "pruning")}


def breakdown_table(data: pd.DataFrame) -> TextTable:
    """A line an operation of a network and variant."""
    shown = data.assign(operation=[OPERATIONS[name].label for name in data["operation"]])
    whole = totals(data).reset_index()
    sums = whole.assign(operation="total", flops_share=1.0, cycles_share=1.0)
    order = [*dict.fromkeys(shown["operation"]), "total"]
    both = pd.concat([shown, sums], ignore_index=True)
    networks, chosen = (list(dict.fromkeys(data[key])) for key in ("network", "variant"))
    rank = [
        (networks.index(row.network), chosen.index(row.variant), order.index(row.operation))
        for row in both.itertuples()
    ]
    both = both.assign(rank=rank).sort_values("rank")
    without_macs = (both["flops"] == 0) | (both["operation"] == "total")
    both["utilisation"] = both["utilisation"].mask(without_macs)
    return text_table(
        "breakdown",
        TITLE,
        both,
        [
            Column("network", "model"),
            Column("variant", "variant"),
            Column("operation", "operation"),
            Column("flops", "FLOPs", "{:,}"),
            Column("flops_share", "share", "{:.1%}"),
            Column("cycles", "cycles", "{:,}"),
            Column("cycles_share", "share", "{:.1%}"),
            Column("milliseconds", "ms", "{:.3f}"),
            Column("utilisation", "array busy", "{:.1%}"),
        ],
        "FLOPs: two for each multiply-accumulate of a matrix product. Array busy: useful "
        "multiply-accumulates / (multipliers x cycles).",
    )
