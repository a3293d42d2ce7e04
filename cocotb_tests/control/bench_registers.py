"""Bench of `Registers` with the AXI4-Lite manager of cocotbext-axi.

Parameters: configuration, counters, seed.
"""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp
from cocotbext.axi.axil_channels import AxiLiteAWTransaction, AxiLiteWTransaction

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.control.register_map import CONTROL_BITS, ID, MAP_ADDRESS_BITS, VERSION, Access
from rtl_gen.control.registers import Registers

PULSES = {"start": "core__start__valid", "reset": "core__reset"}


class RegistersBench(UnitBench):
    def make_unit(self) -> Registers:
        return Registers(self.config, dict(self.given["counters"]))


class HostBench(RegistersBench):
    """The manager, and a count of the pulses that the registers send."""

    def __init__(self, dut: HierarchyObject, *, pause: float = 0):
        super().__init__(dut)
        self.map = self.unit.map
        bus = AxiLiteBus.from_prefix(dut, "bus_")
        self.master = AxiLiteMaster(bus, dut.clk, dut.rst)
        if pause:
            write, read = self.master.write_if, self.master.read_if
            channels = (write.aw_channel, write.w_channel, write.b_channel)
            for channel in (*channels, read.ar_channel, read.r_channel):
                channel.set_pause_generator(self.pauses(pause))
        self.pulses = dict.fromkeys(PULSES, 0)
        cocotb.start_soon(self._count())

    async def _count(self) -> None:
        while True:
            await self.edge
            for name, port in PULSES.items():
                self.pulses[name] += self.get(port)

    async def value(self, name: str) -> int:
        response = await self.master.read(self.map[name].offset, 4)
        assert response.resp == AxiResp.OKAY, f"{name}: {response.resp}"
        return int.from_bytes(response.data, "little")

    async def write(self, name: str, value: int, expected: AxiResp = AxiResp.OKAY) -> None:
        data = value.to_bytes(4, "little")
        response = await self.master.write(self.map[name].offset, data)
        assert response.resp == expected, f"{name} <- {value:#x}: {response.resp}"

    async def write_at(self, address: int, word: int, strobe: int) -> int:
        """Address and strobes as given, either channel first; returns the response."""
        channels = self.master.write_if
        first, second = self.rng.sample(
            [
                (channels.w_channel, AxiLiteWTransaction(wdata=word, wstrb=strobe)),
                (channels.aw_channel, AxiLiteAWTransaction(awaddr=address)),
            ],
            2,
        )
        await first[0].send(first[1])
        await ClockCycles(self.dut.clk, self.rng.randrange(1, 5))
        await second[0].send(second[1])
        return int((await channels.b_channel.recv()).bresp)

    async def control(self, *names: str, expected: AxiResp = AxiResp.OKAY) -> dict[str, int]:
        """Write these bits of CONTROL; returns how often each pulse came."""
        before = dict(self.pulses)
        await self.write("control", sum(1 << CONTROL_BITS[name] for name in names), expected)
        await ClockCycles(self.dut.clk, 2)
        return {name: self.pulses[name] - before[name] for name in PULSES}

    async def finish(self, error: int) -> None:
        self.set(core__finished=1, core__error=error)
        await self.edge
        self.set(core__finished=0, core__error=0xAA)
        await self.edge

    async def status(self) -> tuple[int, int, int]:
        """STATUS (bit 0 busy, 1 done, 2 error, 3 quiet), ERROR and the interrupt."""
        interrupt = self.get("irq")
        return await self.value("status"), await self.value("error"), interrupt


def only(*names: str) -> dict[str, int]:
    return {name: int(name in names) for name in PULSES}


@cocotb.test()
async def constants(dut):
    """Identity, and every counter in its halves."""
    bench = await HostBench.on(dut, pause=0.3)
    assert await bench.value("id") == ID
    assert await bench.value("version") == VERSION
    digest = f"{await bench.value('config_high'):08x}{await bench.value('config_low'):08x}"
    assert digest == bench.config.digest()
    assert await bench.value("control") == 0
    values = {name: bench.rng.getrandbits(width) for name, (width, _) in bench.given["counters"]}
    for name, value in values.items():
        bench.set(**{f"counters__{name}": value})
    for name, (width, _) in bench.given["counters"]:
        assert await bench.value(name) == values[name] & 0xFFFF_FFFF, name
        if width > 32:
            assert await bench.value(f"{name}_high") == values[name] >> 32, name


