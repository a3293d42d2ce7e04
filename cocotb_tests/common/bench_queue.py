"""Bench of `Queue` of unsigned items. Parameters: depth, bits, seed."""

import random
from itertools import chain, repeat

import cocotb
from cocotb.triggers import ClockCycles
from cocotb.utils import get_sim_time

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import StreamSink, StreamSource, random_pauses
from rtl_gen.common.queue import Queue

ITEMS = 100


async def pass_items(dut, source_pauses, sink_pauses) -> int:
    """Random items through the queue; returns the cycles until the last one left."""
    given = parameters()
    rng = random.Random(given["seed"])
    items = [rng.getrandbits(given["bits"]) for _ in range(ITEMS)]
    await start(dut)
    source = StreamSource(dut, "i", given["bits"], source_pauses)
    sink = StreamSink(dut, "o", given["bits"], sink_pauses)
    begin = get_sim_time("ns")
    source.put(items)
    assert_equal("items", await sink.receive(ITEMS), items)
    return round((get_sim_time("ns") - begin) / CLOCK_PERIOD_NS)


@cocotb.test()
async def full_rate(dut):
    assert_equal("cycles", await pass_items(dut, None, None), ITEMS + Queue.LATENCY)


@cocotb.test()
async def slow_source(dut):
    await pass_items(dut, random_pauses(0.6, 1), None)


@cocotb.test()
async def slow_sink(dut):
    await pass_items(dut, None, random_pauses(0.6, 2))


@cocotb.test()
async def both_stall(dut):
    await pass_items(dut, random_pauses(0.5, 3), random_pauses(0.5, 4))


@cocotb.test()
async def holds_its_depth(dut):
    """A stopped consumer leaves `depth` items inside, which come out when it goes on."""
    given = parameters()
    depth = given["depth"]
    await start(dut)
    source = StreamSource(dut, "i", given["bits"])
    sink = StreamSink(dut, "o", given["bits"], chain(repeat(True, 3 * depth), repeat(False)))
    source.put(range(depth))
    await ClockCycles(dut.clk, depth + 1)
    assert_equal("ready of a full queue", int(dut.i__ready.value), 0)
    assert_equal("items", await sink.receive(depth), range(depth))
