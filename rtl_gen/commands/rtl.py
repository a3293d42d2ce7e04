"""The Verilog of a configuration."""

from pathlib import Path
from typing import Annotated

import typer

from rtl_gen.commands.options import Config, Overrides, folder_of, parse_overrides
from rtl_gen.config import get_config
from rtl_gen.emit.files import write_rtl


def rtl(
    config: Config = "default",
    set_: Overrides = None,
    out: Annotated[Path, typer.Option(help="Folder that gets one folder a configuration.")] = Path(
        "build/rtl"
    ),
) -> None:
    """Write accelerator.v and manifest.json of one configuration."""
    overrides = parse_overrides(set_)
    choice = get_config(config, **overrides)
    folder = folder_of(out, config, overrides)
    for path, written in write_rtl(choice, folder, (config, overrides)):
        print(f"{path}: {'written' if written else 'unchanged'}, {path.stat().st_size:,} bytes")
