"""Bench of `Loader`. Parameters: configuration, seed."""

import random

import cocotb
from amaranth.hdl import unsigned
from cocotb.triggers import RisingEdge
from cocotb.utils import get_sim_time

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import StreamSink, StreamSource, random_pauses
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.command import Target, load_limit, word_bytes
from rtl_gen.memory.loader import Loader, load_layout
from rtl_gen.memory.port import read_request_layout


class Bench:
    """Memory of the read port, and a record of what the loader writes."""

    def __init__(self, dut, stalls: float):
        given = parameters()
        self.dut = dut
        self.config = AcceleratorConfig(**given["config"])
        self.rng = random.Random(given["seed"])
        self.command = StreamSource(dut, "command", load_layout(), random_pauses(stalls, 1))
        self.request = StreamSink(dut, "request", read_request_layout(), random_pauses(stalls, 2))
        bus = unsigned(8 * self.config.bus_bytes)
        self.data = StreamSource(dut, "data", bus, random_pauses(stalls, 3))
        self.written: list[tuple] = []
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        dut = self.dut
        while True:
            await RisingEdge(dut.clk)
            if not int(dut.write.value):
                continue
            target = int(dut.target.value)
            if target in (Target.KEY, Target.VALUE):
                place = (int(dut.bank.value), int(dut.bank_word.value))
            else:
                place = int(dut.index.value)
            word = dut.mask_word if target == Target.MASK else dut.row
            self.written.append((target, place, int(word.value)))

    async def load(self, target: Target, count: int) -> int:
        """One load, its request and its writes compared; returns the cycles until idle."""
        config, rng = self.config, self.rng
        size = word_bytes(config, target)
        words = [rng.randbytes(size) for _ in range(count)]
        address = config.bus_bytes * rng.randrange(1 << 20)
        begin = get_sim_time("ns")
        self.command.put([{"target": target, "address": address, "count": count}])
        (request,) = await self.request.receive(1)
        beats = count * size // config.bus_bytes
        assert_equal("address, beats", list(request.values()), [address, beats])
        stream = b"".join(words)
        self.data.put(
            int.from_bytes(stream[at : at + config.bus_bytes], "little")
            for at in range(0, len(stream), config.bus_bytes)
        )
        while not int(self.dut.idle.value):
            await RisingEdge(self.dut.clk)
        cycles = round((get_sim_time("ns") - begin) / CLOCK_PERIOD_NS)

        banked = target in (Target.KEY, Target.VALUE)
        expected = []
        for j, word in enumerate(words):
            place = (1 << j % config.lanes, j // config.lanes) if banked else j
            expected.append((target, place, int.from_bytes(word, "little")))
        for found, wanted in zip(self.written, expected, strict=True):
            assert found == wanted, f"{target.name}: expected {wanted}, actual {found}"
        self.written.clear()
        return cycles

    def loads(self) -> list[tuple[Target, int]]:
        return [
            (target, count)
            for target in Target
            for count in (1, 2, load_limit(self.config, target))
            if count <= load_limit(self.config, target)
        ]


@cocotb.test()
async def full_rate(dut):
    """From command to idle: start, the request's cycle, the beats, the last write."""
    await start(dut)
    bench = Bench(dut, stalls=0)
    for target, count in bench.loads():
        beats = count * Loader.word_beats(bench.config, target)
        fixed = Loader.START_CYCLES + 1 + Loader.FINISH_CYCLES
        assert_equal(f"{target.name} cycles", await bench.load(target, count), fixed + beats + 1)


@cocotb.test()
async def every_stream_stalls(dut):
    await start(dut)
    bench = Bench(dut, stalls=0.4)
    for target, count in bench.loads():
        await bench.load(target, count)
