"""Bench of `RowBuffer`: rows come back as PV beats, with their keys and exponentials.

Parameters: configuration, seed. The driver keeps the unit's contract: a slot is used again only
after the last PV beat of its row was taken.
"""

from collections.abc import Iterable
from itertools import chain, repeat

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import random_pauses
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.attention.row_buffer import RowBuffer


class BufferBench(UnitBench):
    UNIT = RowBuffer

    def __init__(self, dut, pauses: Iterable[bool] = repeat(False)):
        super().__init__(dut)
        self.qk, self.exponentials = self.source("qk"), self.source("exponentials")
        self.rows, self.beats = self.source("rows"), self.sink("beats", pauses)
        self.slot = 0

    async def fill(self, lengths: list[int]) -> list[dict]:
        """Keys and exponentials of rows; returns the PV beats that the rows should become."""
        expected = []
        for length in lengths:
            row = self.random("rows__payload", last_beat=length - 1)
            for beat in range(length):
                keys = self.random("qk__payload", last=int(beat == length - 1))
                address = self.slot << self.config.word_bits | beat
                exponentials = self.random("exponentials__payload", address=address)
                self.qk.put([keys])
                self.exponentials.put([exponentials])
                expected.append(
                    {
                        "valid": keys["valid"],
                        "word": keys["word"],
                        "exponentials": exponentials["data"],
                        "row": row,
                        "first": int(beat == 0),
                        "last": keys["last"],
                    }
                )
            self.slot = (self.slot + 1) % self.config.row_slots
        await self.qk.send([])
        await self.exponentials.send([])
        return expected

    async def replay(self, expected: list[dict]) -> int:
        """Offers the rows; cycles until the last of their beats was taken."""
        begin = self.cycle
        self.rows.put(beat["row"] for beat in expected if beat["last"])
        beats = await self.beats.receive(len(expected))
        cycles = self.cycle - begin
        for index, (beat, wanted) in enumerate(zip(beats, expected, strict=True)):
            assert beat == wanted, f"beat {index}: expected {wanted}, actual {beat}"
        return cycles

    def heads(self) -> list[list[int]]:
        """One row; all slots with single beats, with full rows, with any; twice in each slot."""
        depth, slots, rng = self.config.bank_depth, self.config.row_slots, self.rng
        mixed = [[rng.randint(1, depth) for _ in range(slots)] for _ in range(2)]
        return [[1], [depth], [1] * slots, [depth] * slots, [2] * (slots - 1), *mixed]


@cocotb.test()
async def full_rate(dut):
    """The first beat after LATENCY cycles, then one a cycle, across rows too."""
    bench = await BufferBench.on(dut)
    for lengths in bench.heads():
        expected = await bench.fill(lengths)
        assert_equal("cycles", await bench.replay(expected), RowBuffer.LATENCY + len(expected))


@cocotb.test()
async def consumer_stalls(dut):
    bench = await BufferBench.on(dut, pauses=random_pauses(0.6, 1))
    for lengths in bench.heads():
        await bench.replay(await bench.fill(lengths))


@cocotb.test()
async def bubbles_collapse_while_the_consumer_stalls(dut):
    """A row that arrives while its predecessor's beat waits follows it without a gap."""
    stalled = 20
    bench = await BufferBench.on(dut, pauses=chain(repeat(True, stalled), repeat(False)))
    first, second = await bench.fill([1, 1])
    bench.rows.put([first["row"]])
    await ClockCycles(dut.clk, 5)
    bench.rows.put([second["row"]])
    beats = bench.record("beats__ready", "beats__valid")
    assert await bench.beats.receive(2) == [first, second]
    assert_equal("valid when ready", [valid for _, valid in beats], [1, 1])
