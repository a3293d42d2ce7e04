"""AMD UltraScale+: mapped by Yosys, unit by unit. Nothing open places and routes it.

The mapping is `synth_xilinx -family xcup` as it comes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rtl_gen.emit.verilog import Design
from rtl_gen.synthesis import yosys
from rtl_gen.synthesis.technology import Counts
from rtl_gen.synthesis.timing import Timing
from rtl_gen.synthesis.ultrascale import ULTRASCALE, check_part
from rtl_gen.synthesis.units import Unit

COMMAND = "synth_xilinx -family xcup -noiopad -noclkbuf -flatten"
"""Of Yosys."""


@dataclass(frozen=True)
class XilinxFlow:
    """Raises UserError for a `part` that is not known."""

    part: str = "zu9eg"

    name = "xilinx"
    headings = ULTRASCALE.headings

    def __post_init__(self):
        check_part(self.part)

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
        return ULTRASCALE.needed(counts, self.part)

    def unit(
        self, design: Design, unit: Unit, _folder: Path, progress: Callable[[str], None]
    ) -> tuple[Counts, Timing | None]:
        progress("mapping")
        cells = yosys.map_cells(design.text, unit.module, COMMAND, without=unit.without)
        return ULTRASCALE.count(cells), None

    def whole(self, *_) -> None:
        return None
