"""AMD UltraScale+: mapped by Yosys, unit by unit. Nothing open places and routes it.

The mapping is `synth_xilinx -family xcup` as it comes. Figures of parts: AMD DS890, UltraScale
Architecture and Product Data Sheet, and DS987 for the K26.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rtl_gen.emit.verilog import Design
from rtl_gen.errors import UserError
from rtl_gen.synthesis import yosys
from rtl_gen.synthesis.technology import Counts, Technology
from rtl_gen.synthesis.timing import Timing
from rtl_gen.synthesis.units import Unit

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

XILINX = Technology(
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


@dataclass(frozen=True)
class XilinxFlow:
    """Raises UserError for a `part` that is not known."""

    part: str = "zu9eg"

    name = "xilinx"
    headings = XILINX.headings

    def __post_init__(self):
        if self.part not in XILINX.parts:
            known = ", ".join(f"{part} ({board})" for part, board in BOARDS.items())
            raise UserError(f"unknown part {self.part!r}: expected one of {known}")

    @property
    def device(self) -> str:
        return self.part

    @property
    def options(self) -> dict:
        return {}

    @property
    def tools(self) -> dict[str, str]:
        return {"pyosys": version("pyosys")}

    def needed(self, counts: Counts) -> dict[str, tuple[float, int]]:
        return XILINX.needed(counts, self.part)

    def unit(
        self, design: Design, unit: Unit, _folder: Path, progress: Callable[[str], None]
    ) -> tuple[Counts, Timing | None]:
        progress("mapping")
        command = "synth_xilinx -family xcup -noiopad -noclkbuf -flatten"
        cells = yosys.map_cells(design.text, unit.module, command, without=unit.without)
        return XILINX.count(cells), None

    def whole(self, *_) -> None:
        return None
