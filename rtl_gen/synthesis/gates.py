"""Netlists that simulate: a module as cells of a technology, with models of these cells.

The mapping is that of the flows (ecp5.py, xilinx.py), save that memories become distributed RAM
and, for UltraScale+, multipliers become logic: of block RAM and DSP48E2 there are no open models.
The models are those of Yosys. Their registers wake up with X here, as silicon that nobody has reset
may hold anything. Memories wake up with random words: attention reads the values of a lane that has
no token and multiplies them by 0, which is 0 of every word, but X of X.
"""

import random
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyosys

from rtl_gen.emit.verilog import Design, module_texts
from rtl_gen.emit.yosys import run_yosys
from rtl_gen.synthesis import ecp5, xilinx
from rtl_gen.synthesis.yosys import without_brackets

_SHARE = Path(pyosys.__file__).parent / "share"

_POWER_UP = re.compile(r"^\s*initial Q\b.*;$", re.M)
"""Of a register's model."""

_MEMORY = re.compile(r"^  (?:TRELLIS_DPR|RAM)\w+ #\(\n.*?^  \) ", re.M | re.S)
"""A memory's cell in a netlist, with its parameters."""

_UNKNOWN = re.compile(r"'(?:h[\da-f]*x[\dxa-f]*|b[01]*x[01x]*)")
"""A parameter that is not known in full."""

_MULT18X18D = """
module MULT18X18D(
{ports});
  parameter CLK0_DIV = "ENABLED";
  wire signed [18:0] a = {{SIGNEDA & A17, {a}}};
  wire signed [18:0] b = {{SIGNEDB & B17, {b}}};
  wire signed [37:0] product = a * b;
  assign {{{p}}} = product[35:0];
endmodule
"""
"""Without its registers, which the mapping does not use."""


@dataclass(frozen=True)
class Cells:
    """How Yosys maps to them, and their models: files of Yosys, and a text."""

    command: str
    models: tuple[str, ...]
    own: str = ""


def _bits(name: str, count: int) -> str:
    return ", ".join(f"{name}{bit}" for bit in reversed(range(count)))


TECHNOLOGIES = {
    "ecp5": Cells(
        f"{ecp5.COMMAND} -nobram",
        ("lattice/common_sim.vh", "lattice/ccu2c_sim.vh"),
        _MULT18X18D.format(
            ports=f"  input {_bits('A', 18)}, {_bits('B', 18)}, {_bits('C', 18)},\n"
            "  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,\n"
            f"  output {_bits('P', 36)}\n",
            a=_bits("A", 18),
            b=_bits("B", 18),
            p=_bits("P", 36),
        ),
    ),
    "xilinx": Cells(
        f"{xilinx.COMMAND} -nobram -nodsp",
        ("xilinx/cells_sim.v",),
    ),
}


def gates(design: Design, module: str, technology: str, *, seed: int = 0) -> Design:
    """The design with one of its modules, and all that is below it, as cells.

    Assertions of what is mapped are gone; `seed` draws what memories wake up with. Raises
    RuntimeError with the log of Yosys if that fails.
    """
    kind = TECHNOLOGIES[technology]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "design.sv").write_text(without_brackets(design.text))
        run_yosys(
            module,
            (
                "read_verilog -sv -noassert design.sv",
                f"{kind.command} -top {module}",
                "write_verilog -noattr netlist.v",
            ),
            folder,
        )
        netlist = _with_words((folder / "netlist.v").read_text(), random.Random(seed))
    models = kind.own + "".join((_SHARE / model).read_text() for model in kind.models)
    cells = _POWER_UP.sub("", "".join(_needed(netlist, models)))
    return replace(design, logic=_without(design, module) + netlist + cells, srams="")


def _with_words(netlist: str, rng: random.Random) -> str:
    """The netlist with random digits for the unknown ones in its memories."""

    def known(parameter: re.Match) -> str:
        digits = "01" if parameter[0].startswith("'b") else "0123456789abcdef"
        return re.sub("x", lambda _: rng.choice(digits), parameter[0])

    return _MEMORY.sub(lambda cell: _UNKNOWN.sub(known, cell[0]), netlist)


def _needed(netlist: str, models: str) -> Iterator[str]:
    """Of the modules in `models`, those that the netlist names, and those named by these."""
    known = module_texts(models)
    while found := sorted(set(re.findall(r"\w+", netlist)) & set(known)):
        netlist = "\n".join(known.pop(name) for name in found)
        yield netlist + "\n"


def _without(design: Design, module: str) -> str:
    """The logic of the design but for a module and those below it."""
    below, found = [module], set()
    while below:
        found.add(one := below.pop())
        below += design.modules[one].instances.values()
    logic, texts = design.logic, module_texts(design.logic)
    for name in found:
        logic = logic.replace(texts[name] + "\n", "")
    return logic
