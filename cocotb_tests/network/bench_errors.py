"""Bench of `System`: programs that it refuses, starts while busy and soft resets; behind each, a
program that must still give its right result.

Parameters: `config`; `image`, path of an .npy file with all programs; `programs`, a list of name,
address, error and `recovers` (the good program follows); `good`, address and bytes of the result of
the good program, which lies at 0; `stalls`, a name of MEMORIES; `memories`, those on which programs
are refused.
"""

from collections.abc import Mapping
from typing import Any, Self

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiResp

from cocotb_tests.bus.simulated_memory import MemoryAccess
from cocotb_tests.coverage.programs import Whole, count_program
from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.network.bench_system import Host
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.program import ErrorCode

MEMORIES = {"none": {}, "fixed": {"latency": 5}, "random": {"latency": 5, "stall": 0.1}}
"""Memories by how they stall."""
LIMIT_CYCLES = 20_000
"""Of a program."""
RESETS = 5
"""Soft resets, spread over the run of the good program."""


class Driver:
    """Host and memory of one test."""

    @classmethod
    async def on(cls, dut) -> Self:
        """After reset, with the programs in memory."""
        await start(dut)
        driver = cls(dut)
        driver.use_memory(driver.given["stalls"])
        await driver.memory.write(0, driver.contents)
        return driver

    def __init__(self, dut):
        self.given = parameters()
        self.good = self.given["good"]
        self.dut = dut
        self.host = Host(dut)
        self.config = AcceleratorConfig(**self.given["config"])
        self.memory = MemoryAccess(dut, "memory", self.config)
        self.contents = np.load(self.given["image"]).tobytes()

    def use_memory(self, stalls: str) -> None:
        """From now on, one of MEMORIES."""
        self.stalls = stalls
        self.memory.configure(**MEMORIES[stalls])

    async def acknowledge(self, name: str) -> None:
        await self.host.control("clear")
        assert await self.host.progress() == set(), f"{name}: status after clear"
        assert not int(self.dut.irq.value), f"{name}: interrupt after clear"

    async def clear_result(self) -> None:
        await self.host.quiet()
        await self.memory.write(self.good["result"], bytes(len(self.good["bytes"])))

    async def check_result(self, name: str) -> None:
        assert await self.host.progress() == {"done"}, f"{name}: status"
        assert_equal(f"{name}: error", await self.host.read("error"), ErrorCode.NONE)
        stored = await self.memory.read(self.good["result"], len(self.good["bytes"]))
        assert_equal(f"{name}: result", list(stored), self.good["bytes"])

    def count(self, address: int, error: int) -> None:
        """A program that ended, for functional coverage."""
        memory = Whole(self.contents, size=len(self.contents))
        count_program(self.config, memory, address, error, self.stalls)

    async def check_end(self, program: Mapping[str, Any], name: str) -> None:
        """Its code and an interrupt; counters stand still and are readable."""
        host, error = self.host, program["error"]
        self.dut._log.info(name)
        await host.run(program["address"], LIMIT_CYCLES)
        stopped = [await host.read("cycles"), await host.read("rows_read")]
        assert_equal(f"{name}: error", await host.read("error"), error)
        self.count(program["address"], error)
        expected = {"done", "error"} if error != ErrorCode.NONE else {"done"}
        assert await host.progress() == expected, f"{name}: status"
        later = [await host.read("cycles"), await host.read("rows_read")]
        assert_equal(f"{name}: counters later", later, stopped)
        assert stopped[0] > 0, f"{name}: no cycles"
        await self.acknowledge(name)

    async def run_good(self, name: str) -> dict[str, int]:
        """The good program and its result; returns its counters."""
        await self.clear_result()
        await self.host.run(0, LIMIT_CYCLES)
        await self.check_result(name)
        self.count(0, ErrorCode.NONE)
        counters = await self.host.counters()
        await self.acknowledge(name)
        return counters


@cocotb.test()
async def refuses_and_goes_on(dut):
    """Each program, on each memory; the good one behind them."""
    driver = await Driver.on(dut)
    first = await driver.run_good("first run")
    for program in driver.given["programs"]:
        for stalls in driver.given["memories"]:
            driver.use_memory(stalls)
            await driver.check_end(program, f"{program['name']}, stalls: {stalls}")
        name = program["name"]
        if program["recovers"]:
            counters = await driver.run_good(f"after {name}")
            assert counters["linear_beats"] == first["linear_beats"], name
            assert counters["rows_read"] == first["rows_read"], name


@cocotb.test()
async def start_while_busy(dut):
    """It is refused, and neither it nor another program address disturbs the program."""
    driver = await Driver.on(dut)
    host = driver.host
    await driver.clear_result()
    await host.write("interrupt_enable", 1)
    assert await host.start(0) == AxiResp.OKAY
    for _ in range(3):
        assert await host.progress() == {"busy"}
        assert await host.start(driver.given["programs"][0]["address"]) == AxiResp.SLVERR
        await ClockCycles(dut.clk, 50)
    if not int(dut.irq.value):
        await with_timeout(RisingEdge(dut.irq), LIMIT_CYCLES * CLOCK_PERIOD_NS, "ns")
    await driver.check_result("disturbed run")
    # A start acknowledges, too.
    assert await host.start(0) == AxiResp.OKAY
    assert await host.progress() == {"busy"}


@cocotb.test()
async def soft_reset(dut):
    """Within a program: neither done nor busy, no interrupt, and the next run is right."""
    driver = await Driver.on(dut)
    host = driver.host
    cycles = (await driver.run_good("first run"))["cycles"]
    for turn in range(RESETS):
        name = f"reset {turn}"
        await host.start(0)
        await ClockCycles(dut.clk, cycles * turn // RESETS + 20)
        assert await host.progress() == {"busy"}, name
        await host.control("reset")
        for _ in range(20):
            await RisingEdge(dut.clk)
            assert not int(dut.irq.value), f"{name}: interrupt"
        assert await host.progress() == set(), name
        await driver.run_good(name)
