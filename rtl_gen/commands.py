"""Commands of the hardware: write its Verilog, synthesize it, list the presets."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from rtl_gen.accelerator import Accelerator
from rtl_gen.config import PRESETS, get_config
from rtl_gen.emit.files import TOP, write_rtl
from rtl_gen.emit.verilog import emit
from rtl_gen.errors import UserError
from rtl_gen.files import make_folder, write_if_changed
from rtl_gen.synthesis.flow import Placement, show, synthesize
from rtl_gen.synthesis.units import find, units

Config = Annotated[str, typer.Option("--config", help="Name of the preset.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Replace one choice; may be repeated."),
]


def rtl(
    config: Config = "default",
    set_: Overrides = None,
    out: Annotated[Path, typer.Option(help="Folder that gets one folder a configuration.")] = Path(
        "build/rtl"
    ),
) -> None:
    """Write accelerator.v and manifest.json of one configuration."""
    overrides = parse_overrides(set_ or [])
    choice = get_config(config, **overrides)
    folder = _folder(out, config, overrides)
    for path, written in write_rtl(choice, folder, (config, overrides)):
        print(f"{path}: {'written' if written else 'unchanged'}, {path.stat().st_size:,} bytes")


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
    target: Annotated[
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
    overrides = parse_overrides(set_ or [])
    choice = get_config(config, **overrides)
    console = Console()
    with console.status("writing the Verilog") as status:
        design = emit(Accelerator(choice), TOP)
        chosen = [find(design, unit)] if unit else units(design)
        folder = _folder(out, config, overrides) / (unit or ".")
        make_folder(folder)
        result = synthesize(
            design,
            chosen,
            chosen[0].module if unit else TOP,
            folder=folder,
            placement=Placement(target_mhz=target, speed_grade=speed_grade, seed=seed)
            if place
            else None,
            each=each,
            progress=status.update,
        )
    identity = {
        "preset": config,
        "overrides": overrides,
        "config_digest": choice.digest(),
        "unit": unit,
    }
    path = folder / "synth.json"
    write_if_changed(path, json.dumps(identity | result, indent=2) + "\n")
    show(console, result)
    console.print(str(path))
    return identity | result


def presets() -> dict[str, dict[str, int]]:
    """List the presets and their choices."""
    table = Table("preset", *(name.replace("_", " ") for name in PRESETS["default"].as_dict()))
    for name, preset in PRESETS.items():
        table.add_row(name, *map(str, preset.as_dict().values()))
    Console().print(table)
    return {name: preset.as_dict() for name, preset in PRESETS.items()}


def _folder(out: Path, preset: str, overrides: dict[str, int]) -> Path:
    """That of one configuration."""
    return out / "-".join([preset, *(f"{name}{value}" for name, value in overrides.items())])


def parse_overrides(settings: list[str]) -> dict[str, int]:
    """Choices by name, of `--set`."""
    overrides = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if not value.isdecimal():
            raise UserError(f"--set {setting}: expected NAME=VALUE with a whole number as VALUE")
        overrides[name] = int(value)
    return dict(sorted(overrides.items()))
