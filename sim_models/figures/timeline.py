"""When each operation of one image runs, from start to interrupt, layer by layer.

Data, a row a segment; those of a variant follow each other without gap or overlap:

    network, attention_maps name; measured, synthetic or resampled
    variant                 dense, or sparse and pruned
    stage                   input, layers from layer 0 on, output
    tokens                  live in the attention of the layer; empty for input and output
    operation               a key of style.OPERATIONS; "between": no unit but the loader is busy
    start, end              first cycle of the segment and first behind it
"""

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.files.plot_style import new_figure, style
from model.program.step import TRANSFER
from sim_models.figures.operations import OPERATIONS, operation_legend
from sim_models.figures.tables import Column, TextTable, text_table
from sim_models.figures.workload import Progress, Setting, maps, variants
from sim_models.workload import Workload

TITLE = "Where the cycles of one image go"
INPUT, OUTPUT = "input", "output"


def timeline_data(setting: Setting, progress: Progress) -> pd.DataFrame:
    """Run the setting's network, dense and with everything."""
    source = maps(setting.network, setting.seed).label
    rows = []
    for variant, work in variants(setting.network, setting.seed).items():
        names = {"network": setting.network.name, "attention_maps": source, "variant": variant}
        rows += [{**names, **segment} for segment in _segments(work, setting)]
        progress(1)
    return pd.DataFrame(rows).astype({"tokens": "Int64"})


def _segments(work: Workload, setting: Setting) -> Iterator[dict]:
    run = work.run(setting.config, setting.memory)
    live = work.live.sum(axis=-1)
    reached = 0
    stage, tokens = INPUT, None
    for step, start, end in zip(run.steps, run.program.starts, run.program.ends, strict=True):
        if step.layer is not None:
            stage, tokens = f"layer {step.layer}", int(live[step.layer])
        elif stage != INPUT:
            stage, tokens = OUTPUT, None
        if step.operation == TRANSFER:
            continue
        where = {"stage": stage, "tokens": tokens}
        if start > reached:
            yield {**where, "operation": "between", "start": reached, "end": int(start)}
        yield {**where, "operation": step.operation, "start": int(start), "end": int(end)}
        reached = int(end)
    done = run.program.counters["cycles"]
    yield {"stage": OUTPUT, "tokens": None, "operation": "between", "start": reached, "end": done}


def by_stage(data: pd.DataFrame) -> pd.DataFrame:
    """The segments with `offset`, their start counted from that of their stage."""
    first = data.groupby(["variant", "stage"])["start"].transform("min")
    return data.assign(offset=data["start"] - first, cycles=data["end"] - data["start"])


@style()
def draw_timeline(data: pd.DataFrame) -> Figure:
    """Above: the whole run of every variant on one axis; below: its stages from their own start."""
    network, source = (data[name].iloc[0] for name in ("network", "attention_maps"))
    chosen = list(dict.fromkeys(data["variant"]))
    figure = new_figure(11, 7.2)
    grid = figure.add_gridspec(2, len(chosen), height_ratios=(1, 4))
    whole = figure.add_subplot(grid[0, :])
    _bars(whole, data["variant"], data["start"], data["end"] - data["start"], data["operation"])
    for variant, end in data.groupby("variant", sort=False)["end"].max().items():
        whole.text(end / 1e3, variant, f" {end:,}", va="center", fontsize=9)
    whole.set_xlim(0, 1.08 * data["end"].max() / 1e3)
    whole.invert_yaxis()
    whole.set_xlabel("thousand cycles from start to interrupt")
    whole.set_title(f"{network} ({source} attention maps), one image", fontsize=11)
    stages = by_stage(data)
    panels: list[Axes] = []
    for index, (variant, group) in enumerate(stages.groupby("variant", sort=False)):
        shared = {"sharex": panels[0], "sharey": panels[0]} if panels else {}
        axes = figure.add_subplot(grid[1, index], **shared)
        panels.append(axes)
        _bars(axes, group["stage"], group["offset"], group["cycles"], group["operation"])
        axes.set_title(variant, fontsize=11)
        axes.set_xlabel("thousand cycles from the start of the layer")
        for stage, part in group.groupby("stage", sort=False):
            tokens = part["tokens"].iloc[0]
            if pd.notna(tokens):
                width = part["cycles"].sum() / 1e3
                axes.text(width, stage, f" {tokens} tokens", va="center", fontsize=8.5)
        axes.set_xlim(0, 1.17 * stages.groupby(["variant", "stage"])["cycles"].sum().max() / 1e3)
    panels[0].invert_yaxis()
    operation_legend(figure, whole, columns=5)
    return figure


def _bars(
    axes: Axes, rows: pd.Series, starts: pd.Series, cycles: pd.Series, operations: pd.Series
) -> None:
    axes.barh(list(dict.fromkeys(rows)), 0)  # fixes the order of the rows
    for operation, look in OPERATIONS.items():
        chosen = operations == operation
        axes.barh(
            rows[chosen],
            cycles[chosen] / 1e3,
            0.8,
            starts[chosen] / 1e3,
            color=look.colour,
            label=look.label,
        )
    axes.tick_params(axis="y", length=0)


TABLE_COLUMNS = ("qkv", "attention", "projection", "ffn")
"""Operations with a column of their own in the table."""


def timeline_table(data: pd.DataFrame) -> TextTable:
    """Cycles by stage and operation of the last variant, beside the total of the first."""
    first, last = data["variant"].iloc[0], data["variant"].iloc[-1]
    stages = by_stage(data)
    chosen = stages[stages["variant"] == last]
    cycles = chosen.pivot_table(
        index="stage", columns="operation", values="cycles", aggfunc="sum", fill_value=0, sort=False
    )
    total = cycles.sum(axis=1)
    cycles["other"] = total - cycles[list(TABLE_COLUMNS)].sum(axis=1)
    cycles["total"] = total
    cycles["tokens"] = chosen.groupby("stage")["tokens"].first()
    cycles["before"] = stages[stages["variant"] == first].groupby("stage")["cycles"].sum()
    sums = cycles.sum()
    cycles.loc["total"] = sums.mask(sums.index == "tokens")
    return text_table(
        "timeline",
        f"{data['network'].iloc[0]} ({data['attention_maps'].iloc[0]} attention maps), {last}: "
        "cycles by layer",
        cycles.astype("Int64").reset_index(),
        [
            Column("stage", "stage"),
            Column("tokens", "tokens"),
            *(Column(name, OPERATIONS[name].label, "{:,}") for name in TABLE_COLUMNS),
            Column("other", "other", "{:,}"),
            Column("total", "total", "{:,}"),
            Column("before", first, "{:,}"),
        ],
        "Cycles in which an operation's unit is busy. Tokens: those of the layer's attention.",
    )
