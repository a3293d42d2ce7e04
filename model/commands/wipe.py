"""The program that wipes the memories on the chip."""

from pathlib import Path
from typing import Annotated

import typer

from model.program.wipe import wipe_image
from rtl_gen.files import replace_file
from rtl_gen.presets import get_config


def wipe_command(
    *,
    config: Annotated[str, typer.Option(help="Preset.")] = "default",
    out: Annotated[Path, typer.Option(help="Folder of the files.")] = Path("build/wipe"),
) -> None:
    """The program that overwrites what earlier ones left on the chip, and its JSON map."""
    image = wipe_image(get_config(config))
    path = out / f"{config}.bin"
    with replace_file(path) as file:
        file.write(image.data.tobytes())
    image.write_map(path.with_suffix(".json"))
    print(f"{path}: {len(image.data):,} bytes, {len(image.commands)} commands")