@cocotb.test()
async def program_life(dut):
    """Start, busy, done with interrupt, acknowledge; an error; a start clears both."""
    bench = await HostBench.on(dut)
    await bench.write("program_address", 0x8765_4320)
    assert bench.get("core__start__payload") == 0x8765_4320
    assert await bench.status() == (0b000, 0, 0)
    assert await bench.control("start") == only("start")
    bench.set(core__busy=1)
    assert await bench.status() == (0b001, 0, 0)
    assert await bench.control("start", "clear", expected=AxiResp.SLVERR) == only()
    bench.set(core__busy=0)
    await bench.finish(0)
    assert await bench.status() == (0b010, 0, 0)
    await bench.write("interrupt_enable", 1)
    assert await bench.value("interrupt_enable") == 1
    assert await bench.status() == (0b010, 0, 1)
    assert await bench.control("clear") == only()
    assert await bench.status() == (0b000, 0, 0)
    await bench.finish(0x93)
    assert await bench.status() == (0b110, 0x93, 1)
    assert await bench.control("start") == only("start")
    assert await bench.status() == (0b000, 0, 0)
    await bench.finish(1)
    assert await bench.control("reset") == only("reset")
    assert await bench.status() == (0b000, 0, 0)
    assert await bench.value("program_address") == 0x8765_4320
    bench.set(core__busy=1)
    await ClockCycles(dut.clk, 2)
    assert await bench.control("reset") == only("reset")
    await bench.finish(0)
    await bench.write("interrupt_enable", 0)
    assert await bench.status() == (0b011, 0, 0)


@cocotb.test()
async def quiet(dut):
    """It shows as it is, and nothing else changes with it."""
    bench = await HostBench.on(dut)
    bench.set(core__quiet=1)
    assert await bench.status() == (0b1000, 0, 0)
    await bench.finish(0x93)
    assert await bench.status() == (0b1110, 0x93, 0)
    bench.set(core__quiet=0)
    assert await bench.status() == (0b0110, 0x93, 0)


@cocotb.test()
async def start_with_reset(dut):
    """Refused, busy or not, whatever else is set: neither pulse, and nothing is acknowledged."""
    bench = await HostBench.on(dut)
    await bench.finish(5)
    for busy in (0, 1):
        bench.set(core__busy=busy)
        for more in ((), ("clear",)):
            pulses = await bench.control("start", "reset", *more, expected=AxiResp.SLVERR)
            assert pulses == only()
            assert await bench.status() == (0b110 | busy, 5, 0)
    bench.set(core__busy=0)
    assert await bench.control("clear", "reset") == only("reset")
    assert await bench.status() == (0b000, 0, 0)


@cocotb.test()
async def end_in_the_cycle_of_a_pulse(dut):
    """The same end is lost to a reset, but not to a `clear`, which is for what ended before."""
    bench = await HostBench.on(dut)
    await bench.write("interrupt_enable", 1)
    lost = {"clear": 0, "reset": 0}
    for name in lost:
        for cycle in range(12):
            writing = cocotb.start_soon(bench.write("control", 1 << CONTROL_BITS[name]))
            await ClockCycles(dut.clk, 1 + cycle)
            await bench.finish(7)
            await writing
            await ClockCycles(dut.clk, 2)
            status = await bench.status()
            assert status in ((0b000, 0, 0), (0b110, 7, 1)), f"{name}, end in cycle {cycle}"
            lost[name] += status[0] == 0
            await bench.control("clear")
    assert 0 < lost["clear"] < lost["reset"] == lost["clear"] + 1 < 12


@cocotb.test()
async def strobes(dut):
    """Each byte of PROGRAM alone; a write of a word of flags without its low byte does nothing."""
    bench = await HostBench.on(dut, pause=0.2)
    expected = bytearray(4)
    offset = bench.map["program_address"].offset
    for _ in range(20):
        low, high = sorted(bench.rng.sample(range(5), 2))
        data = bench.rng.randbytes(high - low)
        expected[low:high] = data
        address = offset + low
        word = int.from_bytes(data, "little") << 8 * low
        response = await bench.write_at(address - low, word, (1 << high) - (1 << low))
        assert response == AxiResp.OKAY
        assert await bench.value("program_address") == int.from_bytes(expected, "little")
    control = bench.map["control"].offset
    assert await bench.write_at(control, 0x0101_0101, 0b1110) == AxiResp.OKAY
    assert await bench.write_at(control, 0x1, 0) == AxiResp.OKAY
    assert bench.pulses == only()
    for name in ("interrupt_enable", "bounds_lock"):
        assert await bench.write_at(bench.map[name].offset, 0x0101_0101, 0b1110) == AxiResp.OKAY
        assert await bench.value(name) == 0


