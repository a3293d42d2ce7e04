"""Netlists that simulate: what is mapped and what stays, and what registers and memories wake up
with.
"""

import re

import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.common.pipeline import register
from rtl_gen.emit.verilog import emit
from rtl_gen.memory.row_memory import RowMemory
from rtl_gen.synthesis.gates import TECHNOLOGIES, gates


class _Product(wiring.Component):
    def __init__(self):
        super().__init__({"a": In(8), "b": In(8), "p": Out(16)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.p.eq(register(m, self.a * self.b, name="product", reset_less=False))
        return m


class _Outer(wiring.Component):
    def __init__(self):
        super().__init__({"a": In(8), "p": Out(16)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = inner = _Product()
        m.d.comb += [inner.a.eq(self.a), inner.b.eq(~self.a), self.p.eq(inner.p + 1)]
        return m


@pytest.fixture(scope="module", params=TECHNOLOGIES)
def mapped(request):
    """Technology, the design, and the design with its inner module mapped."""
    design = emit(_Outer(), "outer")
    inner = design.modules["outer"].instances["inner"]
    return request.param, design, gates(design, inner, request.param)


def test_the_rest_of_the_design_stays(mapped):
    _, design, netlist = mapped
    assert netlist.modules == design.modules
    outer = re.compile(r"^module outer\(.*?^endmodule\n", re.M | re.S)
    assert outer.search(netlist.text)[0] == outer.search(design.text)[0]


def test_the_module_is_cells(mapped):
    technology, design, netlist = mapped
    inner = design.modules["outer"].instances["inner"]
    assert len(re.findall(rf"^module \\?{re.escape(inner)}\b", netlist.text, re.M)) == 1
    assert " * " in design.logic
    register_cell = {"ecp5": "TRELLIS_FF", "xilinx": "FDRE"}[technology]
    assert len(re.findall(rf"^  {register_cell} #\(", netlist.text, re.M)) == 16


def test_registers_wake_up_with_x(mapped):
    assert not re.search(r"^\s*initial Q\b", mapped[2].text, re.M)


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_memories_wake_up_with_words_of_a_seed(technology):
    design = emit(RowMemory(depth=16, shape=unsigned(8)), "memory")
    netlists = [gates(design, "memory", technology, seed=seed).text for seed in (1, 1, 2)]
    contents = [re.findall(r"\.INIT\w*\(64'h(\w+)\)", netlist) for netlist in netlists]
    assert contents[0] == contents[1] != contents[2]
    assert contents[0]
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in contents[0])
