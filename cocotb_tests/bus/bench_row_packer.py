"""Bench of `RowPacker`. Parameters: configuration, seed."""

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.bus.row_packer import RowPacker

ROWS = 60

Items = list[dict[str, int]]


class RowPackerBench(UnitBench):
    UNIT = RowPacker
    LIMIT_CYCLES = 10_000

    def __init__(self, dut, *, pause: float = 0):
        super().__init__(dut)
        self.beats = self.source("beats", self.pauses(pause))

    def draw(self, rows: int) -> tuple[Items, Items]:
        """Random rows, and the beats that carry them."""
        data = self.rng.randbytes(rows * self.config.width)
        return _items(data, self.config.width), _items(data, self.config.bus_bytes)

    async def clear(self) -> None:
        await self.pulse("clear")
        await self.edge


def _items(data: bytes, size: int) -> Items:
    parts = (data[at : at + size] for at in range(0, len(data), size))
    return [{"data": int.from_bytes(part, "little"), "lost": 0} for part in parts]


@cocotb.test()
async def packs_with_stalls(dut):
    bench = await RowPackerBench.on(dut, pause=0.4)
    sink = bench.sink("rows", bench.pauses(0.4))
    rows, beats = bench.draw(ROWS)
    bench.beats.put(beats)
    assert await sink.receive(ROWS) == rows


@cocotb.test()
async def packs_at_full_rate(dut):
    """The last row is taken LATENCY cycles after the transfer of the last of the beats."""
    bench = await RowPackerBench.on(dut)
    sink = bench.sink("rows")
    rows, beats = bench.draw(ROWS)
    begin = bench.cycle
    bench.beats.put(beats)
    assert await sink.receive(ROWS) == rows
    assert_equal("cycles", bench.cycle - begin, len(beats) + RowPacker.LATENCY)


@cocotb.test()
async def clear_forgets_a_part(dut):
    """After `clear` the next beat is the first of a row; a finished row goes, too."""
    bench = await RowPackerBench.on(dut)
    sink = bench.sink("rows")
    for beats_before in range(2 * bench.config.row_beats):
        await bench.beats.send(bench.draw(2)[1][:beats_before])
        await bench.clear()
        await bench.edge
        gone = beats_before // bench.config.row_beats
        await sink.receive(min(gone, sink.pending()))
        rows, beats = bench.draw(3)
        bench.beats.put(beats)
        assert await sink.receive(3) == rows, f"cleared after {beats_before} beats"


@cocotb.test()
async def clear_drops_a_waiting_row(dut):
    bench = await RowPackerBench.on(dut)
    await bench.beats.send(bench.draw(1)[1])
    await ClockCycles(dut.clk, 2)
    assert bench.get("rows__valid")
    await bench.clear()
    assert not bench.get("rows__valid")


@cocotb.test()
async def lost_beat(dut):
    """Its row shows it and all behind do, rows before it do not; `clear` forgets."""
    bench = await RowPackerBench.on(dut)
    sink = bench.sink("rows", bench.pauses(0.5))
    rows = 6
    for lost in range(4 * bench.config.row_beats):
        expected, beats = bench.draw(rows)
        beats[lost]["lost"] = 1
        for row in range(lost // bench.config.row_beats, rows):
            expected[row]["lost"] = 1
        bench.beats.put(beats)
        assert await sink.receive(rows) == expected, f"beat {lost} lost"
        await bench.clear()
        assert not bench.get("rows__payload")["lost"]
