"""The presets."""

from rich.console import Console
from rich.table import Table

from rtl_gen.presets import PRESETS


def presets() -> dict[str, dict[str, int]]:
    """List the presets and their choices."""
    table = Table("preset", *(name.replace("_", " ") for name in PRESETS["default"].as_dict()))
    for name, preset in PRESETS.items():
        table.add_row(name, *map(str, preset.as_dict().values()))
    Console().print(table)
    return {name: preset.as_dict() for name, preset in PRESETS.items()}
