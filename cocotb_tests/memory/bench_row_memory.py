"""Bench of `RowMemory` of unsigned words. Parameters: depth, bits, chunks, seed."""

import cocotb
from amaranth.hdl import unsigned

from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.memory.held import check_output_is_held
from rtl_gen.memory.row_memory import RowMemory


class RowMemoryBench(UnitBench):
    def make_unit(self) -> RowMemory:
        shape = unsigned(self.given["bits"])
        return RowMemory(depth=self.given["depth"], shape=shape, chunks=self.given["chunks"])


@cocotb.test()
async def holds_its_output(dut):
    await check_output_is_held(await RowMemoryBench.on(dut))
