"""The folder of a configuration: Verilog and what a flow needs beside it."""

from pathlib import Path
from typing import Annotated

import typer

from model.program.example import example_program
from rtl_gen.commands.options import Config, Overrides, folder_of, parse_overrides
from rtl_gen.emit.files import files_of_interest, write_rtl
from rtl_gen.presets import get_config


def rtl(
    config: Config = "default",
    set_: Overrides = None,
    out: Annotated[Path, typer.Option(help="Folder that gets one folder a configuration.")] = Path(
        "build/rtl"
    ),
) -> None:
    """Write one configuration as a folder that stands alone: Verilog, registers, driver, tests."""
    overrides = parse_overrides(set_)
    choice = get_config(config, **overrides)
    folder = folder_of(out, config, overrides)
    paths = dict(write_rtl(choice, folder, example_program, (config, overrides)))
    for path, written in files_of_interest(paths).items():
        print(f"{path}: {'written' if written else 'unchanged'}, {path.stat().st_size:,} bytes")
