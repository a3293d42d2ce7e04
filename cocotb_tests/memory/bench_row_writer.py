"""Bench of `RowWriter`. Parameters: configuration, seed."""

import random

import cocotb
from cocotb.utils import get_sim_time

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import StreamSink, StreamSource, random_pauses
from rtl_gen.attention.output_unit import output_row_layout
from rtl_gen.config import AcceleratorConfig
from rtl_gen.memory.port import write_layout
from rtl_gen.memory.writer import RowWriter


async def write_rows(dut, stalls: float) -> None:
    """Every token's row in a random order; without stalls a beat leaves in every cycle."""
    given = parameters()
    config, rng = AcceleratorConfig(**given["config"]), random.Random(given["seed"])
    await start(dut)
    rows = StreamSource(dut, "rows", output_row_layout(config), random_pauses(stalls, 1))
    write = StreamSink(dut, "write", write_layout(config), random_pauses(stalls, 2))
    base = config.bus_bytes * rng.randrange(1 << 16)
    dut.base.value = base
    tokens = rng.sample(range(config.max_tokens), config.max_tokens)
    data = {token: [rng.randint(-128, 127) for _ in range(config.width)] for token in tokens}
    begin = get_sim_time("ns")
    rows.put({"token": token, "data": data[token]} for token in tokens)
    beats = await write.receive(len(tokens) * config.width // config.bus_bytes)
    cycles = round((get_sim_time("ns") - begin) / CLOCK_PERIOD_NS)

    memory: dict[int, int] = {}
    for beat in beats:
        for index, value in enumerate(beat["data"].to_bytes(config.bus_bytes, "little")):
            memory[beat["address"] + index] = value
    expected = {
        base + token * config.width + channel: value % 256
        for token, row in data.items()
        for channel, value in enumerate(row)
    }
    assert_equal("addresses", sorted(memory), sorted(expected))
    assert_equal("bytes", [memory[a] for a in expected], list(expected.values()))
    if not stalls:
        assert_equal("cycles", cycles, len(tokens) * RowWriter.row_beats(config))


@cocotb.test()
async def full_rate(dut):
    await write_rows(dut, 0)


@cocotb.test()
async def both_streams_stall(dut):
    await write_rows(dut, 0.4)
