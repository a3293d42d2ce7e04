"""Tables of cycles and of the seconds that they take to simulate."""

from collections.abc import Iterator

import pandas as pd

from model.pruning.schedule_file import DEFAULT_NAME, UNPRUNED
from scripts.documents.cells import NETWORKS, SPARSITIES, kind, masks_label, percent, select, value
from scripts.documents.markdown import table
from scripts.documents.measurements import MEASUREMENTS

AT_384 = {f"vit_{size}_patch16_384": f"ViT-{size.title()}/16" for size in ("tiny", "small", "base")}


def speedup(networks: dict[str, str], preset: str) -> str:
    """Of pruning over the same masks, and of both over dense attention without pruning."""
    rows: list[list[str]] = []
    every: list[float] = []
    for network, title in networks.items():
        at = {"network": network, "hardware": preset}
        dense = value("sweep", "total_cycles", sparsity=0, pruning=UNPRUNED, **at)
        for sparsity in (0.0, *SPARSITIES):
            sparse = value("sweep", "total_cycles", sparsity=sparsity, pruning=UNPRUNED, **at)
            pruned = value("sweep", "total_cycles", sparsity=sparsity, pruning=DEFAULT_NAME, **at)
            if sparsity:
                every.append(sparse / pruned)
            row = [
                title if sparsity == 0 else "",
                masks_label(sparsity),
                f"{sparse:,}",
                f"{pruned:,}",
            ]
            ratios = (dense / sparse, sparse / pruned, dense / pruned)
            rows.append(row + [f"{ratio:.3f}x" for ratio in ratios])
    mean = f"**{sum(every) / len(every):.3f}x**"
    rows.append(["**mean of the twelve sparse rows**", "", "", "", "", mean, ""])
    heads = ["network", "sparsity", "cycles", "cycles, pruned", "by masks", "by pruning", "by both"]
    return table(heads, rows)


def readings() -> str:
    sweep = select("sweep", hardware="default")
    sweep = sweep[sweep.network.isin(NETWORKS)]
    means = sweep[sweep.sparsity > 0].groupby("pruning")["speedup_over_sparse"].mean()
    places = {"after-attention": "after attention", "before-layer": "before the layer"}
    places["after-ffn"] = "after the FFN"
    rows = (
        [f"the {of} tokens", *(f"{means[f'{of}-{place}']:.3f}x" for place in places)]
        for of in ("original", "remaining")
    )
    heads = ["ratio is a fraction of", *(f"tokens go {place}" for place in places.values())]
    return table(heads, rows)


def breakdown() -> str:
    data = MEASUREMENTS["breakdown"].rows()
    columns = list(data[["network", "variant"]].drop_duplicates().itertuples(index=False))
    cells = data.set_index(["network", "variant", "operation"]).sort_index()

    def share(column: tuple[str, str], operation: str) -> str:
        row = cells.loc[(*column, operation)]
        flops = f"{100 * row.flops_share:.1f}" if row.flops else "-"
        return f"{flops} / {100 * row.cycles_share:.1f}"

    def total(column: tuple[str, str]) -> str:
        part = cells.loc[column]
        return f"{part.flops.sum() / 1e9:.2f} / {part.milliseconds.sum():.2f}"

    rows = [
        [operation.replace("_", " "), *(share(column, operation) for column in columns)]
        for operation in data.operation.unique()
    ]
    rows.append(["**GFLOP / ms**", *map(total, columns)])
    heads = (f"{NETWORKS[network]}, {variant.split(', ')[-1]}" for network, variant in columns)
    return table(["% of FLOPs / of latency", *heads], rows)


def utilisation() -> str:
    presets = ("default", "half", "double")

    def used(sparsity: float, preset: str) -> str:
        at = {"network": "deit_tiny", "pruning": UNPRUNED, "hardware": preset}
        return f"{100 * value('sweep', 'attention_utilisation', sparsity=sparsity, **at):.1f} %"

    rows = (
        [masks_label(sparsity), *(used(sparsity, one) for one in presets)]
        for sparsity in (0, *SPARSITIES)
    )
    return table(["sparsity", *presets], rows)


def balance() -> str:
    """DeiT-Tiny's masks with rows as the rule makes them, and balanced over the banks."""
    lanes = {"default": 8, "double": 16}

    def cells(sparsity: float, preset: str, masks: str) -> list[str]:
        at = {"network": "deit_tiny", "sparsity": sparsity, "hardware": preset, "masks": masks}
        of = select("balance", pruning=UNPRUNED, **at).iloc[0]
        pruned = select("balance", pruning=DEFAULT_NAME, **at).iloc[0]
        busy = f"{100 * of.attention_utilisation:.1f} %"
        return [
            f"{of.attention_cycles:,}",
            busy,
            f"{of.total_cycles:,}",
            f"{pruned.total_cycles:,}",
        ]

    rows = (
        [
            str(count) if sparsity == SPARSITIES[0] and masks == "vitcod" else "",
            percent(sparsity) if masks == "vitcod" else "",
            f"`{masks}`",
            *cells(sparsity, preset, masks),
        ]
        for preset, count in lanes.items()
        for sparsity in SPARSITIES
        for masks in ("vitcod", f"vitcod+lanes={count}")
    )
    heads = ["lanes", "sparsity", "masks", "attention, cycles", "array busy in it"]
    return table([*heads, "cycles", "cycles, pruned"], rows)


