"""Bench of `System`: programs that it refuses, starts while busy and soft resets; behind each, a
program that must still give its right result.

Parameters: `config`; `image`, path of an .npy file with all programs; `programs`, a list of name,
address, error and `recovers` (the good program follows); `good`, address of the good program and
address and bytes of its result; `latency` and `stall` of the memory; `limit_cycles` of a program.
"""

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiResp

from cocotb_tests.bus.simulated_memory import MemoryAccess
from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.network.bench_system import Host
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.registers import CONTROL_BITS
from rtl_gen.interfaces.program import ErrorCode

RESETS = 5
"""Soft resets, spread over the run of the good program."""


class Driver:
    """Host and memory of one test."""

    def __init__(self, dut):
        self.given = parameters()
        self.dut = dut
        self.host = Host(dut)
        self.memory = MemoryAccess(dut, "memory", AcceleratorConfig(**self.given["config"]))

    async def begin(self) -> None:
        given = self.given
        await start(self.dut)
        self.memory.configure(latency=given["latency"], stall=given["stall"])
        await self.memory.write(0, np.load(given["image"]).tobytes())

    async def control(self, name: str) -> AxiResp:
        return await self.host.try_write("control", 1 << CONTROL_BITS[name])

    async def status(self) -> set[str]:
        """Names of the bits that are set, but for `quiet`, which has its own time."""
        return await self.host.status() - {"quiet"}

    async def run(self, address: int) -> None:
        await self.host.run(address, self.given["limit_cycles"])

    async def acknowledge(self, name: str) -> None:
        await self.control("clear")
        assert await self.status() == set(), f"{name}: status after clear"
        assert not int(self.dut.irq.value), f"{name}: interrupt after clear"

    async def clear_result(self) -> None:
        await self.host.quiet()
        good = self.given["good"]
        await self.memory.write(good["result"], bytes(len(good["bytes"])))

    async def check_result(self, name: str) -> None:
        good = self.given["good"]
        assert await self.status() == {"done"}, f"{name}: status"
        assert_equal(f"{name}: error", await self.host.read("error"), ErrorCode.NONE)
        stored = await self.memory.read(good["result"], len(good["bytes"]))
        assert_equal(f"{name}: result", list(stored), good["bytes"])

    async def run_good(self, name: str) -> dict[str, int]:
        """The good program and its result; returns its counters."""
        await self.clear_result()
        await self.run(self.given["good"]["address"])
        await self.check_result(name)
        counters = await self.host.counters()
        await self.acknowledge(name)
        return counters


@cocotb.test()
async def refuses_and_goes_on(dut):
    """Each program stops with its code and an interrupt; counters stand still and are readable."""
    driver = Driver(dut)
    await driver.begin()
    host = driver.host
    first = await driver.run_good("first run")
    for program in driver.given["programs"]:
        name, error = program["name"], program["error"]
        dut._log.info(name)
        await driver.run(program["address"])
        stopped = [await host.read("cycles"), await host.read("rows_read")]
        assert_equal(f"{name}: error", await host.read("error"), error)
        expected = {"done", "error"} if error != ErrorCode.NONE else {"done"}
        assert await driver.status() == expected, f"{name}: status"
        assert_equal(
            f"{name}: counters later",
            [await host.read("cycles"), await host.read("rows_read")],
            stopped,
        )
        assert stopped[0] > 0, f"{name}: no cycles"
        await driver.acknowledge(name)
        if program["recovers"]:
            counters = await driver.run_good(f"after {name}")
            assert counters["linear_beats"] == first["linear_beats"], name
            assert counters["rows_read"] == first["rows_read"], name


@cocotb.test()
async def start_while_busy(dut):
    """It is refused, and neither it nor another program address disturbs the program."""
    driver = Driver(dut)
    await driver.begin()
    host, good = driver.host, driver.given["good"]
    await driver.clear_result()
    await host.write("program_address", good["address"])
    await host.write("interrupt_enable", 1)
    assert await driver.control("start") == AxiResp.OKAY
    await host.write("program_address", driver.given["programs"][0]["address"])
    for _ in range(3):
        assert await driver.status() == {"busy"}
        assert await driver.control("start") == AxiResp.SLVERR
        await ClockCycles(dut.clk, 50)
    if not int(dut.irq.value):
        limit = driver.given["limit_cycles"] * CLOCK_PERIOD_NS
        await with_timeout(RisingEdge(dut.irq), limit, "ns")
    await driver.check_result("disturbed run")
    # A start acknowledges, too.
    await host.write("program_address", good["address"])
    assert await driver.control("start") == AxiResp.OKAY
    assert await driver.status() == {"busy"}


@cocotb.test()
async def soft_reset(dut):
    """Within a program: neither done nor busy, no interrupt, and the next run is right."""
    driver = Driver(dut)
    await driver.begin()
    host, good = driver.host, driver.given["good"]
    cycles = (await driver.run_good("first run"))["cycles"]
    await host.write("program_address", good["address"])
    for turn in range(RESETS):
        name = f"reset {turn}"
        await driver.control("start")
        await ClockCycles(dut.clk, cycles * turn // RESETS + 20)
        assert await driver.status() == {"busy"}, name
        await driver.control("reset")
        for _ in range(20):
            await RisingEdge(dut.clk)
            assert not int(dut.irq.value), f"{name}: interrupt"
        assert await driver.status() == set(), name
        await driver.run_good(name)
