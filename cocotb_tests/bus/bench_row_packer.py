"""Bench of `RowPacker`."""

import random

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge
from cocotb.utils import get_sim_time

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.streams import StreamSink, StreamSource, random_pauses
from rtl_gen.bus.row_packer import RowPacker
from rtl_gen.config import AcceleratorConfig

ROWS = 60
LIMIT_CYCLES = 10_000


class Driver:
    """Source and sink, and rows to send."""

    def __init__(self, dut, *, pause: float = 0):
        given = parameters()
        self.config = AcceleratorConfig(**given["config"])
        self.rng = random.Random(given["seed"])
        self.source = StreamSource(
            dut, "beats", 8 * self.config.bus_bytes, random_pauses(pause, given["seed"])
        )
        self.sink = StreamSink(
            dut, "rows", self.config.row_bits, random_pauses(pause, given["seed"] + 1)
        )

    def draw(self, rows: int) -> tuple[list[int], list[int]]:
        """Random rows, and the beats that carry them."""
        width, step = self.config.width, self.config.bus_bytes
        data = self.rng.randbytes(rows * width)
        beats = [data[at : at + step] for at in range(0, len(data), step)]
        packed = [data[at : at + width] for at in range(0, len(data), width)]
        return _integers(packed), _integers(beats)


def _integers(items: list[bytes]) -> list[int]:
    return [int.from_bytes(item, "little") for item in items]


@cocotb.test()
async def packs_with_stalls(dut):
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut, pause=0.4)
    rows, beats = driver.draw(ROWS)
    driver.source.put(beats)
    assert await driver.sink.receive(ROWS) == rows


@cocotb.test()
async def packs_at_full_rate(dut):
    """The last row is taken LATENCY cycles after the transfer of the last of the beats."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    rows, beats = driver.draw(ROWS)
    driver.source.put(beats)
    begin = get_sim_time("ns")
    assert await driver.sink.receive(ROWS) == rows
    cycles = round((get_sim_time("ns") - begin) / CLOCK_PERIOD_NS)
    assert cycles == len(beats) + RowPacker.LATENCY


@cocotb.test()
async def clear_forgets_a_part(dut):
    """After `clear` the next beat is the first of a row; a finished row goes, too."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    driver = Driver(dut)
    for beats_before in range(2 * driver.config.row_beats):
        _, beats = driver.draw(2)
        if beats_before:
            await driver.source.send(beats[:beats_before])
        dut.clear.value = 1
        await RisingEdge(dut.clk)
        dut.clear.value = 0
        await ClockCycles(dut.clk, 2)
        gone = beats_before // driver.config.row_beats
        await driver.sink.receive(min(gone, driver.sink.pending()))
        rows, beats = driver.draw(3)
        driver.source.put(beats)
        assert await driver.sink.receive(3) == rows, f"cleared after {beats_before} beats"


@cocotb.test()
async def clear_drops_a_waiting_row(dut):
    await start(dut, limit_cycles=LIMIT_CYCLES)
    config = AcceleratorConfig(**parameters()["config"])
    source = StreamSource(dut, "beats", 8 * config.bus_bytes)
    await source.send([1] * config.row_beats)
    await ClockCycles(dut.clk, 2)
    assert int(dut.rows__valid.value)
    dut.clear.value = 1
    await RisingEdge(dut.clk)
    dut.clear.value = 0
    await RisingEdge(dut.clk)
    assert not int(dut.rows__valid.value)


@cocotb.test()
async def lost_beat(dut):
    """Its row shows it and all behind do, rows before it do not; `clear` forgets."""
    await start(dut, limit_cycles=LIMIT_CYCLES)
    config = AcceleratorConfig(**parameters()["config"])
    lost, seen = {"at": 0}, []

    async def run(cycles: int) -> None:
        """Beats without a gap, that of number `at` lost, and rows taken every other cycle."""
        seen.clear()
        taken = 0
        for cycle in range(cycles):
            dut.beats__valid.value, dut.beat_lost.value = 1, int(taken >= lost["at"])
            dut.rows__ready.value = cycle % 2
            await RisingEdge(dut.clk)
            taken += int(dut.beats__ready.value)
            if int(dut.rows__valid.value) and int(dut.rows__ready.value):
                seen.append(int(dut.row_lost.value))
        dut.beats__valid.value = dut.beat_lost.value = 0

    rows = 6
    for at in range(4 * config.row_beats):
        lost["at"] = at
        await run(2 * rows * (config.row_beats + 1))
        bad = at // config.row_beats
        assert seen[:rows] == [int(row >= bad) for row in range(rows)], f"beat {at} lost"
        dut.clear.value = 1
        await RisingEdge(dut.clk)
        dut.clear.value = 0
        await RisingEdge(dut.clk)
        assert not int(dut.row_lost.value)
