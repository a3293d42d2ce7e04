"""Area and clock frequency of a configuration in standard cells."""

from pathlib import Path
from typing import Annotated, Any

import typer

from rtl_gen.commands.options import Config, Overrides, Unit
from rtl_gen.commands.synthesis import synthesize_units
from rtl_gen.synthesis.asic import AsicFlow
from rtl_gen.synthesis.liberty import DEFAULT_LIBRARY, Library


def asic(
    *,
    config: Config = "small",
    set_: Overrides = None,
    liberty: Annotated[
        list[Path] | None,
        typer.Option(help="Liberty file of the library, gzipped or not; may be repeated. [180 nm]"),
    ] = None,
    unit: Unit = None,
    target_mhz: Annotated[
        int, typer.Option(min=1, help="MHz that the mapping aims at.")
    ] = AsicFlow.target_mhz,
    memory_ns: Annotated[
        float | None,
        typer.Option(min=0.001, help="Access time of memories. [0.4 of the target's period]"),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder that gets one folder a configuration.")] = Path(
        "build/asic"
    ),
) -> dict[str, Any]:
    """Area of every unit in standard cells and its clock before wires, memories as black boxes."""
    library = Library(liberty or [DEFAULT_LIBRARY])
    flow = AsicFlow(library=library, target_mhz=target_mhz, memory_ns=memory_ns)
    return synthesize_units(flow, config, set_, unit, out / flow.device)
