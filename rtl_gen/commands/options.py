"""What the commands of the hardware share."""

from pathlib import Path
from typing import Annotated

import typer

from rtl_gen.errors import UserError

Config = Annotated[str, typer.Option("--config", help="Name of the preset.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Replace one choice; may be repeated."),
]

Unit = Annotated[
    str | None, typer.Option(help="Only this unit, such as attention or attention.softmax.")
]


def parse_overrides(settings: list[str] | None) -> dict[str, int]:
    """Choices by name, of `--set`.

    Raises:
        UserError: something else than NAME=VALUE with a whole number.
    """
    overrides = {}
    for setting in settings or []:
        name, _, value = setting.partition("=")
        if not value.isdecimal():
            raise UserError(f"--set {setting}: expected NAME=VALUE with a whole number as VALUE")
        overrides[name] = int(value)
    return dict(sorted(overrides.items()))


def folder_of(out: Path, preset: str, overrides: dict[str, int]) -> Path:
    """That of one configuration."""
    return out / "-".join([preset, *(f"{name}{value}" for name, value in overrides.items())])
