"""Bench of `RowMemory` of unsigned words. Parameters: depth, bits, chunks, seed."""

import cocotb
from amaranth.hdl import unsigned

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.memory.words import Words
from rtl_gen.memory.row_memory import RowMemory


class RowMemoryBench(UnitBench):
    def make_unit(self) -> RowMemory:
        shape = unsigned(self.given["bits"])
        return RowMemory(depth=self.given["depth"], shape=shape, chunks=self.given["chunks"])


@cocotb.test()
async def holds_its_output(dut):
    """Data changes a cycle after an enabled read, and never without one; chunks stay as they are
    without their enable.
    """
    bench = await RowMemoryBench.on(dut)
    rng, chunks = bench.rng, bench.given["chunks"]
    words = Words(bench.given["depth"], bench.given["bits"], chunks)
    for address in range(words.depth):
        bench.set(write=words.write(rng, address, (1 << chunks) - 1))
        await bench.edge
    actual, expected, held = [], [], None
    for cycle in range(300):
        written = rng.randrange(words.depth)
        enable = cycle == 0 or rng.random() < 0.5
        address = (written + rng.randrange(1, words.depth)) % words.depth
        held = words[address] if enable else held
        bench.set(read={"enable": enable, "address": address})
        bench.set(write=words.write(rng, written, rng.randrange(1 << chunks)))
        await bench.edge
        if cycle:
            actual.append(bench.get("read__data"))
        expected.append(held)
    assert_equal("data", actual, expected[:-1])
