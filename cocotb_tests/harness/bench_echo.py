"""Bench of `Echo`. Parameters: items, pause probabilities; or which fault to provoke."""

import random

import cocotb
from cocotb.utils import get_sim_time

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, report, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.echo import FORBIDDEN_TOKEN, ITEM
from cocotb_tests.harness.streams import StreamSink, StreamSource, random_pauses
from rtl_gen.interfaces.packing import pack, unpack


def random_items(count: int, seed: int) -> list[dict[str, int]]:
    generator = random.Random(seed)
    return [
        {"score": generator.randrange(-32, 32), "token": generator.randrange(FORBIDDEN_TOKEN)}
        for _ in range(count)
    ]


@cocotb.test()
async def items_pass(dut):
    """Every item leaves once, in order; reports the cycles and the memory's word at power-up."""
    given = parameters()
    items = random_items(given["items"], given["seed"])
    await start(dut)
    report(word=int(dut.word.value))
    source = StreamSource(dut, "source", ITEM, random_pauses(given["source_pauses"], 1))
    sink = StreamSink(dut, "sink", ITEM, random_pauses(given["sink_pauses"], 2))
    begin = get_sim_time("ns")
    source.put(items)
    received = await sink.receive(len(items))
    report(cycles=round((get_sim_time("ns") - begin) / CLOCK_PERIOD_NS))
    assert_equal("token", [i["token"] for i in received], [i["token"] for i in items])
    assert_equal("score", [i["score"] for i in received], [i["score"] for i in items])
    assert [unpack(ITEM, pack(ITEM, item)) for item in items] == items


@cocotb.test()
async def wrong_expectation(dut):
    """Fails: the design returns 5, the bench expects 6."""
    await start(dut)
    source = StreamSource(dut, "source", ITEM)
    sink = StreamSink(dut, "sink", ITEM)
    await source.send([{"score": -1, "token": 5}])
    (item,) = await sink.receive(1)
    assert_equal("token", [item["token"]], [6])


@cocotb.test()
async def forbidden_token(dut):
    """Fails if the simulator stops on the assertion of the design; the bench itself passes."""
    await start(dut)
    source = StreamSource(dut, "source", ITEM)
    sink = StreamSink(dut, "sink", ITEM)
    await source.send([{"score": 0, "token": FORBIDDEN_TOKEN}])
    await sink.receive(1)


@cocotb.test()
async def missing_item(dut):
    """Fails: nothing was sent, so nothing comes within the time limit."""
    await start(dut)
    await StreamSink(dut, "sink", ITEM).receive(1, timeout_cycles=50)
