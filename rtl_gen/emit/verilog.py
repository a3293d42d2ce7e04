"""Verilog-2005 text from an Amaranth component.

Amaranth writes RTLIL and Yosys (the `pyosys` package) turns it into Verilog that every tool reads:
assignments without a combinational process, which a simulator might not wake at time 0; clocked
processes for registers; memories as arrays; no attributes, and no names of wires that nothing uses.
A struct port is one flat vector with the first field in the low bits; a port inside an interface is
named with double underscores, such as `scores__payload`; a stream that is always taken has no
`ready`. The clock is `clk`, the synchronous reset `rst`.

An Amaranth `Assert` becomes a process that says `message` and calls `$stop`; synthesis (SYNTHESIS
defined) sees none. Only clocked assertions (`m.d.sync`) are accepted: a combinational one would
fire on glitches.

A memory whose words are all zero at power-up is left without contents, because SRAM holds anything.

The bytes depend on the component and on the two tools' versions alone. What is in the modules comes
from Yosys, too.
"""

import gc
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Const, Fragment, Value
from amaranth.lib import wiring

from rtl_gen.emit.yosys import run_yosys
from rtl_gen.memory import sram

_PASSES = (
    "read_rtlil design.il",
    "proc -norom",
    "pmuxtree",
    f"techmap -autoproc -map {Path(__file__).with_name('whole_shift.v')}",
    "opt_expr -fine",
    "opt_clean -purge",
    "write_verilog -noattr -norename design.v",
    # Of the rest ports, instances and memories; without processes there are memories as cells.
    "memory_collect",
    "select x:* t:* t:$* %d %u t:$mem_v2 %u",
    "write_json -selected design.json",
)

_ZERO_CONTENTS = re.compile(r"^  initial begin\n(?:    \S+ ?\[\d+\] = \d+'h0+;\n)+  end\n", re.M)

_INITIAL_VALUE = re.compile(r"^(  reg (?:signed )?(?:\[\d+:\d+\] )?(\\\S+ |\w+)) = (\S+);$", re.M)

_PROCESS = re.compile(r"^  always @\(posedge clk\) begin\n.*?^  end\n", re.M | re.S)

_CHECK = re.compile(
    r"""    if \((?P<enable>[^\n]*)\) begin
      if \(!(?P<holds>[^\n]*)\)
        \$write\((?P<message>"[^\n]*")\);
      assert \((?P=holds)\);
    end
"""
)
"""An assertion with its message, as Yosys writes it: when it is looked at, what has to hold."""

_STOP = r"""    if (\g<enable> && \g<holds> !== 1'h1) begin
      $display(\g<message>);
      $stop;
    end
"""


_MODULE = re.compile(r"^module (?:\\(\S+) |(\w+))\s*[#(;].*?^endmodule$", re.M | re.S)


def module_texts(verilog: str) -> dict[str, str]:
    """Definitions of the modules in a text, by plain name."""
    return {found[1] or found[2]: found[0] for found in _MODULE.finditer(verilog)}


@dataclass(frozen=True)
class Port:
    """One port of a module: `direction` is "input" or "output", `width` in bits."""

    name: str
    direction: str
    width: int


@dataclass(frozen=True)
class Memory:
    """A memory of the design: `depth` words of `width` bits; a table is not `writable`."""

    name: str
    depth: int
    width: int
    writable: bool


@dataclass(frozen=True)
class Contents:
    """What is in a module. Names are plain, without the backslash of an escaped one."""

    ports: tuple[Port, ...]
    """In order of name."""
    instances: Mapping[str, str]
    """Module by instance. An SRAM is a memory, and none of them."""
    memories: tuple[Memory, ...]
    srams: tuple[str, ...] = ()
    """Names of the modules of the memories that are ones of their own, one an instance."""


@dataclass(frozen=True)
class Design:
    """Verilog of a component as module `name`, and what is in every module of the `logic`.

    `srams` defines the memories that are modules of their own, see rtl_gen/memory/sram.py.
    """

    name: str
    logic: str
    modules: Mapping[str, Contents]
    srams: str = ""

    @property
    def text(self) -> str:
        """All of it."""
        return self.logic + self.srams

    @property
    def ports(self) -> tuple[Port, ...]:
        """Of the component."""
        return self.modules[self.name].ports

    @property
    def memories(self) -> list[Memory]:
        """All of them, in order of hierarchical name: `bank_9` before `bank_10`."""
        return sorted(self._below(self.name, self.name), key=lambda memory: _by_number(memory.name))

    def _below(self, module: str, path: str) -> Iterator[Memory]:
        contents = self.modules[module]
        for memory in contents.memories:
            yield replace(memory, name=f"{path}.{memory.name}")
        for instance, child in contents.instances.items():
            yield from self._below(child, f"{path}.{instance}")


