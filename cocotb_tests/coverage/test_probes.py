"""Probes stand for every kind of branch, by its line."""

import inspect
from pathlib import Path

from amaranth.hdl import Instance, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from cocotb_tests.coverage.probes import emit_with_probes, probes
from rtl_gen.emit.verilog import emit


class Branches(wiring.Component):
    way: In(2)
    out: Out(2)
    more: Out(2)
    last: Out(1)

    def elaborate(self, platform):
        m = Module()
        with m.If(self.way == 0):  # taken, not taken
            m.d.comb += self.out.eq(1)  # line
            m.d.sync += self.more.eq(self.way)  # line
        with m.Elif(self.way == 1):  # taken
            inner = Mux(self.out[1], 1, 2)  # chosen, else
            outer = Mux(self.out[0], self.more, inner)  # chosen, else
            m.d.sync += self.more.eq(outer)  # line
        with m.If(self.way == 2):  # taken
            m.d.comb += self.out.eq(2)  # line
        with m.Else():  # taken
            m.d.sync += self.more.eq(0)  # line
        with m.Switch(self.way):
            with m.Case(0):  # entered
                m.d.sync += self.more.eq(1)  # line
            with m.Default():  # entered
                m.d.sync += self.more.eq(self.more + 1)  # line
        view = Signal(StructLayout({"low": 1, "high": 1}))
        m.d.comb += view.eq(self.way)  # line
        with m.FSM():
            with m.State("FIRST"):  # entered
                m.next = "LAST"  # line
            with m.State("LAST"):  # entered
                m.d.comb += self.last.eq(1)  # line
        m.submodules += Instance("other", i_way=Mux(self.way[0], 1, 0))  # chosen, else
        return m


def test_every_branch_and_line_has_a_probe():
    """As the comments of the class say."""
    lines, first = inspect.getsourcelines(Branches)
    commented = [(at, line.partition("  # ")[2].strip()) for at, line in enumerate(lines, first)]
    expected = {(at, word) for at, words in commented if words for word in words.split(", ")}
    design = emit_with_probes(Branches(), "branches", Path(__file__).parent)
    found = [point for points in probes(design.text).values() for point in points]
    assert {(point.line, point.branch or "line") for point in found} == expected
    assert {point.file for point in found} == {"coverage/test_probes.py"}
    assert len(found) == len(expected), "an arm of two domains has a probe for each"


def test_without_probes_the_verilog_is_as_ever():
    plain = emit(Branches(), "branches").text
    assert "cover" not in plain
    assert probes(plain) == {}
