"""Bench of the bounds and addresses in `Registers`. Parameters: those of bench_registers."""

import cocotb
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiResp

from cocotb_tests.control.bench_registers import HostBench
from rtl_gen.control.register_map import ADDRESSES, BOUNDS


class BoundsBench(HostBench):
    """Numbers of one register or two."""

    async def number(self, name: str) -> int:
        """What a register and its upper half hold."""
        words = [await self.value(word.name) for word in self.map.words(name)]
        return sum(word << 32 * i for i, word in enumerate(words))

    async def write_number(self, name: str, value: int, expected: AxiResp = AxiResp.OKAY) -> None:
        for i, word in enumerate(self.map.words(name)):
            await self.write(word.name, value >> 32 * i & 0xFFFF_FFFF, expected)

    def bounds(self) -> dict[str, int]:
        """What the core is told, by register."""
        bounds, page = self.get("core__bounds"), 4096
        return {
            "program_address": self.get("core__start__payload"),
            "result_base": bounds["results"] * page,
            **{
                f"{name}_{end}": bounds[f"{name}s"][side] * page + rest
                for name in ("read", "write")
                for end, side, rest in (("base", "first", 0), ("limit", "last", page - 1))
            },
        }


@cocotb.test()
async def bounds_are_kept(dut):
    """Pages that keep their bits below 4 KB, go to the core, cannot change while a program runs,
    and some of them not once they are locked, until a hard reset."""
    bench = await BoundsBench.on(dut, pause=0.2)
    end = 1 << bench.config.address_bits
    first = {name: end - 1 if name.endswith("_limit") else 0 for name in ADDRESSES}
    assert {name: await bench.number(name) for name in ADDRESSES} == first
    assert bench.bounds() == first
    written = {name: bench.rng.randrange(end) for name in ADDRESSES}
    for name, value in written.items():
        await bench.write_number(name, value)
        if name != "program_address":
            written[name] = value - value % 4096 + (4095 if name.endswith("_limit") else 0)
        assert await bench.number(name) == written[name], name
    assert bench.bounds() == written

    async def refused(*names: str) -> None:
        for name in names:
            await bench.write_number(name, ~written[name] % end, AxiResp.SLVERR)
        assert bench.bounds() == written

    bench.set(core__busy=1)
    await refused("result_base", *BOUNDS)
    await bench.write_number("program_address", written["program_address"])
    bench.set(core__busy=0)
    assert await bench.value("bounds_lock") == 0
    await bench.write("bounds_lock", 0xFFFF_FFFE)
    assert await bench.value("bounds_lock") == 0
    await bench.write("bounds_lock", 1)
    for name in ("program_address", "result_base"):
        await bench.write_number(name, written[name] // 2 // 4096 * 4096)
        written[name] = written[name] // 2 // 4096 * 4096
    await bench.write("bounds_lock", 0)
    await bench.control("reset")
    assert await bench.value("bounds_lock") == 1
    await refused(*BOUNDS)
    dut.rst.value = 1
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 2)
    assert await bench.value("bounds_lock") == 0
    assert {name: await bench.number(name) for name in ADDRESSES} == first
    await bench.write_number("read_limit", 4095)
    assert await bench.number("read_limit") == 4095