def emit(
    component: wiring.Component, name: str, change: Callable[[Fragment], None] | None = None
) -> Design:
    """`component` as module `name`, with its submodules; `change` adds to what it consists of.

    Raises RuntimeError with the log of Yosys if that fails, ValueError for an Assert that is
    combinational or has no message.
    """
    with _without_collection():
        fragment = Fragment.get(component, sram.VERILOG)
        if change is not None:
            change(fragment)
        rtl = rtlil.convert(
            fragment, name=name, platform=sram.VERILOG, ports=_ports(component), emit_src=False
        )
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        (folder / "design.il").write_text(rtl)
        run_yosys(name, _PASSES, folder)
        text = (folder / "design.v").read_text()
        modules = json.loads((folder / "design.json").read_text())["modules"]
    tools = f"Amaranth {version('amaranth')} and Yosys {version('pyosys')}"
    text = f"// Module {name}, generated by {tools}\n" + _finished(name, text).split("\n", 1)[1]
    contents = {module: _contents(module, modules) for module in modules}
    srams = {name for module in contents.values() for name in module.srams}
    return Design(name, text, contents, sram.definitions(srams))


@contextmanager
def _without_collection() -> Iterator[None]:
    """No search for garbage while a netlist of millions of objects grows: it takes a third of the
    time and finds nothing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _ports(component: wiring.Component) -> dict[str, tuple[Value, None]]:
    """The component's ports by name; one that is a constant, such as `ready` of a stream that is
    always taken, or that has no bits, such as the address of a single word, is none.
    """
    flat = component.signature.flatten(component)
    values = {"__".join(map(str, path)): Value.cast(value) for path, _, value in flat}
    return {
        name: (value, None)
        for name, value in values.items()
        if len(value) and not isinstance(value, Const)
    }


def _finished(name: str, text: str) -> str:
    """The text of Yosys with assertions that stop, memories without zeros, and in the words that
    linters ask for: `~|` of a vector instead of `!`, initial values apart from declarations.
    """
    text = _PROCESS.sub(_stopping, text)
    if re.search(r"^ +assert \(", text, re.M):
        if re.search(r"always @\*\s+if \([^\n]*\) begin\s[^;]*;?\s*assert", text):
            raise ValueError(f"{name}: an Assert in m.d.comb fires on glitches; put it in m.d.sync")
        raise ValueError(f"{name}: an Assert without a message: say what does not hold")
    text = _INITIAL_VALUE.sub(r"\1;\n  initial \2 = \3;", text)
    text = _ZERO_CONTENTS.sub("", text.replace(" = ! ", " = ~| "))
    return re.sub(r" +$", "", text, flags=re.M)


def _stopping(process: re.Match) -> str:
    """A process with its assertions as they stop a simulation."""
    if "assert (" not in process[0]:
        return process[0]
    stopping = _CHECK.sub(_STOP, process[0]).replace("(1'h1 && ", "(")
    return f"`ifndef SYNTHESIS\n{stopping}`endif\n"


def _contents(name: str, modules: dict) -> Contents:
    """Of a module, from the JSON of Yosys."""
    ports, cells = modules[name]["ports"], modules[name]["cells"]
    return Contents(
        tuple(Port(p, ports[p]["direction"], len(ports[p]["bits"])) for p in sorted(ports)),
        {cell: values["type"] for cell, values in cells.items() if values["type"] in modules},
        tuple(filter(None, (_memory(cell, values) for cell, values in cells.items()))),
        tuple(values["type"] for values in cells.values() if sram.size(values["type"])),
    )


def _memory(name: str, cell: dict) -> Memory | None:
    if size := sram.size(cell["type"]):
        return Memory(f"{name}.{sram.WORDS}", *size[:2], writable=True)
    if cell["type"] != "$mem_v2":
        return None
    depth, width, writers = (int(cell["parameters"][k], 2) for k in ("SIZE", "WIDTH", "WR_PORTS"))
    return Memory(name, depth, width, writable=writers > 0)


def _by_number(name: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
