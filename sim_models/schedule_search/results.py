"""What a search found: tables, the files and the figure.

<folder>/searched-<masks>.json the found schedule, as `model.pruning.schedule_file` reads it
<folder>/schedules.csv        a line an evaluated schedule, from most cycles to fewest:
    name                      `default`, `found`, `default = found` or nothing
    kept                      patch tokens that leave each layer, with blanks between
    cycles, estimated_cycles  of one image, from start to done; by the sums of layers
    loss, estimated_loss      nats of KL divergence, mean over the images of the search
    standard_error            of the loss
    held_back_loss, held_back_standard_error    on the images held back
<folder>/front.png, .svg      loss against cycles
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from model.evaluation.statistics import standard_error
from model.files.csv_file import csv_bytes
from model.files.plot_style import BLUE, FORMATS, GREY, VERMILION, new_figure, render, style
from model.network.shape import Network
from model.pruning.schedule import ListedSchedule
from model.pruning.schedule_file import write_schedule
from rtl_gen.files import replace_file
from sim_models.figures.tables import Column, TextTable, text_table
from sim_models.schedule_search.planning import Plan
from sim_models.schedule_search.search import Evaluated

DEFAULT, FOUND = "default", "found"


@dataclass(frozen=True, kw_only=True)
class Result:
    """Everything that is shown of a search."""

    network: Network
    default: Evaluated
    found: Evaluated
    others: Sequence[Evaluated]
    """All that were evaluated but the default; `found` is one of them or the default."""
    front: Sequence[Plan]
    held_back: dict[str, np.ndarray]
    """Nats of every image held back, by DEFAULT and FOUND; empty if there are none."""

    def frame(self) -> pd.DataFrame:
        rows = [self._row(one) for one in (self.default, *self.others)]
        return pd.DataFrame(rows).sort_values("cycles", ascending=False, ignore_index=True)

    def _row(self, one: Evaluated) -> dict[str, Any]:
        names = [
            name for name, named in ((DEFAULT, self.default), (FOUND, self.found)) if one is named
        ]
        held_back = self.held_back.get(names[0]) if names else None
        return {
            "name": " = ".join(names),
            "kept": " ".join(map(str, one.schedule.kept_tokens(self.network))),
            "cycles": one.cycles,
            "loss": one.loss,
            "standard_error": standard_error(one.losses),
            "estimated_cycles": np.nan if one.plan is None else round(one.plan.cycles),
            "estimated_loss": np.nan if one.plan is None else one.plan.loss,
            "held_back_loss": np.nan if held_back is None else held_back.mean(),
            "held_back_standard_error": np.nan if held_back is None else standard_error(held_back),
        }


def layers_table(result: Result) -> TextTable:
    """A line a layer: patch tokens that leave it."""
    data = pd.DataFrame(
        {
            "layer": range(result.network.layers),
            DEFAULT: result.default.schedule.kept_tokens(result.network),
            FOUND: result.found.schedule.kept_tokens(result.network),
        }
    )
    return text_table(
        "layers",
        f"{result.network.name}: patch tokens that leave each layer",
        data,
        [Column(name, name) for name in ("layer", DEFAULT, FOUND)],
    )


def schedules_table(result: Result) -> TextTable:
    """A line an evaluated schedule."""
    columns = [
        Column("name", ""),
        Column("cycles", "cycles", "{:,}"),
        Column("estimated_cycles", "estimated", "{:,.0f}"),
        Column("loss", "loss", "{:.4f}"),
        Column("standard_error", "±", "{:.4f}"),
        Column("estimated_loss", "estimated", "{:.4f}"),
    ]
    caption = "Loss: nats of KL divergence from the unpruned network, ± standard error."
    if result.held_back:
        columns += [
            Column("held_back_loss", "held back", "{:.4f}"),
            Column("held_back_standard_error", "±", "{:.4f}"),
        ]
        change = result.held_back[FOUND] - result.held_back[DEFAULT]
        caption += (
            f" On {len(change)} images held back, found - default: {change.mean():+.4f} ± "
            f"{standard_error(change):.4f}."
        )
    return text_table(
        "schedules", f"{len(result.default.losses)} images", result.frame(), columns, caption
    )


def write_result(
    result: Result, folder: Path, masks: str, provenance: dict[str, Any]
) -> list[Path]:
    """Write all files and return their paths; `masks` is their name."""
    frame, figure = result.frame(), draw_front(result)
    contents = {"schedules.csv": csv_bytes(frame)}
    contents |= {f"front.{kind}": render(figure, kind) for kind in FORMATS}
    for name, content in contents.items():
        with replace_file(folder / name) as file:
            file.write(content)
    schedule = ListedSchedule(kept=tuple(result.found.schedule.kept_tokens(result.network)))
    path = folder / f"searched-{masks}.json"
    write_schedule(path, result.network, schedule, provenance)
    return [path, *(folder / name for name in contents)]


@style()
def draw_front(result: Result) -> Figure:
    """Loss against cycles of what was evaluated and of all that was planned."""
    figure = new_figure(7, 4.6)
    axes = figure.subplots()
    planned = [(plan.cycles / 1e6, plan.loss) for plan in result.front if plan.loss > 0]
    axes.plot(*zip(*planned, strict=True), color=GREY, label="planned, loss estimated by layers")
    points = [(one.cycles / 1e6, one.loss) for one in result.others if one.loss > 0]
    if points:
        axes.plot(*zip(*points, strict=True), "o", color=BLUE, markersize=4, label="evaluated")
    for one, name, colour in (
        (result.default, DEFAULT, VERMILION),
        (result.found, FOUND, BLUE),
    ):
        at = one.cycles / 1e6
        axes.plot(at, one.loss, "*", color=colour, markersize=13, label=name)
        if result.held_back:
            axes.plot(
                at,
                result.held_back[name].mean(),
                "D",
                color=colour,
                fillstyle="none",
                label=f"{name}, images held back",
            )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(LogFormatter())
    axes.set_xlabel("million cycles of one image")
    axes.set_ylabel("KL divergence from unpruned, nats")
    axes.set_title(f"{result.network.name}, pruning schedules", fontsize=11)
    axes.grid()
    axes.legend()
    return figure
