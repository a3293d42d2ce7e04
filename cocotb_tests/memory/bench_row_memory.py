"""Bench of `RowMemory` of unsigned words. Parameters: depth, bits, seed."""

import random

import cocotb
from cocotb.triggers import RisingEdge

from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.harness.compare import assert_equal


@cocotb.test()
async def holds_its_output(dut):
    """Data changes a cycle after an enabled read, and never without one."""
    given = parameters()
    depth, bits, rng = given["depth"], given["bits"], random.Random(given["seed"])
    edge = RisingEdge(dut.clk)
    await start(dut)
    words = [rng.getrandbits(bits) for _ in range(depth)]
    for word, data in enumerate(words):
        dut.write_enable.value, dut.write_address.value, dut.write_data.value = 1, word, data
        await edge
    actual, expected, held = [], [], None
    for cycle in range(300):
        write, read = rng.random() < 0.5, cycle == 0 or rng.random() < 0.5
        word, data = rng.randrange(depth), rng.getrandbits(bits)
        address = (word + rng.randrange(1, depth)) % depth
        dut.write_enable.value, dut.write_address.value, dut.write_data.value = write, word, data
        dut.read__enable.value, dut.read__address.value = read, address
        await edge
        if cycle:
            actual.append(int(dut.read__data.value))
            expected.append(held)
        held = words[address] if read else held
        if write:
            words[word] = data
    assert_equal("data", actual, expected)
