"""Bench of the sequencer inside `Accelerator`: programs that it refuses, then one that is right.

Parameters: `image` and `memory`, paths of .npy files (memory before and after); `bus_bytes`;
`programs`, a list of address, error, fetched (commands read), quiet (the program loads and writes
nothing); `seed`. Reports as the accelerator's bench does, of the last program.
"""

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.accelerator.bench_accelerator import Memory
from cocotb_tests.harness.bench import parameters, report, start
from cocotb_tests.harness.compare import assert_equal
from rtl_gen.accelerator import Accelerator
from rtl_gen.control.command import COMMAND_BYTES

STALLS = 0.2


async def run(dut, address: int) -> int:
    """Start at `address`, wait for done; returns the cycles in which the accelerator was busy.

    A second start while the first program runs must have no effect.
    """
    edge = RisingEdge(dut.clk)
    dut.program_address.value, dut.start.value = address, 1
    await edge
    dut.program_address.value = 0
    cycles = 0
    while True:
        await edge
        dut.start.value = 0
        if int(dut.done.value):
            assert_equal("busy with done", int(dut.busy.value), 0)
            return cycles
        cycles += int(dut.busy.value)


def counters(dut) -> dict[str, int]:
    return {name: int(getattr(dut, name).value) for name in Accelerator.COUNTERS}


@cocotb.test()
async def refuses_and_goes_on(dut):
    given = parameters()
    bus_bytes = given["bus_bytes"]
    memory = Memory(
        dut,
        np.load(given["image"]),
        bus_bytes=bus_bytes,
        latency=2,
        stalls=STALLS,
        seed=given["seed"],
    )
    await start(dut)
    for program in given["programs"]:
        name = program["name"]
        dut._log.info(name)
        cycles = await run(dut, program["address"])
        assert_equal(f"{name}: error", int(dut.error.value), program["error"])
        stopped = counters(dut)
        assert_equal(f"{name}: cycles", stopped["cycles"], cycles)
        if program["quiet"]:
            beats = program["fetched"] * max(COMMAND_BYTES // bus_bytes, 1)
            assert_equal(f"{name}: beats read", stopped["read_beats"], beats)
            assert_equal(f"{name}: beats written", stopped["write_beats"], 0)
        await ClockCycles(dut.clk, 20)
        assert counters(dut) == stopped, f"{name}: a counter runs after done"
        assert_equal(f"{name}: done, busy", [int(dut.done.value), int(dut.busy.value)], [1, 0])
        assert_equal(f"{name}: error stays", int(dut.error.value), program["error"])
    report(error=int(dut.error.value), live_count=int(dut.live_count.value), counters=counters(dut))
    np.save(given["memory"], memory.contents)
