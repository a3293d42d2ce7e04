"""Bench of `Accelerator` on a memory that is slow, never answers, or outlives a reset.

Parameters: those of bench_bus_faults.
"""

import random

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.network.bench_bus_faults import LIMIT_CYCLES, Driver
from rtl_gen.bus.axi import BURST_BEATS
from rtl_gen.interfaces.program import ErrorCode

RESETS = 12
"""Hard resets, spread over the good program."""


async def hard_reset_of(driver: Driver, *, interconnect: bool) -> None:
    """`rst` for two cycles, alone or with the interconnect's."""
    dut = driver.dut
    dut.rst.value, driver.memory.reset = 1, interconnect
    await ClockCycles(dut.clk, 2)
    dut.rst.value, driver.memory.reset = 0, False
    # The manager's coroutines see the reset, too, and take a moment.
    await ClockCycles(dut.clk, 3)


async def stop_in_a_row(driver: Driver, beats: int) -> None:
    """Start the STORE and let memory take its address and so many of its beats."""
    memory = driver.memory
    memory.stops_behind = beats
    await driver.host.start(driver.given["storer"])
    while not memory.half_written or memory.beats_of_row < beats:
        await RisingEdge(driver.dut.clk)


@cocotb.test()
async def quiet_behind_a_reset(dut):
    """A reset with reads and with a row outstanding: what is late is late before `quiet`, and
    memory stays as the host leaves it then."""
    driver = await Driver.on(dut)
    host, memory = driver.host, driver.memory
    stored, row = driver.given["stored"], bytes(driver.given["row_bytes"])
    memory.latency = 60
    for stalled in (0, 30):
        await host.start(driver.given["storer"])
        memory.write_ready = not stalled
        while not memory.writes:
            await RisingEdge(dut.clk)
        await host.control("reset")
        assert await host.status() == set(), "quiet too soon"
        await ClockCycles(dut.clk, stalled)
        memory.write_ready = True
        await driver.quiet()
        assert memory.contents[stored : stored + len(row)] == row
        memory.contents[stored : stored + len(row)] = bytes(len(row))
        await ClockCycles(dut.clk, 4 * memory.latency)
        assert not any(memory.contents[stored : stored + len(row)]), "written behind quiet"
        memory.writes.clear()
    memory.reads.clear()
    await host.start(0)
    while not memory.reads:
        await RisingEdge(dut.clk)
    await host.control("reset")
    assert await host.status() == set(), "quiet with reads outstanding"
    await driver.quiet()
    memory.latency = 5
    await driver.check_good("resets")


