"""FLOPs and latency by operation: the paper's motivation, with the cycles of this accelerator.

Data, a row a network, variant and operation:

    network, attention_maps         name; measured, synthetic or resampled
    variant, operation              operation: a key of style.OPERATIONS
    flops, flops_share              two for each multiply-accumulate of a matrix product (macs.py)
    cycles, cycles_share            in which the operation's unit is busy; they add up to start to
                                    done
    milliseconds                    at the configuration's clock
    utilisation                     multiply-accumulates / (multipliers x cycles)
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.files.plot_style import WHITE, new_figure, style, text_on
from sim_models.figures.operations import OPERATIONS, operation_legend
from sim_models.figures.tables import Column, TextTable, text_table
from sim_models.figures.workload import Progress, Setting, maps, variants
from sim_models.macs import FLOPS_PER_MAC

TITLE = "FLOPs and latency by operation"
SHARES = {"flops_share": "FLOPs", "cycles_share": "latency"}
FLOPS_NOTE = (
    "FLOPs: two for each multiply-accumulate of a matrix product. Attention: QKᵀ, softmax and PV."
)
LABELLED_SHARE = 0.04
"""Smaller parts of a bar carry no number."""


def breakdown_data(setting: Setting, progress: Progress) -> pd.DataFrame:
    """Evaluate every network, dense and with everything."""
    frames = []
    for network in setting.networks:
        source = maps(network, setting.seed).label
        for variant, work in variants(network, setting.seed).items():
            cycles = pd.Series(work.cycles(setting.config, setting.memory).operations())
            macs = pd.Series(work.macs()).reindex(cycles.index, fill_value=0)
            flops = FLOPS_PER_MAC * macs
            frame = pd.DataFrame(
                {
                    "network": network.name,
                    "attention_maps": source,
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
            whose = f"{group['attention_maps'].iloc[0]} attention maps" if offset else network
            names.append(f"{whose}  {name}")
            left = 0.0
            for operation, look in OPERATIONS.items():
                percent = 100 * parts.loc[operation, share]
                label = look.label if not index and not offset else None
                bar = axes.barh(
                    place, percent, 0.9, left, color=look.colour, label=label, edgecolor=WHITE
                )
                if percent >= 100 * LABELLED_SHARE:
                    axes.bar_label(
                        bar,
                        [f"{percent:.1f}"],
                        label_type="center",
                        fontsize=8.5,
                        color=text_on(look.colour),
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


def breakdown_table(data: pd.DataFrame) -> TextTable:
    """Shares by operation, a line a network and operation, FLOPs beside latency."""
    chosen = list(dict.fromkeys(data["variant"]))
    networks = list(dict.fromkeys(data["network"]))
    keys = [(network, operation) for network in networks for operation in OPERATIONS]
    shares = data.pivot_table(
        index=["network", "operation"], columns="variant", values=list(SHARES)
    ).reindex(keys)
    labels = [OPERATIONS[operation].label for _, operation in keys]
    shown = pd.DataFrame({"network": [key[0] for key in keys], "operation": labels})
    columns = [Column("network", "model"), Column("operation", "operation")]
    for variant in chosen:
        for share, name in SHARES.items():
            shown[f"{variant} {share}"] = shares[share, variant].to_numpy()
            columns.append(Column(f"{variant} {share}", f"{variant}: {name}", "{:.1%}"))
    return text_table("breakdown", TITLE, shown, columns, FLOPS_NOTE)


def utilisation_table(data: pd.DataFrame) -> TextTable:
    """Absolute numbers and the array's utilisation, a line a network, variant and operation."""
    shown = data.assign(operation=[OPERATIONS[name].label for name in data["operation"]])
    shown["utilisation"] = shown["utilisation"].where(shown["flops"] > 0)
    whole = totals(data)
    parts = []
    for key, group in shown.groupby(whole.index.names, sort=False):
        parts += [group, whole.loc[[key]].reset_index().assign(operation="total")]
    return text_table(
        "utilisation",
        "Utilisation of the array",
        pd.concat(parts, ignore_index=True),
        [
            Column("network", "model"),
            Column("variant", "variant"),
            Column("operation", "operation"),
            Column("flops", "FLOPs", "{:,}"),
            Column("cycles", "cycles", "{:,}"),
            Column("milliseconds", "ms", "{:.3f}"),
            Column("utilisation", "array busy", "{:.1%}"),
        ],
        "Array busy: useful multiply-accumulates / (multipliers x cycles).",
    )
