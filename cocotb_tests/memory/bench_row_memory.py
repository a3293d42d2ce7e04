"""Bench of `RowMemory` of unsigned words. Parameters: depth, bits, chunks, seed."""

import cocotb
from amaranth.hdl import unsigned

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.memory.traffic import traffic
from rtl_gen.memory.row_memory import RowMemory


class RowMemoryBench(UnitBench):
    def make_unit(self) -> RowMemory:
        given = self.given
        return RowMemory(
            depth=given["depth"], shape=unsigned(given["bits"]), chunks=given["chunks"]
        )


@cocotb.test()
async def holds_its_output(dut):
    """Chunks are written apart; data changes a cycle after an enabled read, never without one."""
    bench = await RowMemoryBench.on(dut)
    actual, expected = [], []
    for write, read, data in traffic(bench.rng, **bench.given):
        bench.set(write=write, read=read)
        await bench.edge
        if expected:
            actual.append(bench.get("read__data"))
        if data is not None:
            expected.append(data)
    await bench.edge
    actual.append(bench.get("read__data"))
    assert_equal("data", actual, expected)
