"""Tables of the documents that follow from measurements, each between two comments in its page.

<!-- table: speedup -->
<!-- end of table -->
"""

import re
from collections.abc import Callable, Iterable, Iterator

import pandas as pd

from model.schedule_file import DEFAULT_NAME, UNPRUNED
from scripts.documents.markdown import table
from scripts.documents.measurements import CELLS, MEASUREMENTS

_PLACE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->\n)", re.DOTALL)

_NETWORKS = {"deit_tiny": "DeiT-Tiny", "deit_small": "DeiT-Small", "deit_base": "DeiT-Base"}
_SPARSE = (0.5, 0.6, 0.7, 0.8)


def rewritten(page: str) -> str:
    """A page with all its tables made anew."""

    def fill(place: re.Match) -> str:
        return f"{place[1]}\n{TABLES[place[2]]()}\n{place[3]}"

    return _PLACE.sub(fill, page)


def _rows(name: str, **where: object) -> pd.DataFrame:
    """Of a measurement, those that have these values."""
    rows = MEASUREMENTS[name].rows()
    for column, value in where.items():
        rows = rows[rows[column] == value]
    return rows


def _cell(name: str, column: str, **where: object) -> float:
    """The one value; raises ValueError if there is none or several."""
    (value,) = _rows(name, **where)[column]
    return value


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _masks(sparsity: float) -> str:
    return "dense" if sparsity == 0 else f"{_percent(sparsity)}"


def _speedup() -> str:
    rows: list[list[str]] = []
    every: list[float] = []
    for network, title in _NETWORKS.items():
        for sparsity in (0.0, *_SPARSE):
            at = {"network": network, "sparsity": sparsity, "hardware": "default"}
            sparse = _cell("sweep", "total_cycles", pruning=UNPRUNED, **at)
            pruned = _cell("sweep", "total_cycles", pruning=DEFAULT_NAME, **at)
            if sparsity:
                every.append(sparse / pruned)
            name = title if sparsity == 0 else ""
            rows.append([name, _masks(sparsity), f"{sparse:,}", f"{pruned:,}"])
            rows[-1].append(f"{sparse / pruned:.3f}x")
    mean = f"**{sum(every) / len(every):.3f}x**"
    rows.append(["**mean of the twelve sparse rows**", "", "", "", mean])
    return table(["network", "sparsity", "cycles", "cycles, pruned", "speed-up"], rows)


def _readings() -> str:
    sweep = _rows("sweep", hardware="default")
    means = sweep[sweep.sparsity > 0].groupby("pruning")["speedup_over_sparse"].mean()
    places = {"after-attention": "after attention", "before-layer": "before the layer"}
    places["after-ffn"] = "after the FFN"
    rows = (
        [f"the {of} tokens", *(f"{means[f'{of}-{place}']:.3f}x" for place in places)]
        for of in ("original", "remaining")
    )
    heads = ["ratio is a fraction of", *(f"tokens go {place}" for place in places.values())]
    return table(heads, rows)


def _breakdown() -> str:
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
    heads = (f"{_NETWORKS[network]}, {variant.split(', ')[-1]}" for network, variant in columns)
    return table(["% of FLOPs / of latency", *heads], rows)


def _utilisation() -> str:
    presets = ("default", "half", "double")

    def used(sparsity: float, preset: str) -> str:
        at = {"network": "deit_tiny", "pruning": UNPRUNED, "hardware": preset}
        return f"{100 * _cell('sweep', 'attention_utilisation', sparsity=sparsity, **at):.1f} %"

    rows = (
        [_masks(sparsity), *(used(sparsity, one) for one in presets)] for sparsity in (0, *_SPARSE)
    )
    return table(["sparsity", *presets], rows)


