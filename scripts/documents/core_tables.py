"""Tables of several cores."""

from collections.abc import Iterator

from model.pruning.schedule_file import DEFAULT_NAME, UNPRUNED
from scripts.documents.cells import NETWORKS, kind, select
from scripts.documents.markdown import table


def cores() -> str:
    """Batches of one image a core, predicted, on a fast and on a slow memory."""

    def lines() -> Iterator[list[str]]:
        rows = select("cores", network="deit_tiny").sort_values("cores")
        for sparsity, pruning in ((0.0, UNPRUNED), (0.8, DEFAULT_NAME)):
            of = rows[(rows.sparsity == sparsity) & (rows.pruning == pruning)]
            for count, at in of.groupby("cores"):
                fast, slow = (at[at.memory_rate == rate].iloc[0] for rate in (64, 4))
                yield [
                    kind(sparsity, prune=pruning != UNPRUNED) if count == 1 else "",
                    str(count),
                    f"{fast.total_cycles:,}",
                    f"{1 / fast.array_utilisation:.3f}",
                    f"{fast.images_per_second:,.0f}",
                    f"{slow.total_cycles:,}",
                    f"{1 / slow.array_utilisation:.3f}",
                    f"{fast.axi_read_bytes / 1e6:.2f}",
                    f"{fast.energy_total_uj:,.0f}",
                    f"{fast.on_chip_kb:,.0f}",
                ]

    heads = ["", "cores", "cycles of a batch", "of the MAC bound", "images a second"]
    slow_heads = ["cycles at 4 bytes", "of the MAC bound"]
    return table([*heads, *slow_heads, "read, MB an image", "uJ an image", "KB used"], lines())


def cores_in_rtl() -> str:
    """Batches that ran in RTL, a picture a core."""
    runs = select("rtl_runs")
    rows = (
        [
            NETWORKS[run.model],
            kind(run.sparsity, prune=run.prune),
            str(run.cores),
            f"{run.cycles:,}",
            f"{run.cycles_model:,}",
            f"{run.mismatches} of {run.compared:,}",
            f"{run.cycles / run.mac_bound_cycles:.3f}",
            f"{run.wall_seconds:.0f} s",
        ]
        for run in runs[runs.cores > 1].itertuples()
    )
    heads = ["network", "", "cores", "cycles, RTL", "cycle model", "mismatches"]
    return table([*heads, "of the MAC bound", "wall time"], rows)


def cores_at_384() -> str:
    """Batches of ViT-Tiny at 384 pixels, predicted, and what masks and pruning gain."""

    def lines() -> Iterator[list[str]]:
        rows = select("cores", network="vit_tiny_patch16_384").sort_values("cores")
        for count, at in rows.groupby("cores"):
            dense = at[(at.sparsity == 0) & (at.pruning == UNPRUNED)].iloc[0]
            for sparsity, pruning in ((0.0, UNPRUNED), (0.8, UNPRUNED), (0.8, DEFAULT_NAME)):
                one = at[(at.sparsity == sparsity) & (at.pruning == pruning)].iloc[0]
                yield [
                    str(count) if one.equals(dense) else "",
                    kind(sparsity, prune=pruning != UNPRUNED),
                    f"{one.total_cycles:,}",
                    f"{1 / one.array_utilisation:.3f}",
                    f"{one.images_per_second:,.0f}",
                    f"{dense.total_cycles / one.total_cycles:.3f}x",
                    f"{one.axi_read_bytes / 1e6:.2f}",
                    f"{one.on_chip_kb:,.0f}",
                ]

    heads = ["cores", "", "cycles of a batch", "of the MAC bound", "images a second"]
    return table([*heads, "over dense", "read, MB an image", "KB used"], lines())
