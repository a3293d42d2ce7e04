"""Standard cells: mapped by Yosys and ABC, timed by OpenSTA without wires.

Every unit is mapped module by module, its multipliers once for each size (multipliers.py), so that
none takes longer than minutes. It is then timed between the registers of a scan chain
(scan_wrapper.py), as on an FPGA. The `sram_*` modules stay black boxes: their words come
`memory_ns` after the clock edge, and what goes into them is there SETUP_SHARE of that before it.
"""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from rtl_gen.emit.verilog import Design
from rtl_gen.emit.yosys import run_yosys
from rtl_gen.files import make_folder
from rtl_gen.memory import sram
from rtl_gen.synthesis import multipliers, opensta, scan_wrapper
from rtl_gen.synthesis.liberty import Library
from rtl_gen.synthesis.technology import Counts
from rtl_gen.synthesis.timing import Timing
from rtl_gen.synthesis.units import Unit
from rtl_gen.synthesis.yosys import without_brackets

MEMORY_SHARE = 0.4
"""Of the target's period, until a memory's word is there, where nothing else is said."""

SETUP_SHARE = 0.25
"""Set-up time of a memory, of its access time."""

_ABC = """strash
dch
map -B 0.9
topo
read_constr abc.constraints
buffer -p -c -N 16
upsize
dnsize
"""
"""Mapped for delay, then buffered and sized: minutes where the script of Yosys takes far longer.
What comes into a module is buffered if ABC is told what drives it."""


@dataclass(frozen=True, kw_only=True)
class AsicFlow:
    """Gates of a library at a clock of `target_mhz`."""

    library: Library
    target_mhz: int = 200
    memory_ns: float | None = None
    """Access time of the memories; None: MEMORY_SHARE of the target's period."""

    name = "asic"
    headings = {
        "area_um2": "area, um2",
        "gates": "GE",
        "cells": "cells",
        "flip_flops": "FF",
        "sram_bits": "SRAM, bits",
    }

    @property
    def device(self) -> str:
        return self.library.name

    @property
    def access_ns(self) -> float:
        return self.memory_ns or round(MEMORY_SHARE * 1000 / self.target_mhz, 4)

    @property
    def options(self) -> dict:
        return {
            "libraries": list(self.library.texts),
            "target_mhz": self.target_mhz,
            "memory_ns": self.access_ns,
        }

    @property
    def tools(self) -> dict[str, str]:
        return {"pyosys": version("pyosys"), "opensta": opensta.tool_version()}

    @cached_property
    def gate_um2(self) -> float:
        """A gate equivalent (GE): area of the library's smallest NAND of two inputs."""
        return self._smallest("~(a & b)")[1]

    @cached_property
    def driver(self) -> str:
        """What drives the inputs of a module, as far as ABC is told: the smallest inverter."""
        return self._smallest("~a")[0]

    def _smallest(self, function: str) -> tuple[str, float]:
        """The smallest cell with the `function` of inputs a and b, and its area in um2."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self.library.write(folder)
            text = f"module gate(input a, b, output y); assign y = {function}; endmodule\n"
            (folder / "gate.v").write_text(text)
            options = self.library.options
            passes = (
                "read_verilog gate.v",
                "techmap",
                f"abc {options} -script +strash;map,-a",
                f"tee -q -o cells.json stat -json {options}",
            )
            run_yosys(f"y = {function}", passes, folder)
            found = json.loads((folder / "cells.json").read_text())["modules"]["\\gate"]
            (cell,) = found["num_cells_by_type"]
            return cell, found["area"]

    def needed(self, _counts: Counts) -> dict[str, tuple[float, int]]:
        return {}

    def unit(
        self, design: Design, unit: Unit, folder: Path, progress: Callable[[str], None]
    ) -> tuple[Counts, Timing | None]:
        make_folder(folder)
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            progress("mapping")
            counts = self._map(design, unit, work)
            progress("timing")
            timing = opensta.longest_path(
                work,
                scan_wrapper.NAME,
                libraries=list(self.library.texts),
                constraints=self._constraints(memories=counts["sram_bits"] > 0),
            )
            for file in (opensta.NETLIST, opensta.CONSTRAINTS, opensta.REPORT):
                shutil.copyfile(work / file, folder / file)
        return counts, timing

    def count(self, design: Design, unit: Unit) -> Counts:
        """What a unit takes, not timed."""
        with tempfile.TemporaryDirectory() as name:
            return self._map(design, unit, Path(name))

    def whole(self, *_) -> None:
        return None

    def _map(self, design: Design, unit: Unit, folder: Path) -> Counts:
        """Leaves library and NETLIST in the folder; returns what the unit takes."""
        self.library.write(folder)
        wrapper = scan_wrapper.wrapper(unit.module, design.modules[unit.module].ports)
        (folder / "design.sv").write_text(without_brackets(design.text + wrapper))
        (folder / "multiplier.v").write_text(multipliers.MODULE)
        (folder / "share.v").write_text(multipliers.SHARE)
        # ABC runs elsewhere.
        constraints = folder.resolve() / "abc.constraints"
        constraints.write_text(f"set_driving_cell {self.driver}\nset_load 1.0\n")
        (folder / "abc.script").write_text(_ABC.replace("abc.constraints", str(constraints)))
        passes = _passes(unit, self.library.options, 1e6 / self.target_mhz)
        run_yosys(unit.name, passes, folder)
        modules = json.loads((folder / "cells.json").read_text())["modules"]
        kinds = _cells(modules, unit.module)
        sizes = ((sram.size(kind), number) for kind, number in kinds.items())
        hard = {kind for kind in kinds if sram.size(kind) or kind in unit.without}
        area = modules["\\" + unit.module].get("area", 0)
        return {
            "area_um2": round(area, 1),
            "gates": round(area / self.gate_um2),
            "cells": sum(number for kind, number in kinds.items() if kind not in hard),
            "flip_flops": sum(kinds.get(kind, 0) for kind in self.library.flip_flops()),
            "sram_bits": sum(size[0] * size[1] * number for size, number in sizes if size),
        }

    def _constraints(self, *, memories: bool) -> str:
        """SDC: the target's clock, and the ports of the memories, which count from its edge."""
        lines = [f"create_clock -name clk -period {1000 / self.target_mhz:.4f} [get_ports clk]"]
        if memories:
            setup = SETUP_SHARE * self.access_ns
            lines += [
                f"set_input_delay {self.access_ns:.4f} -clock clk [get_ports *read_data*]",
                f"set_output_delay {setup:.4f} -clock clk [get_ports *read_address*]",
                f"set_output_delay {setup:.4f} -clock clk [get_ports *read_enable*]",
                f"set_output_delay {setup:.4f} -clock clk [get_ports *write_*]",
            ]
        return "\n".join(lines) + "\n"


