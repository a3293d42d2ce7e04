"""Synthesis: units by name, the wrapper, cells of a small unit through Yosys, nextpnr's report."""

import json

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.accelerator import Accelerator
from rtl_gen.emit.verilog import Design, Port, emit
from rtl_gen.errors import UserError
from rtl_gen.memory.row_memory import RowMemory
from rtl_gen.presets import get_config
from rtl_gen.synthesis import ecp5, nextpnr, scan_wrapper, yosys
from rtl_gen.synthesis.ecp5 import ECP5, PART, Ecp5Flow
from rtl_gen.synthesis.flow import synthesize
from rtl_gen.synthesis.technology import shortage
from rtl_gen.synthesis.units import Unit, find, units


class MultiplyAccumulate(wiring.Component):
    """Accumulates 8 x 8 bit products."""

    a: In(8)
    b: In(8)
    total: Out(20)

    def elaborate(self, platform):
        m = Module()
        product = Signal(16)
        m.d.sync += [product.eq(self.a * self.b), self.total.eq(self.total + product)]
        return m


@pytest.fixture(scope="module")
def tiny() -> Design:
    return emit(Accelerator(get_config("tiny")), "accelerator")


def test_units_cover_the_design(tiny):
    named = {unit.name: unit for unit in units(tiny)}
    of_core = {"load", "store", "linear", "attention", "norm", "prune", "pool", "array", "operands"}
    memories = {"residual", "activation", "hidden", "query", "kv", "mask", "channel_shifts"}
    parts = {
        "core_rest": of_core | memories,
        "cluster_rest": {"dispatcher", "core_rest"},
        "top_rest": {"packer", "reader", "registers", "writer", "cluster_rest"},
    }
    assert set(named) == {"top_rest"}.union(*parts.values())
    for rest, others in parts.items():
        assert {named[name].module for name in others} == set(named[rest].without)


def test_units_of_a_core_count_for_all():
    design = emit(Accelerator(get_config("tiny", cores=2)), "accelerator")
    copies = {unit.name: unit.copies for unit in units(design)}
    assert copies["attention"] == copies["core_rest"] == copies["kv"] == 2
    assert copies["dispatcher"] == copies["cluster_rest"] == copies["reader"] == 1


class OneCell:
    """A flow in which every module is one cell."""

    name, device, headings = "one", "none", {"cells": "cells"}
    options: dict = {}
    tools: dict = {}

    def needed(self, counts):
        return {"cells": (counts["cells"], 0)}

    def unit(self, design, unit, folder, progress):
        return {"cells": 1}, None


def test_cells_of_a_core_count_for_all(tmp_path):
    found = [Unit("attention", "a", copies=4), Unit("reader", "b")]
    result = synthesize(OneCell(), None, found, "top", folder=tmp_path, progress=str)
    assert result["units"] == {"attention": {"cells": 4}, "reader": {"cells": 1}}
    assert result["total"] == {"cells": 5}


def test_unit_inside_a_unit(tiny):
    unit = find(tiny, "attention.softmax.normalisation")
    assert unit.module.startswith("accelerator.cluster.core_0.attention.softmax")
    with pytest.raises(UserError, match=r"unknown unit 'attenti': expected one of .*attention"):
        find(tiny, "attenti")
    with pytest.raises(
        UserError, match=r"unknown unit 'sofa' of attention: expected one of .*soft"
    ):
        find(tiny, "attention.sofa")


def test_cells_placement_and_critical_path(tmp_path):
    messages = []
    result = synthesize(
        Ecp5Flow(each=True),
        emit(MultiplyAccumulate(), "mac"),
        [Unit("mac", "mac")],
        "mac",
        folder=tmp_path,
        progress=messages.append,
    )
    used = result["units"]["mac"]
    assert used["multipliers"] == 1
    assert used["block_rams"] == 0
    assert used["flip_flops"] == 16 + 20
    assert result["total"] == used
    assert result["needed"]["multipliers"] == [1, 156]
    placed = result["whole"]
    assert 50 < placed["frequency_mhz"] < 600
    assert placed["from_register"].startswith("design.")
    assert placed["logic_ns"] + placed["routing_ns"] == pytest.approx(
        1000 / placed["frequency_mhz"], abs=0.05
    )
    assert 50 < placed["placed_mhz"] < 600
    # The whole is the unit: same netlist, same seed, same result.
    assert result["units_timed"] == {"mac": placed}
    assert messages[0] == "mac (1 of 1): mapping"