def _runs() -> str:
    def lines() -> Iterator[list[str]]:
        for network, title in _NETWORKS.items():
            for sparsity, prune in ((0.0, False), (0.8, False), (0.8, True)):
                at = {"model": network, "sparsity": sparsity, "prune": prune, "strategy": "vitcod"}
                fast = _rows("rtl_runs", rate=64, **at).iloc[0]
                slow = _rows("rtl_runs", rate=16, **at).iloc[0]
                masks = "dense" if sparsity == 0 else f"{_percent(sparsity)} sparse"
                yield [
                    title if sparsity == 0 else "",
                    f"{masks}, pruned" if prune else masks,
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


def _drop(row: pd.Series, figure: str = "drop") -> str:
    return f"{row[figure]:+.2f} ± {row[f'{figure}_standard_error']:.2f}"


def _drops(labels: Iterable[str], **where: object) -> Iterator[str]:
    for label in labels:
        found = _rows("accuracy", masks=label, **where)
        yield _drop(found.iloc[0])


def _accuracy(*, pruned: bool) -> str:
    strategies = ("vitcod", "layer_threshold", "row_topk", "learned")
    rows = []
    for sparsity in _SPARSE:
        at = {"model": "deit_tiny", "arithmetic": "float", "pruned": pruned, "sparsity": sparsity}
        tuned = f"deit_tiny-{sparsity:g}-learned"
        rows.append([_masks(sparsity), *_drops([*strategies, tuned], **at)])
    names = (f"`{name}`" for name in strategies)
    return table(["sparsity", *names, "`learned`, fine-tuned"], rows)


def _int8() -> str:
    rows = []
    for sparsity in (0.0, *_SPARSE):
        line = [_masks(sparsity)]
        for masks in ("learned", f"deit_tiny-{sparsity:g}-learned"):
            for pruned in (False, True):
                at = {"sparsity": sparsity, "pruned": pruned, "arithmetic": "int8"}
                name = masks if sparsity else "dense"
                found = _rows("accuracy", model="deit_tiny", masks=name, **at)
                known = sparsity or masks == "learned"
                line.append(_drop(found.iloc[0], "against_float") if known else "")
        rows.append(line)
    kinds = ("`learned`", "`learned`, pruned", "fine-tuned", "fine-tuned, pruned")
    return table(["sparsity", *kinds], rows)


def _headline() -> str:
    """Sparse and pruned, from the paper's rule to the hardware's integers."""

    def line(title: str, masks: str, arithmetic: str) -> list[str]:
        drops = []
        for sparsity in _SPARSE:
            at = {"sparsity": sparsity, "pruned": True, "arithmetic": arithmetic}
            at["masks"] = masks.format(sparsity)
            drops.append(f"{_cell('accuracy', 'drop', model='deit_tiny', **at):+.1f}")
        return [title, *drops]

    return table(
        ["sparse and pruned", *map(_masks, _SPARSE)],
        [
            line("ViTCoD's rule, nothing trained", "vitcod", "float"),
            line("learned masks, nothing trained", "learned", "float"),
            line("learned masks, fine-tuned", "deit_tiny-{:g}-learned", "float"),
            line("the same in the hardware's integers", "deit_tiny-{:g}-learned", "int8"),
        ],
    )


def _digits() -> str:
    kinds = [(arithmetic, pruned) for arithmetic in ("float", "int8") for pruned in (False, True)]
    rows = []
    for sparsity in (0.0, *_SPARSE):
        of = _rows("accuracy", model="vit_digits", sparsity=sparsity)
        cells = (of[(of.arithmetic == kind) & (of.pruned == pruned)] for kind, pruned in kinds)
        rows.append([_masks(sparsity), *(_drop(cell.iloc[0]) for cell in cells)])
    heads = (f"{kind}{', pruned' if pruned else ''}" for kind, pruned in kinds)
    return table(["sparsity", *heads], rows)


def _layers() -> str:
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


def _calibration() -> str:
    rows = []
    for seed, of in MEASUREMENTS["calibration"].rows().groupby("seed"):
        fixed, stalls = (of[of.memory == name].iloc[0] for name in ("fixed_memory", "random_stall"))
        rows.append(
            [
                str(seed),
                f"{fixed.cases:.0f}",
                f"{fixed.cycles_rtl:,.0f}",
                f"{fixed.cycles_model:,.0f}",
                f"{100 * fixed.largest_relative_error:g} %",
                f"{stalls.cases:.0f}",
                f"{100 * stalls.largest_relative_error:.2f} %",
            ]
        )
    heads = ["seed", "cases", "cycles, RTL", "cycle model", "largest error of a counter"]
    return table([*heads, "cases, random stalls", "largest error of cycles"], rows)


def _bench() -> str:
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


def _synthesis() -> str:
    totals = MEASUREMENTS["synthesis"].rows().groupby("preset", sort=False)[list(CELLS)].sum()
    rows = ([preset, *(f"{cell:,}" for cell in cells)] for preset, cells in totals.iterrows())
    return table(["preset", *CELLS.values()], rows)


def _units(preset: str) -> str:
    of = _rows("synthesis", preset=preset).set_index("unit")[list(CELLS)]
    of.loc["**total**"] = of.sum()
    rows = ([unit, *(f"{cell:,}" for cell in cells)] for unit, cells in of.iterrows())
    return table(["unit", *CELLS.values()], rows)


TABLES: dict[str, Callable[[], str]] = {
    "speedup": _speedup,
    "readings": _readings,
    "breakdown": _breakdown,
    "utilisation": _utilisation,
    "runs": _runs,
    "headline": _headline,
    "accuracy": lambda: _accuracy(pruned=False),
    "accuracy-pruned": lambda: _accuracy(pruned=True),
    "int8": _int8,
    "digits": _digits,
    "layers": _layers,
    "calibration": _calibration,
    "bench": _bench,
    "synthesis": _synthesis,
    "units-small": lambda: _units("small"),
    "units-default": lambda: _units("default"),
}
"""By the name in the comment."""
