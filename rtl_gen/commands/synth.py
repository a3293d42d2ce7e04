"""Cells and clock frequency of a configuration."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from rtl_gen.accelerator import Accelerator
from rtl_gen.commands.options import Config, Overrides, folder_of, parse_overrides
from rtl_gen.config import get_config
from rtl_gen.emit.files import TOP
from rtl_gen.emit.verilog import emit
from rtl_gen.files import make_folder, write_if_changed
from rtl_gen.json_file import json_text
from rtl_gen.progress import status
from rtl_gen.synthesis.flow import Placement, show, synthesize
from rtl_gen.synthesis.units import find, units


def synth(
    *,
    config: Config = "small",
    set_: Overrides = None,
    unit: Annotated[
        str | None, typer.Option(help="Only this unit, such as attention or attention.softmax.")
    ] = None,
    place: Annotated[
        bool, typer.Option(help="Place and route what fits the device, for its clock frequency.")
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
    """Cells of every unit on a LFE5U-85F, and the clock frequency if all of it fits."""
    overrides = parse_overrides(set_)
    choice = get_config(config, **overrides)
    console = Console()
    with status("writing the Verilog") as say:
        design = emit(Accelerator(choice), TOP)
        chosen = [find(design, unit)] if unit else units(design)
        folder = folder_of(out, config, overrides) / (unit or ".")
        make_folder(folder)
        result = synthesize(
            design,
            chosen,
            chosen[0].module if unit else TOP,
            folder=folder,
            placement=Placement(target_mhz=target_mhz, speed_grade=speed_grade, seed=seed)
            if place
            else None,
            each=each,
            progress=say,
        )
    identity = {
        "preset": config,
        "overrides": overrides,
        "config_digest": choice.digest(),
        "unit": unit,
    }
    path = folder / "synth.json"
    write_if_changed(path, json_text(identity | result))
    show(console, result)
    console.print(str(path))
    return identity | result
