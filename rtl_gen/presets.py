"""Presets: configurations with names, written as differences from the default."""

import dataclasses

from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError

DEFAULT = AcceleratorConfig()

PRESETS: dict[str, AcceleratorConfig] = {
    "default": DEFAULT,
    "half": dataclasses.replace(DEFAULT, lanes=4, bus_bytes=32),
    "double": dataclasses.replace(DEFAULT, lanes=16),
    "large": dataclasses.replace(DEFAULT, max_tokens=1024, max_heads=16),
    "wide": dataclasses.replace(
        DEFAULT, lanes=4, width=128, max_tokens=257, max_heads=16, max_dim=1280
    ),
    "small": AcceleratorConfig(
        lanes=4, width=16, max_tokens=50, max_heads=3, max_dim=48, bus_bytes=16, row_slots=8
    ),
    "tiny": AcceleratorConfig(
        lanes=2, width=8, max_tokens=17, max_heads=2, max_dim=16, bus_bytes=4, row_slots=4
    ),
}


def get_config(name: str, **overrides: int) -> AcceleratorConfig:
    """The preset `name` with some choices replaced."""
    if name not in PRESETS:
        raise UserError(f"unknown preset {name!r}: expected one of {', '.join(PRESETS)}")
    known = {field.name for field in dataclasses.fields(AcceleratorConfig)}
    for key in overrides:
        if key not in known:
            raise UserError(f"unknown choice {key!r}: expected one of {', '.join(sorted(known))}")
    return dataclasses.replace(PRESETS[name], **overrides)


def nearest_preset(config: AcceleratorConfig) -> tuple[str, dict[str, int]]:
    """The preset that differs in the fewest choices, and these choices of the configuration."""

    def changes(preset: str) -> dict[str, int]:
        base = PRESETS[preset].as_dict()
        return {name: value for name, value in config.as_dict().items() if value != base[name]}

    nearest = min(PRESETS, key=lambda preset: len(changes(preset)))
    return nearest, changes(nearest)
