"""The configurations that are synthesised for the model of the area.

Most are small, since a large one takes a quarter of an hour and more. Another one is a line here
and `make area-data`.
"""

from dataclasses import replace

from rtl_gen.config import AcceleratorConfig
from rtl_gen.presets import PRESETS

_CHOSEN: tuple[tuple[str, dict[str, int]], ...] = (
    ("tiny", {}),
    ("small", {}),
    ("small", {"bus_bytes": 4, "max_heads": 16, "cores": 4}),
    ("small", {"address_bits": 40, "stream_beats": 1024, "cores": 2}),
    ("tiny", {"max_tokens": 88, "max_heads": 1, "max_dim": 56, "stream_beats": 32}),
    ("small", {"lanes": 8}),
    ("small", {"lanes": 2, "max_tokens": 198}),
    ("half", {}),
    ("tiny", {"parity": 1}),
    ("small", {"parity": 1}),
)
"""Presets, and what is replaced in them."""


def samples() -> dict[str, AcceleratorConfig]:
    """By name."""
    return {
        " ".join([preset, *(f"{name}={value}" for name, value in changes.items())]): replace(
            PRESETS[preset], **changes
        )
        for preset, changes in _CHOSEN
    }