@cocotb.test()
async def refused(dut):
    """Holes, addresses inside a word and read-only registers get SLVERR; nothing changes."""
    bench = await HostBench.on(dut, pause=0.2)
    await bench.write("program_address", 0x1000)
    mapped = {register.offset for register in bench.map}
    last = 1 << MAP_ADDRESS_BITS
    holes = [max(mapped) + 4, 0x54, last - 4, *bench.rng.sample(range(0, last, 4), 20)]
    inside = [offset + shift for offset in sorted(mapped)[:9] for shift in (1, 2, 3)]
    for offset in [*(hole for hole in holes if hole not in mapped), *inside]:
        whole = await bench.master.read(offset, 1)
        assert whole.resp == AxiResp.SLVERR, f"read {offset:#x}"
        response = await bench.write_at(offset, 0xFFFF_FFFF, 0xF)
        assert response == AxiResp.SLVERR, f"write {offset:#x}"
    for register in bench.map:
        if register.access == Access.READ_ONLY:
            await bench.write(register.name, 0xFFFF_FFFF, AxiResp.SLVERR)
    assert bench.pulses == only()
    assert await bench.value("program_address") == 0x1000
    assert await bench.value("interrupt_enable") == 0


@cocotb.test()
async def both_directions_at_once(dut):
    """Reads and writes under way together don't disturb each other."""
    bench = await HostBench.on(dut, pause=0.3)

    async def reads() -> None:
        for _ in range(40):
            assert await bench.value("id") == ID
            assert await bench.value("version") == VERSION

    reading = cocotb.start_soon(reads())
    for _ in range(40):
        value = bench.rng.getrandbits(32)
        await bench.write("program_address", value)
        assert bench.get("core__start__payload") == value
    await reading


@cocotb.test()
async def responses_wait(dut):
    """Accesses that pile up while the host takes no response are all answered, in order."""
    bench = await HostBench.on(dut)
    write, read = bench.master.write_if, bench.master.read_if
    hole = max(register.offset for register in bench.map) + 4
    good = bench.map["program_address"].offset
    offsets = [good, hole, good, good, hole]
    write.b_channel.pause = read.r_channel.pause = True
    writes = [
        bench.master.init_write(offset, bytes([i, 0, 0, 0])) for i, offset in enumerate(offsets)
    ]
    await ClockCycles(dut.clk, 20)
    assert bench.get("core__start__payload") == 0, "a second write acts before the first response"
    reads = [bench.master.init_read(offset, 4) for offset in offsets]
    await ClockCycles(dut.clk, 20)
    write.b_channel.pause = read.r_channel.pause = False
    for offset, writing, reading in zip(offsets, writes, reads, strict=True):
        for access in (writing, reading):
            await access.wait()
            assert (access.data.resp == AxiResp.OKAY) == (offset == good)


@cocotb.test()
async def latency(dut):
    """Cycles from the transfers to the response, with a host that is always ready."""
    bench = await RegistersBench.on(dut)
    valid = ("arvalid", "awvalid", "wvalid")
    bench.set(bus=dict.fromkeys((*valid, "rready", "bready"), 1))
    address = bench.unit.map["program_address"].offset
    bench.set(bus={"wstrb": 0xF, "awaddr": address, "wdata": 0x40})
    answers = [
        bench.record(name) for name in ("bus__rvalid", "bus__bvalid", "core__start__payload")
    ]
    await bench.edge
    bench.set(bus=dict.fromkeys(valid, 0))
    transfer = bench.cycle
    await ClockCycles(dut.clk, 6)
    assert_equal(
        "cycles",
        [first - transfer for (first,), *_ in answers],
        [Registers.READ_CYCLES, Registers.WRITE_CYCLES, Registers.WRITE_CYCLES],
    )
