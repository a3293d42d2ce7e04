"""Bench of `Accelerator`: programs anywhere in memory, and bounds that they cannot leave.

Parameters: `config`; `image`, path of an .npy file with the good program; `result` and `bytes`, the
address and the contents of what it stores; `memory_bytes`.
"""

from typing import Self

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiResp

from cocotb_tests.bus.faulty_memory import Burst, FaultyMemory
from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.network.bench_system import Host
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.program import ErrorCode, record_bytes

LIMIT_CYCLES = 5_000
PAGE = 4096


class Driver:
    """Host, and a memory that repeats itself up to the last address."""

    @classmethod
    async def on(cls, dut) -> Self:
        await start(dut)
        return cls(dut)

    def __init__(self, dut):
        self.given = given = parameters()
        self.config = AcceleratorConfig(**given["config"])
        self.host = Host(dut)
        self.memory = FaultyMemory(dut, "m_axi_", self.config.bus_bytes, given["memory_bytes"])
        self.image = np.load(given["image"]).tobytes()
        self.end = 1 << self.config.address_bits
        self.memory.start()

    async def bound(self, reads: range, writes: range) -> None:
        for name, window in (("read", reads), ("write", writes)):
            assert await self.host.write(f"{name}_base", window.start) == AxiResp.OKAY
            assert await self.host.write(f"{name}_limit", window.stop - 1) == AxiResp.OKAY

    async def error_of(self, address: int, results: int) -> ErrorCode:
        """Run the good program there in a memory that holds nothing else; returns its error."""
        self.memory.contents[:] = bytes(self.memory.size)
        self._fill(address, self.image)
        self.memory.reads.clear(), self.memory.writes.clear()
        assert await self.host.write("result_base", results) == AxiResp.OKAY
        await self.host.run(address, LIMIT_CYCLES)
        error = ErrorCode(await self.host.read("error"))
        await self.host.control("clear")
        await self.host.quiet()
        return error

    async def check(self, address: int, results: int) -> None:
        """It ends well, and memory holds it and its result, nothing else."""
        name = f"program at {address:#x}, results behind {results:#x}"
        assert_equal(f"{name}: error", await self.error_of(address, results), ErrorCode.NONE)
        left = bytes(self.memory.contents)
        self.memory.contents[:] = bytes(self.memory.size)
        self._fill(address, self.image)
        self._fill(results + self.given["result"], bytes(self.given["bytes"]))
        assert left == self.memory.contents, f"{name}: memory"

    def _fill(self, address: int, data: bytes) -> None:
        begin = address % self.memory.size
        assert begin + len(data) <= self.memory.size
        self.memory.contents[begin : begin + len(data)] = data

    def outside(self, bursts: list[Burst], window: range) -> list[Burst]:
        """Bursts with a beat outside."""
        size = self.config.bus_bytes
        return [
            burst
            for burst in bursts
            if burst.address < window.start or burst.address + burst.beats * size > window.stop
        ]


@cocotb.test()
async def programs_lie_anywhere(dut):
    """The image at any beat, its results behind any page, up to the end of all addresses."""
    driver = await Driver.on(dut)
    beat, size = driver.config.bus_bytes, len(driver.image)
    last_page = driver.end - PAGE - driver.given["result"] // PAGE * PAGE
    for address, results in (
        (0, 0),
        (beat, 0),
        (3 * PAGE + 5 * beat, 5 * PAGE),
        (driver.end - size, 0),
        (driver.end // 2 + PAGE - beat, driver.end // 2 + 3 * PAGE),
        (0, last_page),
    ):
        await driver.check(address, results)


@cocotb.test()
async def nothing_leaves_the_bounds(dut):
    """Bounds around a program and its results let it run; with an end moved inwards by a page it
    stops, and no burst asks for anything beyond."""
    driver = await Driver.on(dut)
    size, result = len(driver.image), driver.given["result"]
    header = record_bytes(driver.config)
    results = driver.end // 4
    stored = results + result // PAGE * PAGE
    writes = range(stored, stored + PAGE)
    pages = -(-size // PAGE)
    # Once from a page's beginning, once up to a page's end.
    for address in (driver.end // 2, driver.end // 2 + pages * PAGE - size):
        reads = range(driver.end // 2, driver.end // 2 + pages * PAGE)
        await driver.bound(reads, writes)
        await driver.check(address, results)
        assert driver.memory.reads
        assert len(driver.memory.writes) > 0
        for refused in (
            range(reads.start + PAGE, reads.stop + PAGE),
            range(reads.start),
            range(reads.stop, driver.end),
        ):
            await driver.bound(refused, writes)
            assert_equal("error", await driver.error_of(address, results), ErrorCode.OUT_OF_BOUNDS)
            assert not driver.memory.reads, f"read outside of {refused}"
        await driver.bound(range(reads.start, reads.stop - PAGE), writes)
        assert_equal("error", await driver.error_of(address, results), ErrorCode.OUT_OF_BOUNDS)
        known = range(address, address + header)
        assert not driver.outside(driver.memory.reads, known), "read behind the header"
        for refused in (range(writes.start), range(writes.stop, driver.end)):
            await driver.bound(reads, refused)
            assert_equal("error", await driver.error_of(address, results), ErrorCode.OUT_OF_BOUNDS)
            assert not driver.memory.writes, f"written outside of {refused}"
            assert not driver.outside(driver.memory.reads, reads)


@cocotb.test()
async def locked_bounds_stay(dut):
    """Neither the host nor a soft reset opens them; a hard reset does."""
    driver = await Driver.on(dut)
    host = driver.host
    await driver.bound(range(driver.end), range(PAGE, 2 * PAGE))
    assert await host.write("bounds_lock", 1) == AxiResp.OKAY
    assert await host.write("write_base", 0) == AxiResp.SLVERR
    assert await host.write("write_limit", driver.end - 1) == AxiResp.SLVERR
    await host.control("reset")
    results = driver.end - 2 * PAGE
    assert_equal("error", await driver.error_of(0, results), ErrorCode.OUT_OF_BOUNDS)
    dut.rst.value = 1
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 4)
    await driver.check(0, results - driver.given["result"] // PAGE * PAGE)


@cocotb.test()
async def bounds_stay_while_a_program_runs(dut):
    """The host cannot move them then."""
    driver = await Driver.on(dut)
    host = driver.host
    driver.memory.contents[: len(driver.image)] = driver.image
    await host.start(0)
    for name in ("result_base", "read_base", "read_limit", "write_base", "write_limit"):
        assert await host.write(name, 8 * PAGE) == AxiResp.SLVERR, name
    assert "busy" in await host.status()
    await host.quiet()
    assert_equal("error", await host.read("error"), ErrorCode.NONE)
