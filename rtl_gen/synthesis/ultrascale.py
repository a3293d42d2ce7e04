"""AMD UltraScale+: what mapped cells count as, and what parts have.

Figures of parts: AMD DS890, UltraScale Architecture and Product Data Sheet, and DS987 for the K26.
"""

from rtl_gen.errors import UserError
from rtl_gen.synthesis.technology import Technology

_COLUMNS = ("luts", "flip_flops", "dsps", "block_rams")

_IN_LUTS = {
    **dict.fromkeys(("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "SRL16E", "SRLC32E"), 1),
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "RAM32X16DR8": 8,
    "RAM64X8SW": 8,
}
"""Tables that logic, shift registers and distributed RAM take (AMD UG974)."""

ULTRASCALE = Technology(
    headings={"luts": "LUT", "flip_flops": "FF", "dsps": "DSP48E2", "block_rams": "RAMB36"},
    cells={
        **{cell: ("luts", number) for cell, number in _IN_LUTS.items()},
        **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), ("flip_flops", 1)),
        "DSP48E2": ("dsps", 1),
        "RAMB36E2": ("block_rams", 1),
        "RAMB18E2": ("block_rams", 0.5),
    },
    takes={column: {column: 1} for column in _COLUMNS},
    parts={
        part: dict(zip(_COLUMNS, numbers, strict=True))
        for part, numbers in {
            "zu3eg": (70560, 141120, 360, 216),
            "k26": (117120, 234240, 1248, 144),
            "zu7ev": (230400, 460800, 1728, 312),
            "zu9eg": (274080, 548160, 2520, 912),
            "vu9p": (1182240, 2364480, 6840, 2160),
        }.items()
    },
)
BOARDS = {"zu3eg": "Ultra96", "k26": "KV260", "zu7ev": "ZCU104", "zu9eg": "ZCU102", "vu9p": "F1"}
"""A board with the part."""


def check_part(part: str) -> None:
    """Raise UserError with the choices unless this part is known."""
    if part not in ULTRASCALE.parts:
        known = ", ".join(f"{part} ({board})" for part, board in BOARDS.items())
        raise UserError(f"unknown part {part!r}: expected one of {known}")