@cocotb.test()
async def hard_reset(dut):
    """The memory is not reset with the accelerator: late answers end a program with an error at
    worst, and once they are in, all is right."""
    driver = await Driver.on(dut)
    host, memory = driver.host, driver.memory
    rng = random.Random(2)
    await host.run(0, LIMIT_CYCLES)
    cycles = await host.read("cycles")
    memory.latency = 40
    errors = set()
    for turn in range(RESETS):
        await host.start(0)
        await ClockCycles(dut.clk, turn * cycles // RESETS + rng.randrange(60))
        while memory.half_written:
            await RisingEdge(dut.clk)
        await hard_reset_of(driver, interconnect=False)
        errors.add(await driver.error_of())
        while memory.outstanding:
            await RisingEdge(dut.clk)
        await host.quiet()
        await driver.check_good(f"hard reset {turn}")
    assert len(errors) > 1, "no late answer met a program"


@cocotb.test()
async def hard_reset_with_the_interconnect(dut):
    """In the middle of rows and of bursts: the next program is right at once."""
    driver = await Driver.on(dut)
    memory = driver.memory
    memory.latency = 40
    for beats in (0, 1):
        await stop_in_a_row(driver, beats)
        await hard_reset_of(driver, interconnect=True)
        memory.stops_behind = None
        await driver.check_good(f"a reset behind {beats} beats of a row")
    for beats in (1, BURST_BEATS // 2 + 3, 2 * BURST_BEATS + 1):
        await driver.host.start(0)
        taken = 0
        while taken < beats:
            await RisingEdge(dut.clk)
            taken += int(dut.m_axi_rvalid.value)
        assert memory.outstanding
        await hard_reset_of(driver, interconnect=True)
        await driver.check_good(f"a reset behind {beats} beats read")


@cocotb.test()
async def hard_reset_in_a_row(dut):
    """Without the interconnect, which takes the next row's beats for those that are missing: the
    program ends all the same, and the next is right when both were reset together."""
    driver = await Driver.on(dut)
    memory, storer = driver.memory, driver.given["storer"]
    for beats in (0, 1):
        await stop_in_a_row(driver, beats)
        await hard_reset_of(driver, interconnect=False)
        memory.stops_behind = None
        assert memory.half_written
        assert await driver.error_of(storer) in (ErrorCode.NONE, ErrorCode.WRITE_FAILED)
        await hard_reset_of(driver, interconnect=True)
        await driver.check_good(f"a reset behind {beats} beats of a row")


@cocotb.test()
async def late_response(dut):
    """One to a row of before a hard reset may end a program before its own row is in memory; when
    all answers are in, the next is right."""
    driver = await Driver.on(dut)
    memory, storer = driver.memory, driver.given["storer"]
    memory.latency = 150
    await driver.host.start(storer)
    while not memory.writes or memory.half_written:
        await RisingEdge(dut.clk)
    await hard_reset_of(driver, interconnect=False)
    memory.latency = 5
    assert await driver.error_of(storer) in (ErrorCode.NONE, ErrorCode.WRITE_FAILED)
    while memory.outstanding:
        await RisingEdge(dut.clk)
    await driver.check_good("a late response")


@cocotb.test()
async def memory_that_never_answers(dut):
    """A program waits, for its header or for its row; a soft reset ends it, and the next one waits
    for what is outstanding. It is right when memory answers at last; if memory never does, the next
    one is right behind a hard reset of both."""
    driver = await Driver.on(dut)
    host, memory = driver.host, driver.memory
    for program in (0, driver.given["storer"]):
        for takes_addresses in (True, False):
            name = f"program at {program:#x}, addresses taken: {takes_addresses}"
            await host.start(program)
            while program and not int(dut.m_axi_awvalid.value):
                await RisingEdge(dut.clk)
            memory.silent, memory.address_ready = True, takes_addresses
            await ClockCycles(dut.clk, 200)
            assert await host.status() == {"busy"}, name
            await host.control("reset")
            for turn in range(2):
                assert await host.status() == set(), f"{name}: behind soft reset {turn}"
                await host.start(0)
                await ClockCycles(dut.clk, 100)
                assert await host.status() == {"busy"}, f"{name}: program behind it"
                await host.control("reset")
            memory.silent, memory.address_ready = False, True
            await driver.quiet()
            await driver.check_good(name)
            memory.silent = True
            await host.start(0)
            await ClockCycles(dut.clk, 100)
            await hard_reset_of(driver, interconnect=True)
            memory.silent = False
            assert await host.status() == {"quiet"}, f"{name}: after a hard reset"
            await driver.check_good(f"{name}, and a hard reset")


@cocotb.test()
async def soft_resets_with_bursts_in_flight(dut):
    """As many as the reader asks for ahead, on a memory slower than all of them; the next start
    follows at once, is reset as well or not, and the program that stays is right."""
    driver = await Driver.on(dut)
    host, memory = driver.host, driver.memory
    in_flight = driver.config.stream_beats // BURST_BEATS
    for resets in (1, 2, 4):
        memory.latency = 400
        memory.reads.clear()
        # The header's bursts, then those of the program.
        await host.start(0)
        while len(memory.reads) < 1 + in_flight:
            await RisingEdge(dut.clk)
        for turn in range(resets):
            if turn:
                await host.start(0)
                await ClockCycles(dut.clk, 7)
            await host.control("reset")
            assert await host.status() == set(), "quiet with bursts in flight"
        await driver.check_good(f"{resets} soft resets")
        memory.latency = 5
