"""Bench of `System`: an image into memory, start, wait for the interrupt, read counters and
results; the same for each further image, without a reset.

Parameters: `config`; `images` and `memory`, paths of files (bytes of memory before each start and
behind each end, run after run), `image_bytes` and `memory_bytes`, how many these are of each run;
`size` of the memory in bytes, its `latency`, `rate`, `stall`; `limit_cycles` of a run.
Reports `runs`: of each counters, error code, and wall seconds between start and interrupt.
"""

import time
from pathlib import Path

import cocotb
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from cocotb_tests.bus.simulated_memory import MemoryAccess
from cocotb_tests.coverage.programs import Whole, count_program, pace
from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, report, start
from rtl_gen.accelerator import Accelerator
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.register_map import CONTROL_BITS, STATUS_BITS, WORD_BYTES, RegisterMap

QUIET_READS = 1_000
"""Of the status, until the memory port counts as stuck."""


class Host:
    """Drives the registers as software would."""

    def __init__(self, dut):
        self._registers = RegisterMap(
            AcceleratorConfig(**parameters()["config"]), Accelerator.COUNTERS
        )
        self._bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self._dut = dut

    @property
    def channels(self) -> list:
        """For pauses."""
        write, read = self._bus.write_if, self._bus.read_if
        sends = [write.aw_channel, write.w_channel, read.ar_channel]
        return [*sends, write.b_channel, read.r_channel]

    async def write(self, register: str, value: int) -> AxiResp:
        """A number, in two words where the registers say so; the worse answer."""
        words = self._registers.words(register)
        data = value.to_bytes(WORD_BYTES * len(words), "little")
        answers = []
        for i, word in enumerate(words):
            part = data[i * WORD_BYTES : (i + 1) * WORD_BYTES]
            answers.append((await self._bus.write(word.offset, part)).resp)
        return max(answers)

    async def control(self, *names: str) -> AxiResp:
        """Set bits of the control register; the answer."""
        word = sum(1 << CONTROL_BITS[name] for name in names).to_bytes(WORD_BYTES, "little")
        return (await self._bus.write(self._registers["control"].offset, word)).resp

    async def read(self, register: str) -> int:
        return await self._bus.read_dword(self._registers[register].offset)

    async def start(self, program_address: int) -> AxiResp:
        await self.write("program_address", program_address)
        return await self.control("start")

    async def run(self, program_address: int, limit_cycles: int) -> None:
        """Start a program and wait for its interrupt."""
        await self.write("interrupt_enable", 1)
        await self.start(program_address)
        if not int(self._dut.irq.value):
            limit = limit_cycles * CLOCK_PERIOD_NS
            await with_timeout(RisingEdge(self._dut.irq), limit, "ns")

    async def status(self) -> set[str]:
        """Names of the bits that are set."""
        word = await self.read("status")
        return {name for name, bit in STATUS_BITS.items() if word >> bit & 1}

    async def progress(self) -> set[str]:
        """The same but for `quiet`, which has its own time."""
        return await self.status() - {"quiet"}

    async def quiet(self) -> None:
        """Wait until no program has anything to do with memory."""
        for _ in range(QUIET_READS):
            if "quiet" in await self.status():
                return
        raise AssertionError("the memory port is not quiet")

    async def counters(self) -> dict[str, int]:
        return {name: await self.read(name) for name in Accelerator.COUNTERS}


@cocotb.test()
async def images_run(dut):
    given = parameters()
    config = AcceleratorConfig(**given["config"])
    images, sizes = Path(given["images"]).read_bytes(), given["image_bytes"]
    await start(dut, limit_cycles=2 * len(sizes) * given["limit_cycles"])
    memory = MemoryAccess(dut, "memory", config)
    memory.configure(latency=given["latency"], rate=given["rate"], stall=given["stall"])
    stalls = pace(given["latency"], given["rate"], given["stall"])
    host = Host(dut)
    runs, begin, left = [], 0, bytearray()
    for size, memory_bytes in zip(sizes, given["memory_bytes"], strict=True):
        image = images[begin : begin + size]
        begin += size
        await memory.write(0, image)
        started = time.monotonic()
        await host.run(given["program_address"], given["limit_cycles"])
        wall_seconds = time.monotonic() - started
        await host.quiet()
        error, counters = await host.read("error"), await host.counters()
        runs.append({"wall_seconds": wall_seconds, "error": error, "counters": counters})
        counted = Whole(image, size=given["size"])
        count_program(config, counted, given["program_address"], error, stalls)
        left += image
        if memory_bytes > size:
            left += await memory.read(size, memory_bytes - size)
        await host.control("clear")
    Path(given["memory"]).write_bytes(left)
    report(runs=runs)
