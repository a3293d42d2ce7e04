"""Bench of `System`: what the host sees around a program's end, in every cycle.

Parameters: those of bench_errors, and `resets`, the cycles between a start and a soft reset;
`followed`, those of them after which the good program runs; `accepted`, a program that ends with an
error behind a STORE, as name, address and error, and address and bytes of what it stores.
"""

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.network.bench_errors import LIMIT_CYCLES, Driver
from rtl_gen.interfaces.program import ErrorCode

POLL_PHASES = 16
"""More cycles than a poll of the status takes."""


@cocotb.test()
async def status_shows_busy_until_done(dut):
    """Polled in every phase: the first word that is not busy says done, and whether it failed."""
    driver = await Driver.on(dut)
    host = driver.host
    for program in driver.given["programs"]:
        ended = {"done"} if program["error"] == ErrorCode.NONE else {"done", "error"}
        await host.write("program_address", program["address"])
        for phase in range(POLL_PHASES):
            await host.control("start")
            await ClockCycles(dut.clk, 1 + phase)
            while (status := await host.progress()) == {"busy"}:
                pass
            assert_equal(f"{program['name']}, phase {phase}", status, ended)


@cocotb.test()
async def reset_in_any_cycle(dut):
    """Neither busy, done nor error, no interrupt then or later, and the next program is right."""
    driver = await Driver.on(dut)
    host = driver.host
    await host.write("interrupt_enable", 1)
    ended = 0
    for cycle in driver.given["resets"]:
        name = f"reset {cycle} cycles after the start"
        await host.start(0)
        await ClockCycles(dut.clk, cycle) if cycle else None
        ended += int(dut.irq.value)
        await host.control("reset")
        for _ in range(4):
            await RisingEdge(dut.clk)
            assert not int(dut.irq.value), f"{name}: interrupt"
        assert await host.progress() == set(), f"{name}: status"
        assert await host.read("error") == ErrorCode.NONE, f"{name}: error"
        assert not int(dut.irq.value), f"{name}: interrupt"
        if cycle in driver.given["followed"]:
            await driver.run_good(name)
    assert 0 < ended < len(driver.given["resets"]), "the resets do not pass the program's end"


@cocotb.test()
async def start_and_reset_at_once(dut):
    """Refused with nothing done, before a program, within it and behind it."""
    driver = await Driver.on(dut)
    host = driver.host

    async def refused() -> None:
        before = await host.progress()
        assert await host.control("start", "reset") != 0
        assert await host.progress() == before

    await refused()
    await driver.clear_result()
    await host.start(0)
    await refused()
    while await host.progress() == {"busy"}:
        pass
    await refused()
    await driver.check_result("program with refused resets")


@cocotb.test()
async def accepted_commands_finish(dut):
    """Rows of a STORE before a bad command are in memory when the error shows."""
    driver = await Driver.on(dut)
    for accepted in driver.given["accepted"]:
        name = accepted["name"]
        expected = accepted["bytes"]
        await driver.host.quiet()
        await driver.memory.write(accepted["result"], bytes(len(expected)))
        await driver.host.run(accepted["address"], LIMIT_CYCLES)
        assert_equal(f"{name}: error", await driver.host.read("error"), accepted["error"])
        stored = await driver.memory.read(accepted["result"], len(expected))
        assert_equal(f"{name}: stored", list(stored), expected)
        await driver.acknowledge(name)
        await driver.run_good(f"after {name}")
