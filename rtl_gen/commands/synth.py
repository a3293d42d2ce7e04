"""Cells and clock frequency of a configuration on programmable logic."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from rtl_gen.commands.options import Config, Overrides, Unit
from rtl_gen.commands.synthesis import synthesize_units
from rtl_gen.errors import UserError
from rtl_gen.synthesis.ecp5 import Ecp5Flow, Placement
from rtl_gen.synthesis.xilinx import XilinxFlow


class FlowName(StrEnum):
    """Flows for programmable logic."""

    ECP5 = "ecp5"
    XILINX = "xilinx"


def synth(
    *,
    config: Config = "small",
    set_: Overrides = None,
    flow: Annotated[
        FlowName, typer.Option(help="ecp5 places and routes, xilinx (UltraScale+) maps.")
    ] = FlowName.ECP5,
    part: Annotated[
        str | None, typer.Option(help="UltraScale+ part, such as zu9eg, which the ZCU102 has.")
    ] = None,
    unit: Unit = None,
    place: Annotated[
        bool, typer.Option(help="Place and route what fits the ECP5, for its clock frequency.")
    ] = True,
    each: Annotated[
        bool, typer.Option(help="Place and route every unit on its own, too (minutes).")
    ] = False,
    target_mhz: Annotated[
        int, typer.Option(min=1, help="MHz that the placement aims at.")
    ] = Placement.target_mhz,
    speed_grade: Annotated[
        int, typer.Option(min=6, max=8, help="8 is the fastest.")
    ] = Placement.speed_grade,
    seed: Annotated[int, typer.Option(min=1, help="Of the placement.")] = Placement.seed,
    out: Annotated[Path, typer.Option(help="Folder that gets one folder a configuration.")] = Path(
        "build/synth"
    ),
) -> dict[str, Any]:
    """Cells of every unit on an FPGA, and on an ECP5 the clock frequency if all of it fits."""
    if flow is FlowName.XILINX:
        return synthesize_units(
            XilinxFlow(part) if part else XilinxFlow(), config, set_, unit, out / flow
        )
    if part:
        raise UserError(f"--part {part}: expected --flow xilinx with it")
    placement = Placement(target_mhz=target_mhz, speed_grade=speed_grade, seed=seed)
    chosen = Ecp5Flow(placement=placement if place else None, each=each)
    return synthesize_units(chosen, config, set_, unit, out / flow)