def _passes(unit: Unit, libraries: str, period_ps: float) -> Iterable[str]:
    """Of Yosys: coarse, shared multipliers, gates module by module, one flat netlist."""
    top = scan_wrapper.NAME
    return (
        "read_verilog -sv -noassert design.sv",
        *(f"blackbox {other}" for other in unit.without),
        f"hierarchy -check -top {top}",
        "blackbox sram_*",
        "proc",
        # Hardware starts with a reset: a library has no flip-flops that wake up with a value.
        "setattr -unset init w:*",
        "opt_expr",
        "opt_clean",
        "wreduce",
        "techmap -map share.v",
        "read_verilog -icells -defer multiplier.v",
        f"hierarchy -top {top}",
        f"synth -top {top} -booth -run begin:fine",
        "memory_map",
        "opt -undriven -fine",
        "techmap",
        "opt",
        # An enable is logic that ABC sees: it would not buffer a net to hundreds of enables.
        "dfflegalize -cell $_DFF_P_ x",
        # A flip-flop is called after what it holds, so that paths can be read.
        r"rename -wire t:$_*DFF*",
        f"dfflibmap {libraries}",
        "opt",
        f"abc {libraries} -D {period_ps:.0f} -script abc.script",
        "setundef -zero",
        "opt_clean",
        f"tee -q -o cells.json stat -json {libraries}",
        "flatten",
        "expose -evert t:sram_*",
        *(f"expose -evert t:{other}" for other in unit.without),
        "splitnets -ports",
        "opt_clean -purge",
        f"write_verilog -noattr -noexpr -simple-lhs -nohex -nodec {opensta.NETLIST}",
    )


def _cells(modules: dict, name: str) -> Counter[str]:
    """Cells of module `name` and of those below it, from the statistics of Yosys."""
    cells: Counter[str] = Counter()
    for kind, number in modules["\\" + name]["num_cells_by_type"].items():
        inner = _cells(modules, kind) if "\\" + kind in modules else {kind: 1}
        cells.update({cell: number * each for cell, each in inner.items()})
    return cells
