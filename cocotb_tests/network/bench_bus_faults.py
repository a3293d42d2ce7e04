"""Bench of `Accelerator` on a memory that breaks the protocol.

Parameters: `config`; `image`, path of an .npy file with the good program; `result` and `bytes`, the
address and the contents of what it stores; `memory_bytes`; `storer`, a program of one STORE, and
`stored` and `row_bytes`, where it puts what.
"""

from collections.abc import Callable
from typing import Self

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles

from cocotb_tests.bus.faulty_memory import (
    ATTRIBUTES,
    DECERR,
    EXOKAY,
    OKAY,
    SLVERR,
    Beat,
    Faults,
    FaultyMemory,
    cut_short,
    with_response,
    without_last,
)
from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.network.bench_system import Host
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.program import ErrorCode

LIMIT_CYCLES = 5_000


class Driver:
    """Host and memory of one test."""

    @classmethod
    async def on(cls, dut) -> Self:
        await start(dut)
        return cls(dut)

    def __init__(self, dut):
        self.given = given = parameters()
        self.dut = dut
        self.config = AcceleratorConfig(**given["config"])
        self.host = Host(dut)
        self.memory = FaultyMemory(dut, "m_axi_", self.config.bus_bytes, given["memory_bytes"])
        image = np.load(given["image"]).tobytes()
        self.memory.contents[: len(image)] = image
        self.memory.start()

    async def error_of(self, address: int = 0) -> ErrorCode:
        """Run a program; returns its error."""
        await self.host.run(address, LIMIT_CYCLES)
        error = ErrorCode(await self.host.read("error"))
        await self.host.control("clear")
        return error

    async def quiet(self) -> None:
        await self.host.quiet()
        assert not self.memory.outstanding, "quiet with something under way"

    async def check_good(self, name: str) -> None:
        """The good program on a memory that keeps the rules."""
        self.memory.faults = Faults()
        begin, expected = self.given["result"], self.given["bytes"]
        self.memory.contents[begin : begin + len(expected)] = bytes(len(expected))
        assert_equal(f"error after {name}", await self.error_of(), ErrorCode.NONE)
        stored = self.memory.contents[begin : begin + len(expected)]
        assert_equal(f"result after {name}", list(stored), expected)
        await self.quiet()

    async def check_fault(self, name: str, faults: Faults, error: ErrorCode) -> None:
        """The good program with faults, then without."""
        self.memory.faults = faults
        assert_equal(f"error with {name}", await self.error_of(), error)
        # What the memory sends beyond what it was asked for does not count as outstanding.
        await self.host.quiet()
        await ClockCycles(self.dut.clk, 4 * self.memory.latency)
        await self.check_good(name)


def in_burst(index: int, change: Callable[[list[Beat]], list[Beat]]) -> Faults:
    """Reads are as they should be but for the burst of this number."""
    bursts = iter(range(1_000_000))
    return Faults(read=lambda _, beats: change(beats) if next(bursts) == index else beats)


@cocotb.test()
async def read_faults(dut):
    """In the header, in the first burst of the program and in a later one: READ_FAILED, quiet, and
    the next program is right."""
    driver = await Driver.on(dut)
    kinds = {
        "EXOKAY on the first beat": lambda beats: with_response(beats, 0, EXOKAY),
        "SLVERR on the last beat": lambda beats: with_response(beats, len(beats) - 1, SLVERR),
        "DECERR on the second beat": lambda beats: with_response(beats, 1, DECERR),
        "RLAST on the first beat": lambda beats: cut_short(beats, 1),
        "RLAST a beat early": lambda beats: cut_short(beats, len(beats) - 1),
        "no RLAST": without_last,
        "a beat too many": lambda beats: [*without_last(beats), Beat(0, last=True)],
    }
    for burst in (0, 1, 9):
        for kind, change in kinds.items():
            name = f"{kind} of burst {burst}"
            await driver.check_fault(name, in_burst(burst, change), ErrorCode.READ_FAILED)


@cocotb.test()
async def write_faults(dut):
    """Every bad response, and one before the row has left: WRITE_FAILED."""
    driver = await Driver.on(dut)
    for response in (EXOKAY, SLVERR, DECERR):
        faults = Faults(respond=lambda _, response=response: [response])
        await driver.check_fault(f"response {response}", faults, ErrorCode.WRITE_FAILED)
    for later in ([], [OKAY], [SLVERR]):
        faults = Faults(early=lambda _: [OKAY], respond=lambda _, later=later: later)
        name = f"an early response and {later} later"
        await driver.check_fault(name, faults, ErrorCode.WRITE_FAILED)


@cocotb.test()
async def stray_answers(dut):
    """Answers that nothing waits for, before the start: no error, no count, the right result."""
    driver = await Driver.on(dut)
    for count in (1, 5, 70):
        beats = [Beat(i, last=i == count - 1, response=SLVERR) for i in range(count)]
        driver.memory.stray(beats=beats, responses=[SLVERR] * count)
        await ClockCycles(dut.clk, count + 5)
        assert await driver.host.status() == {"quiet"}
        await driver.check_good(f"{count} stray answers")


@cocotb.test()
async def read_ahead_behind_the_end(dut):
    """Rows behind HALT that cannot be read are none of the program's business: it reaches HALT,
    where the checksum of a header of more rows is another one.
    """
    driver = await Driver.on(dut)
    size = driver.given["good_bytes"]
    contents = driver.memory.contents
    rows = contents[16:20]
    more = int.from_bytes(rows, "little") + 100
    contents[16:20] = more.to_bytes(4, "little")

    def refuse(burst, beats):
        places = range(burst.address, burst.address + burst.beats * driver.config.bus_bytes)
        beyond = [i for i in range(len(beats)) if places[i * driver.config.bus_bytes] >= size]
        for i in beyond:
            beats = with_response(beats, i, DECERR)
        return beats

    driver.memory.faults = Faults(read=refuse)
    assert await driver.error_of() == ErrorCode.BAD_CHECKSUM
    await driver.quiet()
    begin, expected = driver.given["result"], driver.given["bytes"]
    assert_equal("result", list(contents[begin : begin + len(expected)]), expected)
    contents[16:20] = rows
    await driver.check_good("read ahead of nothing")


@cocotb.test()
async def attributes(dut):
    """Of every burst: ID 0, whole beats, INCR, no lock, AxCACHE, AxPROT, no QoS."""
    driver = await Driver.on(dut)
    await driver.check_good("nothing")
    size = {4: 2, 8: 3}[driver.config.bus_bytes]
    protection = 0b000 if driver.config.secure else 0b010
    same = {"id": 0, "size": size, "burst": 1, "lock": 0, "prot": protection, "qos": 0}
    for bursts, cache in ((driver.memory.reads, 0b0011), (driver.memory.writes, 0b0010)):
        assert bursts
        expected = tuple((same | {"cache": cache})[name] for name in ATTRIBUTES)
        assert {burst.attributes for burst in bursts} == {expected}