def any_network() -> str:
    """Runs of networks other than the three that accelerators are compared by."""
    runs = select("rtl_runs", rate=64, cores=1)
    rows = (
        [
            f"`{run.model}`",
            kind(run.sparsity, prune=run.prune),
            run.config,
            f"{run.cycles:,}",
            f"{run.cycles_model:,}",
            f"{run.mismatches} of {run.compared:,}",
            f"{run.cycles / run.mac_bound_cycles:.3f}",
        ]
        for run in runs[~runs.model.isin(NETWORKS)].itertuples()
    )
    heads = ["network", "", "preset", "cycles, RTL", "cycle model", "mismatches"]
    return table([*heads, "of the MAC bound"], rows)


def runs() -> str:
    def lines() -> Iterator[list[str]]:
        for network, title in NETWORKS.items():
            for sparsity, prune in ((0.0, False), (0.8, False), (0.8, True)):
                at = {"model": network, "sparsity": sparsity, "prune": prune, "strategy": "vitcod"}
                fast = select("rtl_runs", rate=64, cores=1, **at).iloc[0]
                slow = select("rtl_runs", rate=16, cores=1, **at).iloc[0]
                yield [
                    title if sparsity == 0 else "",
                    kind(sparsity, prune=prune),
                    f"{fast.cycles:,}",
                    f"{fast.cycles_model:,}",
                    str(fast.mismatches),
                    f"{fast.cycles / fast.mac_bound_cycles:.3f}",
                    f"{slow.cycles:,}",
                    f"{fast.axi_read_bytes / 1e6:.1f}",
                    f"{fast.wall_seconds:.0f} s",
                ]

    heads = ["network", "", "cycles, RTL", "cycle model", "mismatches", "of the MAC bound"]
    return table([*heads, "cycles at 16 bytes", "read, MB", "wall time"], lines())


def balanced_in_rtl() -> str:
    """Runs of masks with balanced rows."""
    runs = select("rtl_runs")
    rows = (
        [
            NETWORKS[run.model],
            f"`{run.strategy}`, {kind(run.sparsity, prune=run.prune)}",
            f"{run.cycles:,}",
            f"{run.cycles_model:,}",
            f"{run.mismatches} of {run.compared:,}",
            f"{run.cycles / run.mac_bound_cycles:.3f}",
        ]
        for run in runs[runs.strategy.str.contains("+lanes=", regex=False)].itertuples()
    )
    heads = ["network", "", "cycles, RTL", "cycle model", "mismatches"]
    return table([*heads, "of the MAC bound"], rows)


def layers() -> str:
    rows = (
        [
            row.preset,
            f"{row.macs:,}",
            f"{row.compared:,}",
            str(row.mismatches),
            f"{row.cycles_rtl:,}",
            f"{row.cycles_model:,}",
            f"{100 * row.attention_utilisation:.1f} %",
        ]
        for row in MEASUREMENTS["demo"].rows().itertuples()
    )
    heads = ["preset", "MACs", "values", "mismatches", "cycles, RTL", "cycle model"]
    return table([*heads, "array busy in attention"], rows)


def calibration() -> str:
    rows = []
    groups = MEASUREMENTS["calibration"].rows().groupby(["seed", "cores"], dropna=False)
    for (seed, cores), of in groups:
        fixed, stalls = (of[of.memory == name].iloc[0] for name in ("fixed_memory", "random_stall"))
        rows.append(
            [
                str(seed),
                "drawn" if pd.isna(cores) else f"{cores:.0f}",
                f"{fixed.cases:.0f}",
                f"{fixed.cycles_rtl:,.0f}",
                f"{fixed.cycles_model:,.0f}",
                f"{100 * fixed.largest_relative_error:g} %",
                f"{stalls.cases:.0f}",
                f"{100 * stalls.largest_relative_error:.2f} %",
            ]
        )
    heads = ["seed", "cores", "cases", "cycles, RTL", "cycle model", "largest error of a counter"]
    return table([*heads, "cases, random stalls", "largest error of cycles"], rows)


def bench() -> str:
    rows = (
        [
            f"`{row.run}`",
            f"{row.cycles:,}",
            f"{row.rtl_seconds:.0f} s",
            f"{1000 * row.model_seconds:.1f} ms",
            f"{row.times_faster:,.0f}",
        ]
        for row in MEASUREMENTS["bench"].rows().itertuples()
    )
    return table(["run", "cycles", "RTL simulation", "cycle model", "times faster"], rows)
