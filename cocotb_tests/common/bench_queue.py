"""Bench of `Queue` of unsigned items. Parameters: depth, bits, seed."""

from collections.abc import Iterable
from itertools import chain, repeat

import cocotb
from amaranth.hdl import unsigned
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.common.queue import Queue

ITEMS = 100


class QueueBench(UnitBench):
    def make_unit(self) -> Queue:
        return Queue(unsigned(self.given["bits"]), self.given["depth"])

    async def pass_items(
        self, source_pauses: Iterable[bool] | None = None, sink_pauses: Iterable[bool] | None = None
    ) -> int:
        """Random items through the queue; returns the cycles until the last one left."""
        items = [self.rng.getrandbits(self.given["bits"]) for _ in range(ITEMS)]
        source, sink = self.source("i", source_pauses), self.sink("o", sink_pauses)
        begin = self.cycle
        source.put(items)
        assert_equal("items", await sink.receive(ITEMS), items)
        return self.cycle - begin


@cocotb.test()
async def full_rate(dut):
    bench = await QueueBench.on(dut)
    assert_equal("cycles", await bench.pass_items(), ITEMS + Queue.LATENCY)


@cocotb.test()
async def slow_source(dut):
    bench = await QueueBench.on(dut)
    await bench.pass_items(source_pauses=bench.pauses(0.6))


@cocotb.test()
async def slow_sink(dut):
    bench = await QueueBench.on(dut)
    await bench.pass_items(sink_pauses=bench.pauses(0.6))


@cocotb.test()
async def both_stall(dut):
    bench = await QueueBench.on(dut)
    await bench.pass_items(bench.pauses(0.5), bench.pauses(0.5))


@cocotb.test()
async def holds_its_depth(dut):
    """A stopped consumer leaves `depth` items inside, which come out when it goes on."""
    bench = await QueueBench.on(dut)
    depth = bench.given["depth"]
    sink = bench.sink("o", chain(repeat(True, 3 * depth), repeat(False)))
    bench.source("i").put(range(depth))
    await ClockCycles(dut.clk, depth + 1)
    assert_equal("ready of a full queue", bench.get("i__ready"), 0)
    assert_equal("items", await sink.receive(depth), range(depth))
