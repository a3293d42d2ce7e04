"""Bench of `System` driven by `sparse_vit.driver`.

Parameters: `config`; `image`, path of an .npy file with the good program; `result` and `bytes`, the
address and the contents of what it stores; `memory_bytes`.
"""

from collections.abc import Callable

import cocotb
import numpy as np
import pytest
from cocotb.task import bridge

from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.network.device import SimulatedDevice
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.presets import get_config
from sparse_vit.driver import Driver

PAGE = 4096
SECONDS = 60
"""Of this machine, for a program of a thousand cycles."""


class Session:
    """A driver and its device, and the good program at a page of memory."""

    def __init__(self, device: SimulatedDevice):
        self.given = given = parameters()
        self.config, self.device = AcceleratorConfig(**given["config"]), device
        self.image = np.load(given["image"]).tobytes()
        self.driver = Driver(self.config, device)

    def place(self, address: int) -> None:
        self.device.write_memory(address, self.image)
        self.device.write_memory(address + self.given["result"], bytes(len(self.expected)))

    @property
    def expected(self) -> bytes:
        return bytes(self.given["bytes"])

    def result(self, address: int) -> bytes:
        return self.device.read_memory(address + self.given["result"], len(self.expected))


async def run(dut, scenario: Callable[[Session], None]) -> None:
    """A function that knows nothing of the simulation, in a thread."""
    await start(dut)
    device = SimulatedDevice(dut, AcceleratorConfig(**parameters()["config"]))
    await bridge(lambda: scenario(Session(device)))()


@cocotb.test()
async def programs_run(dut):
    """Anywhere, one after the other; counters are of the last one."""

    def scenario(session: Session) -> None:
        driver, device = session.driver, session.device
        assert driver.status() == {"quiet"}
        counted = []
        for address in (0, 5 * PAGE):
            session.place(address)
            driver.start(address, results=address)
            assert driver.wait(SECONDS) == ErrorCode.NONE
            assert driver.status() == {"done", "quiet"}
            assert session.result(address) == session.expected
            counted.append(driver.counters())
            driver.acknowledge()
            assert driver.status() == {"quiet"}
        assert counted[0] == counted[1]
        assert counted[0]["cycles"] > counted[0]["linear_beats"] > 0
        assert counted[0]["rows_written"] * session.config.width == len(session.expected)
        with pytest.raises(UserError, match="no program runs"):
            driver.wait(SECONDS)
        device.write_memory(0, bytes(PAGE))
        driver.start(0)
        assert driver.wait(SECONDS) == driver.error() == ErrorCode.BAD_MAGIC
        driver.start(5 * PAGE)
        assert driver.wait(SECONDS) == ErrorCode.NONE

    await run(dut, scenario)


@cocotb.test()
async def bounds_hold(dut):
    """What leaves them stops, and once they are locked they stay."""

    def scenario(session: Session) -> None:
        driver, address = session.driver, 2 * PAGE
        session.place(address)
        everywhere = range(1 << session.config.address_bits)
        for reads, writes, expected in (
            (everywhere, range(PAGE), ErrorCode.OUT_OF_BOUNDS),
            (range(PAGE), everywhere, ErrorCode.OUT_OF_BOUNDS),
            (everywhere, range(address, 16 * PAGE), ErrorCode.NONE),
        ):
            driver.bound(reads=reads, writes=writes)
            driver.start(address, results=address)
            assert driver.wait(SECONDS) == expected
        driver.lock_bounds()
        with pytest.raises(UserError, match="locked: only a hard reset"):
            driver.bound(reads=everywhere, writes=everywhere)
        driver.start(address)
        assert driver.wait(SECONDS) == ErrorCode.OUT_OF_BOUNDS

    await run(dut, scenario)


@cocotb.test()
async def a_program_is_given_up(dut):
    """While it runs nothing else starts; a soft reset ends it, and memory is the host's again."""

    def scenario(session: Session) -> None:
        driver = session.driver
        session.device.memory.configure(latency=2000)
        session.place(0)
        driver.start(0)
        with pytest.raises(UserError, match="has not ended after 0 s"):
            driver.wait(0)
        for act in (lambda: driver.start(0), lambda: driver.bound(reads=range(1), writes=range(1))):
            with pytest.raises(UserError, match="a program runs"):
                act()
        with pytest.raises(UserError, match="outstanding after 0 s"):
            driver.quiet(0)
        driver.soft_reset()
        driver.quiet(SECONDS)
        assert driver.status() == {"quiet"}
        session.device.memory.configure()
        driver.start(0)
        assert driver.wait(SECONDS) == ErrorCode.NONE
        assert session.result(0) == session.expected

    await run(dut, scenario)


@cocotb.test()
async def what_does_not_fit_is_refused(dut):
    """Before any register is written."""

    def scenario(session: Session) -> None:
        driver, end = session.driver, 1 << session.config.address_bits
        with pytest.raises(UserError, match="is of configuration"):
            Driver(get_config("small"), session.device)
        for address, results, message in (
            (1, 0, "program_address = 0x1: expected a multiple of 4 below"),
            (end, 0, "program_address"),
            (0, PAGE // 2, "results = 0x800: expected a multiple of 4,096"),
            (0, -PAGE, "results"),
        ):
            with pytest.raises(UserError, match=message):
                driver.start(address, results=results)
        good = range(PAGE)
        for reads, writes, message in (
            (range(8), good, "the last page of reads"),
            (good, range(8, PAGE), "writes from"),
            (good, range(0), "writes = .*expected a range"),
            (range(0, PAGE, 2), good, "reads = .*expected a range"),
            (range(end + PAGE), good, "the last page of reads"),
        ):
            with pytest.raises(UserError, match=message):
                driver.bound(reads=reads, writes=writes)
        session.place(0)
        driver.start(0)
        assert driver.wait(SECONDS) == ErrorCode.NONE

    await run(dut, scenario)
