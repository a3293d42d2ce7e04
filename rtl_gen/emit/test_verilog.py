"""Verilog emission: what a reader of the text may rely on."""

import subprocess
import sys

import pytest
from amaranth.hdl import Assert, Cat, Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from cocotb_tests.harness.echo import Echo
from rtl_gen.emit.verilog import Memory, Port, emit
from rtl_gen.memory.row_memory import RowMemory

EMIT_ECHO = (
    "from cocotb_tests.harness.echo import Echo; from rtl_gen.emit.verilog import emit;"
    "print(emit(Echo(), 'echo').text, end='')"
)


class CombinationalAssert(wiring.Component):
    """Asserts outside any clock domain."""

    level: In(4)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += Assert(self.level != 3, "three")
        return m


class Banks(wiring.Component):
    """Memories and a table, one level down."""

    entry: Out(3)
    words: Out(66)

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = inner = Module()
        banks = [RowMemory(depth=4, shape=6, chunks=2) for _ in range(11)]
        for number, bank in enumerate(banks):
            inner.submodules[f"bank_{number}"] = bank
        inner.submodules.table = table = memory.Memory(shape=3, depth=2, init=[5, 6])
        m.d.comb += [
            self.entry.eq(table.read_port().data),
            self.words.eq(Cat(bank.read.data for bank in banks)),
        ]
        return m


def test_bytes_do_not_depend_on_the_process():
    outputs = {
        subprocess.run(
            [sys.executable, "-c", EMIT_ECHO],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {emit(Echo(), "echo").text}


def test_text_holds_neither_paths_nor_attributes():
    text = emit(Echo(), "echo").text
    assert ".py" not in text
    assert "(*" not in text
    assert '$display("forbidden token");\n      $stop;' in text


def test_ports_and_memories_are_listed():
    design = emit(Echo(), "echo")
    listed = {port.name: port for port in design.ports}
    assert listed["source__payload"] == Port("source__payload", "input", 16)
    assert listed["sink__valid"] == Port("sink__valid", "output", 1)
    assert listed.keys() == {
        *("clk", "rst", "word"),
        *(f"{s}__{p}" for s in ("source", "sink") for p in ("payload", "valid", "ready")),
    }
    assert design.memories == [Memory("echo.storage", depth=8, width=16, writable=True)]


def test_memories_and_instances_are_those_of_the_hierarchy():
    design = emit(Banks(), "banks")
    banks = [f"bank_{bank}" for bank in range(11)]
    assert design.modules["banks"].instances == {"inner": "banks.inner"}
    assert design.modules["banks.inner"].instances == {b: f"banks.inner.{b}" for b in banks}
    assert design.memories == [
        *(Memory(f"banks.inner.{b}.sram.words", depth=4, width=6, writable=True) for b in banks),
        Memory("banks.inner.table", depth=2, width=3, writable=False),
    ]
    assert design.text.count("module sram_") == design.text.count("module sram_4x6_2(") == 1


class SilentAssert(wiring.Component):
    """Does not say what is wrong."""

    level: In(2)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += Assert(self.level != 3)
        return m


def test_assert_without_a_message_is_refused():
    with pytest.raises(ValueError, match="silent: an Assert without a message"):
        emit(SilentAssert(), "silent")


def test_combinational_assert_is_refused():
    with pytest.raises(ValueError, match="put it in"):
        emit(CombinationalAssert(), "glitch")
