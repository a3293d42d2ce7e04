"""A sweep on the terminal: its points, and what pruning gains by schedule."""

import pandas as pd

from model.masks.strategies import SPARSITY_MEANS
from sim_models.figures.tables import Column, TextTable, text_table
from sim_models.paper import PAPER_SPEEDUP
from sim_models.sweeps.run import SweepResult

MAX_ROWS = 40
RESULTS = (
    Column("attention_maps", "maps"),
    Column("total_cycles", "cycles", "{:,}"),
    Column("milliseconds", "ms", "{:.2f}"),
    Column("speedup_over_dense", "vs dense", "{:.3f}x"),
    Column("speedup_over_sparse", "vs sparse", "{:.3f}x"),
    Column("array_utilisation", "array busy", "{:.1%}"),
    Column("energy_total_uj", "uJ", "{:,.0f}"),
)
CHOICES = (
    Column("network", "network"),
    Column("masks", "masks"),
    Column("sparsity", "sparsity", "{:.0%}"),
    Column("pruning", "pruning"),
    Column("hardware", "hardware"),
    Column("memory_latency", "latency"),
    Column("memory_rate", "rate"),
    Column("seed", "seed"),
)


def points_table(result: SweepResult) -> TextTable:
    """The first points; of the choices, those of which the sweep makes more than one."""
    frame = pd.DataFrame(result.rows)
    varying = [column for column in CHOICES if frame[column.key].nunique(dropna=False) > 1]
    left_out = f"{len(frame) - MAX_ROWS} more are in the files. " if len(frame) > MAX_ROWS else ""
    return text_table(
        "points",
        f"{len(frame)} points",
        frame.head(MAX_ROWS),
        [*(varying or CHOICES[:1]), *RESULTS],
        f"{left_out}Cycles of one image from start to done; vs sparse: the same masks without "
        f"pruning. Energy: {result.energy.name}. {SPARSITY_MEANS}.",
    )


def pruning_table(result: SweepResult) -> TextTable | None:
    """Mean speed-up by schedule, if any point has masks and pruning."""
    means = result.mean_speedups()
    if not means:
        return None
    return text_table(
        "pruning",
        "Mean speed-up by pruning over the same masks",
        pd.DataFrame(means.items(), columns=["pruning", "speedup"]),
        [Column("pruning", "pruning"), Column("speedup", "mean speed-up", "{:.3f}x")],
        f"The paper reports {PAPER_SPEEDUP}x for networks and sparsities of the standard sweep.",
    )
