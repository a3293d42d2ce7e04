"""The configurations that are synthesised: what the model is fitted on, and what it never sees.

They are small, since a large one takes a quarter of an hour; the largest show how far the fit
reaches.
"""

from collections.abc import Iterable
from dataclasses import replace

from rtl_gen.config import AcceleratorConfig
from rtl_gen.presets import PRESETS

_TRAINING: tuple[tuple[str, dict[str, int]], ...] = (
    ("tiny", {}),
    ("small", {}),
    ("small", {"bus_bytes": 4, "max_heads": 16, "cores": 4}),
    ("small", {"address_bits": 40, "stream_beats": 1024, "cores": 2}),
    ("small", {"lanes": 8}),
    ("half", {}),
    ("small", {"max_tokens": 198, "max_dim": 384, "max_heads": 6}),
    ("small", {"lanes": 2}),
    ("default", {}),
)
_HELD_BACK: tuple[tuple[str, dict[str, int]], ...] = (
    (
        "tiny",
        {"max_tokens": 88, "max_heads": 1, "max_dim": 56, "stream_beats": 32},
    ),
    (
        "small",
        {
            "lanes": 2,
            "width": 32,
            "max_tokens": 45,
            "max_heads": 5,
            "max_dim": 192,
            "bus_bytes": 32,
        },
    ),
    (
        "small",
        {"width": 32, "max_tokens": 136, "max_dim": 448, "bus_bytes": 4, "row_slots": 16},
    ),
    ("half", {"max_tokens": 197, "max_dim": 384, "max_heads": 6}),
    ("default", {"max_tokens": 197, "max_dim": 192, "max_heads": 3}),
)


def training() -> dict[str, AcceleratorConfig]:
    """By name: what the model is fitted on."""
    return _named(_TRAINING)


def held_back() -> dict[str, AcceleratorConfig]:
    """By name: what the model never sees."""
    return _named(_HELD_BACK)


def _named(choices: Iterable[tuple[str, dict[str, int]]]) -> dict[str, AcceleratorConfig]:
    return {
        " ".join([preset, *(f"{name}={value}" for name, value in changes.items())]): replace(
            PRESETS[preset], **changes
        )
        for preset, changes in choices
    }
