"""Bench of a `GuardedMemory` of unsigned words. Parameters: depth, bits, chunks, seed.

`finds_every_bit` reaches into the memory, as Icarus lets it.
"""

import cocotb
from amaranth.hdl import unsigned
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.memory.guarded_memory import GuardedMemory
from cocotb_tests.memory.held import check_output_is_held
from cocotb_tests.memory.words import Words
from rtl_gen.memory.parity import FLAG_CYCLES

WORD_CYCLES = 1


class GuardedMemoryBench(UnitBench):
    def make_unit(self) -> GuardedMemory:
        shape = unsigned(self.given["bits"])
        return GuardedMemory(depth=self.given["depth"], shape=shape, chunks=self.given["chunks"])


@cocotb.test()
async def holds_its_output(dut):
    await check_output_is_held(await GuardedMemoryBench.on(dut))


@cocotb.test()
async def right_words_raise_no_flag(dut):
    """Read before anything is written, written whole and in parts, and at once with a read."""
    bench = await GuardedMemoryBench.on(dut)
    rng, chunks, flags = bench.rng, bench.given["chunks"], bench.record("wrong")
    words = Words(bench.given["depth"], bench.given["bits"], chunks)
    for cycle in range(600):
        written = rng.randrange(words.depth)
        write = words.write(rng, written, rng.randrange(1 << chunks))
        bench.set(write=write if cycle > 20 else {"enable": 0})
        bench.set(read={"enable": rng.random() < 0.8, "address": rng.randrange(words.depth)})
        await bench.edge
    assert_equal("flags", len(flags), 0)


@cocotb.test()
async def finds_every_bit(dut):
    """Once a read, FLAG_CYCLES behind the word, parity bits among them."""
    bench = await GuardedMemoryBench.on(dut)
    rng, chunks, flags = bench.rng, bench.given["chunks"], bench.record("wrong")
    words = Words(bench.given["depth"], bench.given["bits"], chunks)
    for address in range(words.depth):
        bench.set(write=words.write(rng, address, (1 << chunks) - 1))
        await bench.edge
    bench.set(write__enable=0)
    for bit in range(bench.given["bits"] + chunks):
        address = rng.randrange(words.depth)
        word = dut.memory.sram.words[address]
        right = int(word.value)
        word.value = right ^ 1 << bit
        bench.set(read={"enable": 1, "address": address})
        await bench.edge
        asked = bench.cycle
        bench.set(read={"enable": 0, "address": address})
        await ClockCycles(dut.clk, WORD_CYCLES + FLAG_CYCLES + 3)
        assert_equal(f"bit {bit}", [at - asked for (at,) in flags], [WORD_CYCLES + FLAG_CYCLES])
        flags.clear()
        word.value = right
        await bench.edge
