"""`python -m rtl_gen`: write the Verilog of an accelerator, or list the presets."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rtl_gen import cli, verilog
from rtl_gen.accelerator import Accelerator
from rtl_gen.config import PRESETS, get_config
from rtl_gen.errors import UserError
from rtl_gen.manifest import manifest

TOP = "accelerator"

app = typer.Typer(add_completion=False, help="Generator of the hardware.")


@app.command()
def rtl(
    config: Annotated[str, typer.Option(help="Name of the preset.")] = "default",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Replace one choice; may be repeated."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder that gets one folder a configuration.")] = Path(
        "build/rtl"
    ),
) -> None:
    """Write accelerator.v and manifest.json of one configuration."""
    overrides = _parse_overrides(set_ or [])
    choice = get_config(config, **overrides)
    folder = out / "-".join([config, *(f"{name}{value}" for name, value in overrides.items())])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}") from error
    accelerator = Accelerator(choice)
    text = verilog.emit(accelerator, TOP)
    description = manifest(
        text,
        TOP,
        preset=config,
        overrides=overrides,
        config=choice,
        registers=accelerator.registers.map.as_list(),
    )
    for path, content in ((folder / f"{TOP}.v", text), (folder / "manifest.json", description)):
        written = verilog.write_if_changed(path, content)
        print(f"{path}: {'written' if written else 'unchanged'}, {len(content):,} bytes")


@app.command()
def presets() -> None:
    """List the presets and their choices."""
    table = Table("preset", *(name.replace("_", " ") for name in PRESETS["default"].as_dict()))
    for name, preset in PRESETS.items():
        table.add_row(name, *map(str, preset.as_dict().values()))
    Console().print(table)


def _parse_overrides(settings: list[str]) -> dict[str, int]:
    overrides = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if not value.isdecimal():
            raise UserError(f"--set {setting}: expected NAME=VALUE with a whole number as VALUE")
        overrides[name] = int(value)
    return dict(sorted(overrides.items()))


if __name__ == "__main__":
    cli.run(app)
