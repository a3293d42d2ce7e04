"""The flows without placement: cells of an UltraScale+, gates of a library, OpenSTA's report."""

import gzip
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.emit.verilog import emit
from rtl_gen.memory.row_memory import RowMemory
from rtl_gen.synthesis import opensta
from rtl_gen.synthesis.asic import AsicFlow
from rtl_gen.synthesis.flow import synthesize
from rtl_gen.synthesis.liberty import DEFAULT_LIBRARY, Library
from rtl_gen.synthesis.ultrascale import ULTRASCALE
from rtl_gen.synthesis.units import Unit
from rtl_gen.synthesis.xilinx import XilinxFlow


class SumOfProducts(wiring.Component):
    """Four products of 8 x 8 bits, registered, and a memory of 1,024 of their sums."""

    a: In(32)
    b: In(32)
    total: Out(18)

    def elaborate(self, platform):
        m = Module()
        m.submodules.sums = sums = RowMemory(depth=1024, shape=18)
        products = [Signal(16, name=f"product_{i}") for i in range(4)]
        for i, product in enumerate(products):
            m.d.sync += product.eq(self.a[8 * i : 8 * i + 8] * self.b[8 * i : 8 * i + 8])
        m.d.sync += self.total.eq(sums.read.data)
        m.d.comb += [
            sums.write.enable.eq(self.a[0]),
            sums.write.address.eq(self.a[:10]),
            sums.write.data.eq(sum(products)),
            sums.read.enable.eq(1),
            sums.read.address.eq(self.b[:10]),
        ]
        return m


class Kept(wiring.Component):
    """600 bits, which `enable` lets in."""

    enable: In(1)
    data: In(600)
    kept: Out(600)

    def elaborate(self, platform):
        m = Module()
        with m.If(self.enable):
            m.d.sync += self.kept.eq(self.data)
        return m


class KeptLater(Kept):
    """The same in a module of its own, behind a register."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.kept = kept = Kept()
        m.d.sync += kept.enable.eq(self.enable)
        m.d.comb += [kept.data.eq(self.data), self.kept.eq(kept.kept)]
        return m


def _synthesize(flow, folder: Path, component: wiring.Component | None = None) -> dict:
    design = emit(component or SumOfProducts(), "sop")
    return synthesize(
        flow, design, [Unit("sop", "sop")], "sop", folder=folder, progress=lambda _: None
    )


def test_cells_of_an_ultrascale(tmp_path):
    result = _synthesize(XilinxFlow("zu9eg"), tmp_path)
    assert (result["flow"], result["device"]) == ("xilinx", "zu9eg")
    used = result["units"]["sop"]
    assert used["dsps"] == 4
    assert used["block_rams"] == 0.5
    assert result["needed"]["dsps"] == [4, 2520]
    assert result["whole"] is None
    assert result["units_timed"] == {}


def test_small_cells_count_by_what_they_take():
    counts = ULTRASCALE.count(
        {"LUT6": 3, "RAM32M16": 2, "SRL16E": 1, "RAMB18E2": 3, "FDRE": 5, "X": 9}
    )
    assert counts == {"luts": 3 + 16 + 1, "flip_flops": 5, "dsps": 0, "block_rams": 1.5}


def test_gates_and_the_longest_path_of_a_library(tmp_path):
    result = _synthesize(AsicFlow(library=Library([DEFAULT_LIBRARY]), target_mhz=250), tmp_path)
    used = result["units"]["sop"]
    assert used["flip_flops"] == 4 * 16 + 18
    assert used["sram_bits"] == 1024 * 18
    # Its NAND2X1 has 24 um2, a NOR of two inputs as many.
    assert used["gates"] == round(used["area_um2"] / 24)
    # A flip-flop of this library has 96 um2, an AND of two inputs 32.
    assert 82 * 96 + 4 * 64 * 32 < used["area_um2"] < 4 * 64 * 500
    timing = result["units_timed"]["sop"]
    assert timing["to_register"].startswith(("product_", "sums.words"))
    assert 100 < timing["frequency_mhz"] < 500
    assert timing["logic_ns"] == pytest.approx(1000 / timing["frequency_mhz"], rel=0.01)
    assert 8 < timing["logic_levels"] < 40
    assert result["options"]["memory_ns"] == pytest.approx(0.4 * 4)


def test_a_slow_memory_is_the_longest_path(tmp_path):
    timing = _synthesize(
        AsicFlow(library=Library([DEFAULT_LIBRARY]), target_mhz=250, memory_ns=20), tmp_path
    )["units_timed"]["sop"]
    assert timing["from_register"].endswith("read_data")
    assert timing["to_register"] == "total"
    assert timing["logic_ns"] == pytest.approx(20, abs=0.5)


@pytest.mark.parametrize("component", [Kept(), KeptLater()], ids=["enable", "other module"])
def test_a_net_to_hundreds_of_pins_is_buffered(component, tmp_path):
    flow = AsicFlow(library=Library([DEFAULT_LIBRARY]), target_mhz=250)
    timing = _synthesize(flow, tmp_path, component)["units_timed"]["sop"]
    assert timing["logic_ns"] < 3
    assert timing["logic_levels"] >= 3


REPORT = """Startpoint: design.a.b_0[25]$_DFFE_PP_
Endpoint: design.mean.product_0[32]$_DFF_P_

   0.0000    0.0000   clock clk (rise edge)
   0.0000    0.0000 ^ design.a.b_0[25]$_DFFE_PP_/CLK (DFFPOSX1)
   0.8000    0.8000 v design.a.b_0[25]$_DFFE_PP_/Q (DFFPOSX1)
   0.2000    1.0000 ^ _7511_/Y (NAND2X1)
   0.5000    1.5000 v _7533_/Y (NAND2X1)
   0.0000    1.5000 v design.mean.product_0[32]$_DFF_P_/D (DFFPOSX1)
             1.5000   data arrival time

   5.0000    5.0000   clock clk (rise edge)
  -0.5000    4.5000   library setup time
             4.5000   data required time
---------------------------------------------
             4.5000   data required time
            -1.5000   data arrival time
---------------------------------------------
             3.0000   slack (MET)
"""


def test_report_of_opensta():
    timing = opensta.parse_report(REPORT)
    assert timing.logic_ns == 2.0
    assert timing.frequency_mhz == 500.0
    assert timing.logic_levels == 2
    assert (timing.from_register, timing.to_register) == ("a.b_0", "mean.product_0")


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (None, "No such file"),
        (b"module m; endmodule", "no liberty file, which begins with"),
        (gzip.compress(b"library (x) { cell (INV) { } }"), "no flip-flop in it"),
    ],
    ids=["missing", "Verilog", "combinational"],
)
def test_what_is_no_library_is_one_line(refuses, tmp_path, contents, message):
    library = tmp_path / ("x.lib.gz" if contents and contents[:2] == b"\x1f\x8b" else "x.lib")
    if contents:
        library.write_bytes(contents)
    out = tmp_path / "out"
    options = ["--config", "tiny", "--liberty", str(library), "--out", str(out)]
    refuses(message, "asic", *options)
    assert not out.exists()