def test_multiplications_of_some_modules_take_no_multipliers():
    design = emit(MultiplyAccumulate(), "core.array")
    logic = ECP5.count(
        yosys.map_cells(design.text, "core.array", "synth_ecp5", in_logic=["core.array"])
    )
    assert logic["multipliers"] == 0
    assert 60 < logic["luts"] < 250
    assert logic["flip_flops"] == 16 + 20


def test_an_array_gives_way_where_multipliers_cannot_be_routed(tmp_path, monkeypatch):
    design, counts = emit(MultiplyAccumulate(), "core.array"), ECP5.count({"MULT18X18D": 1})

    def remark() -> str:
        told = []
        timing = Ecp5Flow().whole(design, "core.array", counts, tmp_path, told.append)
        assert ("mapping, the array's multiplications as tables" in told) == bool(timing.remark)
        return timing.remark

    assert remark() == ""
    monkeypatch.setattr(ecp5, "ROUTABLE", 0)
    assert "0 multipliers in all: 1 of 156 multipliers are more" in remark()


def test_names_that_differ_in_brackets_survive_the_mapping(tmp_path):
    """ABC9 would take the wire `a[0][1]` for bit 1 of `a[0]`."""
    text = r"""
module top(input clk, input [7:0] \a[0] , input \a[0][1] , output reg y);
  wire [7:0] \b[0] = \a[0] ;
  wire [3:0] \b[0][1] = \a[0] [7:4] ^ {4{\a[0][1] }};
  always @(posedge clk) y <= ^\b[0][1] & \b[0] [1];
endmodule
"""
    netlist = tmp_path / "netlist.json"
    yosys.map_cells(text, "top", "synth_ecp5", netlist=netlist)
    assert set(json.loads(netlist.read_text())["modules"]["top"]["ports"]) == {
        *("clk", "a.0", "a.0.1", "y")
    }


@pytest.mark.parametrize(("chunks", "luts"), [(1, 0), (4, 4)])
def test_row_memories_are_block_rams_and_a_gate_a_chunk(chunks, luts):
    design = emit(RowMemory(depth=512, shape=72, chunks=chunks), "memory")
    used = ECP5.count(yosys.map_cells(design.text, "memory", "synth_ecp5"))
    assert used == dict.fromkeys(ECP5.headings, 0) | {"luts": luts, "block_rams": 2}


def test_wrapper_connects_every_bit():
    ports = [
        Port("clk", "input", 1),
        Port("a", "input", 3),
        Port("b", "input", 5),
        Port("c", "output", 7),
    ]
    text = scan_wrapper.wrapper("unit", ports)
    for connection in (".clk(clk)", r".\a (scan[0 +: 3])", r".\b (scan[3 +: 5])"):
        assert connection in text
    assert r".\c (results[0 +: 7])" in text
    assert "reg [7:0] scan;" in text
    assert "reg [6:0] signature;" in text
    assert ".rst(" not in text


def test_shortage_names_what_is_missing():
    used = dict.fromkeys(ECP5.headings, 0) | {"multipliers": 157, "block_rams": 208}
    assert shortage(ECP5.needed(used, PART)) == {"multipliers": (157, 156)}


def test_carries_and_distributed_rams_take_tables():
    used = dict.fromkeys(ECP5.headings, 0) | {"luts": 10, "carries": 20, "distributed_rams": 30}
    assert ECP5.needed(used, PART)["tables"] == (10 + 2 * 20 + 6 * 30, 83640)


def test_signal_name():
    assert nextpnr.signal_name("design.core.total_TRELLIS_FF_Q_3") == "design.core.total"


def test_failure_of_yosys_shows_its_log():
    with pytest.raises(RuntimeError, match=r"Yosys failed on top:[\s\S]*syntax error"):
        yosys.map_cells("module top(;", "top", "synth_ecp5")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "huge"], "unknown preset 'huge'"),
        (["--unit", "soft"], "unknown unit 'soft'"),
        (["--speed-grade", "9"], "Invalid value"),
        (["--part", "zu9eg"], "expected --flow xilinx"),
        (["--flow", "xilinx", "--part", "zu1"], "unknown part 'zu1': expected one of"),
    ],
)
def test_bad_input_is_one_line(refuses, tmp_path, arguments, message):
    options = ["--config", "tiny", "--out", str(tmp_path), *arguments]
    refuses(message, "synth", *options)
    assert not list(tmp_path.iterdir())
