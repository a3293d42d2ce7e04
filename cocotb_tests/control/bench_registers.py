"""Bench of `Registers` with the AXI4-Lite manager of cocotbext-axi."""

import random

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp
from cocotbext.axi.axil_channels import AxiLiteAWTransaction, AxiLiteWTransaction

from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.harness.streams import random_pauses
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.registers import (
    CONTROL_BITS,
    ID,
    MAP_ADDRESS_BITS,
    Access,
    RegisterMap,
    Registers,
)
from rtl_gen.interfaces.program import VERSION

LIMIT_CYCLES = 50_000
PULSES = ("start", "reset")


class Driver:
    """The manager, and a count of the pulses that the registers send."""

    def __init__(self, dut: HierarchyObject, *, pause: float = 0):
        given = parameters()
        self.dut = dut
        self.config = AcceleratorConfig(**given["config"])
        self.counters = dict(given["counters"])
        self.map = RegisterMap(self.counters)
        self.rng = random.Random(given["seed"])
        bus = AxiLiteBus.from_prefix(dut, "bus_")
        self.master = AxiLiteMaster(bus, dut.clk, dut.rst)
        if pause:
            write, read = self.master.write_if, self.master.read_if
            channels = (write.aw_channel, write.w_channel, write.b_channel)
            for channel in (*channels, read.ar_channel, read.r_channel):
                seed = self.rng.getrandbits(32)
                channel.set_pause_generator(random_pauses(pause, seed))
        self.pulses = dict.fromkeys(PULSES, 0)
        cocotb.start_soon(self._count())

    async def _count(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            for name in PULSES:
                self.pulses[name] += int(self.dut[name].value)

    async def read(self, name: str) -> int:
        response = await self.master.read(self.map[name].offset, 4)
        assert response.resp == AxiResp.OKAY, f"{name}: {response.resp}"
        return int.from_bytes(response.data, "little")

    async def write(self, name: str, value: int, expected: AxiResp = AxiResp.OKAY) -> None:
        data = value.to_bytes(4, "little")
        response = await self.master.write(self.map[name].offset, data)
        assert response.resp == expected, f"{name} <- {value:#x}: {response.resp}"

    async def control(self, *names: str, expected: AxiResp = AxiResp.OKAY) -> dict[str, int]:
        """Write these bits of CONTROL; returns how often each pulse came."""
        before = dict(self.pulses)
        await self.write("control", sum(1 << CONTROL_BITS[name] for name in names), expected)
        await ClockCycles(self.dut.clk, 2)
        return {name: self.pulses[name] - before[name] for name in PULSES}

    async def finish(self, error: int) -> None:
        self.dut.finished.value = 1
        self.dut.error.value = error
        await RisingEdge(self.dut.clk)
        self.dut.finished.value = 0
        self.dut.error.value = 0xAA
        await RisingEdge(self.dut.clk)

    async def status(self) -> tuple[int, int, int]:
        """STATUS (bit 0 busy, 1 done, 2 error, 3 quiet), ERROR and the interrupt."""
        interrupt = int(self.dut.irq.value)
        return await self.read("status"), await self.read("error"), interrupt


def only(*names: str) -> dict[str, int]:
    return {name: int(name in names) for name in PULSES}


@cocotb.test()
async def constants(dut):
    """Identity, and every counter in its halves."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut, pause=0.3)
    assert await driver.read("id") == ID
    assert await driver.read("version") == VERSION
    digest = f"{await driver.read('config_high'):08x}{await driver.read('config_low'):08x}"
    assert digest == driver.config.digest()
    assert await driver.read("control") == 0
    values = {name: driver.rng.getrandbits(width) for name, (width, _) in driver.counters.items()}
    for name, value in values.items():
        dut[f"counters__{name}"].value = value
    for name, (width, _) in driver.counters.items():
        assert await driver.read(name) == values[name] & 0xFFFF_FFFF, name
        if width > 32:
            assert await driver.read(f"{name}_high") == values[name] >> 32, name


@cocotb.test()
async def program_life(dut):
    """Start, busy, done with interrupt, acknowledge; an error; a start clears both."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    await driver.write("program_address", 0x8765_4320)
    assert int(dut.program_address.value) == 0x8765_4320
    assert await driver.status() == (0b000, 0, 0)
    assert await driver.control("start") == only("start")
    dut.busy.value = 1
    assert await driver.status() == (0b001, 0, 0)
    assert await driver.control("start", "clear", expected=AxiResp.SLVERR) == only()
    dut.busy.value = 0
    await driver.finish(0)
    assert await driver.status() == (0b010, 0, 0)
    await driver.write("interrupt_enable", 1)
    assert await driver.read("interrupt_enable") == 1
    assert await driver.status() == (0b010, 0, 1)
    assert await driver.control("clear") == only()
    assert await driver.status() == (0b000, 0, 0)
    await driver.finish(0x93)
    assert await driver.status() == (0b110, 0x93, 1)
    assert await driver.control("start") == only("start")
    assert await driver.status() == (0b000, 0, 0)
    await driver.finish(1)
    assert await driver.control("reset") == only("reset")
    assert await driver.status() == (0b000, 0, 0)
    assert await driver.read("program_address") == 0x8765_4320
    dut.busy.value = 1
    await ClockCycles(dut.clk, 2)
    assert await driver.control("reset") == only("reset")
    await driver.finish(0)
    await driver.write("interrupt_enable", 0)
    assert await driver.status() == (0b011, 0, 0)


@cocotb.test()
async def quiet(dut):
    """It shows as it is, and nothing else changes with it."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    dut.quiet.value = 1
    assert await driver.status() == (0b1000, 0, 0)
    await driver.finish(0x93)
    assert await driver.status() == (0b1110, 0x93, 0)
    dut.quiet.value = 0
    assert await driver.status() == (0b0110, 0x93, 0)


@cocotb.test()
async def start_with_reset(dut):
    """Refused, busy or not, whatever else is set: neither pulse, and nothing is acknowledged."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    await driver.finish(5)
    for busy in (0, 1):
        dut.busy.value = busy
        for more in ((), ("clear",)):
            pulses = await driver.control("start", "reset", *more, expected=AxiResp.SLVERR)
            assert pulses == only()
            assert await driver.status() == (0b110 | busy, 5, 0)
    dut.busy.value = 0
    assert await driver.control("clear", "reset") == only("reset")
    assert await driver.status() == (0b000, 0, 0)


@cocotb.test()
async def end_in_the_cycle_of_a_pulse(dut):
    """The same end is lost to a reset, but not to a `clear`, which is for what ended before."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    await driver.write("interrupt_enable", 1)
    lost = {"clear": 0, "reset": 0}
    for name in lost:
        for cycle in range(12):
            writing = cocotb.start_soon(driver.write("control", 1 << CONTROL_BITS[name]))
            await ClockCycles(dut.clk, 1 + cycle)
            await driver.finish(7)
            await writing
            await ClockCycles(dut.clk, 2)
            status = await driver.status()
            assert status in ((0b000, 0, 0), (0b110, 7, 1)), f"{name}, end in cycle {cycle}"
            lost[name] += status[0] == 0
            await driver.control("clear")
    assert 0 < lost["clear"] < lost["reset"] == lost["clear"] + 1 < 12


@cocotb.test()
async def strobes(dut):
    """Each byte of PROGRAM alone; a CONTROL write without its low byte does nothing."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut, pause=0.2)
    expected = bytearray(4)
    offset = driver.map["program_address"].offset
    for _ in range(20):
        low, high = sorted(driver.rng.sample(range(5), 2))
        data = driver.rng.randbytes(high - low)
        expected[low:high] = data
        address = offset + low
        word = int.from_bytes(data, "little") << 8 * low
        response = await raw_write(dut, driver, address - low, word, (1 << high) - (1 << low))
        assert response == AxiResp.OKAY
        assert await driver.read("program_address") == int.from_bytes(expected, "little")
    control = driver.map["control"].offset
    assert await raw_write(dut, driver, control, 0x0101_0101, 0b1110) == AxiResp.OKAY
    assert await raw_write(dut, driver, control, 0x1, 0) == AxiResp.OKAY
    assert driver.pulses == only()


@cocotb.test()
async def refused(dut):
    """Holes, addresses inside a word and read-only registers get SLVERR; nothing changes."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut, pause=0.2)
    await driver.write("program_address", 0x1000)
    mapped = {register.offset for register in driver.map}
    last = 1 << MAP_ADDRESS_BITS
    holes = [max(mapped) + 4, 0x24, last - 4, *driver.rng.sample(range(0, last, 4), 20)]
    inside = [offset + shift for offset in sorted(mapped)[:9] for shift in (1, 2, 3)]
    for offset in [*(hole for hole in holes if hole not in mapped), *inside]:
        whole = await driver.master.read(offset, 1)
        assert whole.resp == AxiResp.SLVERR, f"read {offset:#x}"
        response = await raw_write(dut, driver, offset, 0xFFFF_FFFF, 0xF)
        assert response == AxiResp.SLVERR, f"write {offset:#x}"
    for register in driver.map:
        if register.access == Access.READ_ONLY:
            await driver.write(register.name, 0xFFFF_FFFF, AxiResp.SLVERR)
    assert driver.pulses == only()
    assert await driver.read("program_address") == 0x1000
    assert await driver.read("interrupt_enable") == 0


@cocotb.test()
async def both_directions_at_once(dut):
    """Reads and writes under way together don't disturb each other."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut, pause=0.3)

    async def reads() -> None:
        for _ in range(40):
            assert await driver.read("id") == ID
            assert await driver.read("version") == VERSION

    reading = cocotb.start_soon(reads())
    for _ in range(40):
        value = driver.rng.getrandbits(32)
        await driver.write("program_address", value)
        assert int(dut.program_address.value) == value
    await reading


@cocotb.test()
async def responses_wait(dut):
    """Accesses that pile up while the host takes no response are all answered, in order."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    write, read = driver.master.write_if, driver.master.read_if
    hole = max(register.offset for register in driver.map) + 4
    good = driver.map["program_address"].offset
    offsets = [good, hole, good, good, hole]
    write.b_channel.pause = read.r_channel.pause = True
    writes = [
        driver.master.init_write(offset, bytes([i, 0, 0, 0])) for i, offset in enumerate(offsets)
    ]
    await ClockCycles(dut.clk, 20)
    assert int(dut.program_address.value) == 0, "a second write acts before the first response"
    reads = [driver.master.init_read(offset, 4) for offset in offsets]
    await ClockCycles(dut.clk, 20)
    write.b_channel.pause = read.r_channel.pause = False
    for offset, writing, reading in zip(offsets, writes, reads, strict=True):
        for access in (writing, reading):
            await access.wait()
            assert (access.data.resp == AxiResp.OKAY) == (offset == good)


@cocotb.test()
async def latency(dut):
    """Cycles from the transfers to the response, with a host that is always ready."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    dut.bus__rready.value = dut.bus__bready.value = 1
    dut.bus__arvalid.value = dut.bus__awvalid.value = dut.bus__wvalid.value = 1
    dut.bus__wstrb.value = 0xF
    dut.bus__awaddr.value = RegisterMap({})["program_address"].offset
    dut.bus__wdata.value = 0x40
    await RisingEdge(dut.clk)
    dut.bus__arvalid.value = dut.bus__awvalid.value = dut.bus__wvalid.value = 0
    seen = {"bus__rvalid": 0, "bus__bvalid": 0, "program_address": 0}
    for cycle in range(1, 6):
        await RisingEdge(dut.clk)
        for name in seen:
            if int(dut[name].value) and not seen[name]:
                seen[name] = cycle
    assert seen["bus__rvalid"] == Registers.READ_CYCLES
    assert seen["bus__bvalid"] == seen["program_address"] == Registers.WRITE_CYCLES


async def raw_write(
    dut: HierarchyObject, driver: Driver, address: int, word: int, strobe: int
) -> int:
    """A write with address and strobes as given, either channel first; returns the response."""
    channels = driver.master.write_if

    async def send_data() -> None:
        await channels.w_channel.send(AxiLiteWTransaction(wdata=word, wstrb=strobe))

    async def send_address() -> None:
        await channels.aw_channel.send(AxiLiteAWTransaction(awaddr=address))

    first, second = driver.rng.sample([send_data, send_address], 2)
    await first()
    await ClockCycles(dut.clk, driver.rng.randrange(1, 5))
    await second()
    return int((await channels.b_channel.recv()).bresp)
