"""Benches that break one contract of a unit each: the simulation must stop.

Parameters: configuration, seed. The test that runs one names the unit and the message.
"""

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.attention.bench_exponentials import ExponentialsBench
from cocotb_tests.attention.bench_importance import ImportanceBench
from cocotb_tests.attention.bench_normalisation import NormalisationBench
from cocotb_tests.attention.bench_output_unit import OutputBench
from cocotb_tests.attention.bench_query_walker import WalkerBench
from cocotb_tests.attention.bench_row_buffer import BufferBench
from cocotb_tests.attention.bench_row_interleaver import InterleaverBench
from cocotb_tests.attention.bench_row_maximum import MaximumBench
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.attention.row_interleaver import RowInterleaver
from rtl_gen.interfaces.memories import OUTPUT_ROWS

WAIT = 100
NEVER = 1.0
"""Pauses in every cycle."""


def breaks(bench_class: type[UnitBench], **options):
    """A cocotb test that gives the unit what the function says, and waits."""

    def decorate(act):
        async def test(dut):
            bench = await bench_class.on(dut, **options)
            await act(bench)
            await ClockCycles(dut.clk, WAIT)

        test.__name__ = test.__qualname__ = act.__name__
        return cocotb.test()(test)

    return decorate


@breaks(WalkerBench)
async def walk_in_a_walk(bench):
    await bench.source("start").send([2, 2])


@breaks(WalkerBench)
async def walk_over_nothing(bench):
    await bench.source("start").send([0])


@breaks(WalkerBench)
async def walk_over_too_many(bench):
    await bench.source("start").send([bench.config.max_tokens + 1])


@breaks(InterleaverBench)
async def pv_without_a_head(bench):
    await bench.pv.send([bench.random("pv__payload")])


@breaks(InterleaverBench)
async def head_in_a_head(bench):
    await bench.source("start").send([2, 2])


@breaks(InterleaverBench)
async def place_freed_twice(bench):
    await bench.source("freed").send([0])


@breaks(BufferBench)
async def too_many_rows_of_keys(bench):
    await bench.qk.send([bench.random("qk__payload", last=1)] * (bench.config.row_slots + 1))


@breaks(BufferBench)
async def row_without_keys(bench):
    await bench.exponentials.send([bench.random("exponentials__payload", address=0)])
    await bench.rows.send([bench.random("rows__payload", last_beat=0)])


@breaks(BufferBench)
async def row_without_exponentials(bench):
    await bench.qk.send([bench.random("qk__payload", last=1)])
    await bench.rows.send([bench.random("rows__payload", last_beat=0)])


@breaks(MaximumBench, pauses=NEVER)
async def too_many_rows_of_scores(bench):
    row = bench.row(1, lambda: 0)
    await bench.beats.send([*bench.score_beats(row)] * (bench.config.row_slots + 1))


@breaks(ExponentialsBench)
async def too_many_stored_rows(bench):
    for index in range(bench.config.row_slots + 1):
        await bench.store.send(bench.stored(index, bench.row(1, lambda: 0)))


@breaks(ExponentialsBench)
async def row_without_scores(bench):
    await bench.rows.send([bench.random("rows__payload", last_beat=0)])


@breaks(NormalisationBench)
async def too_many_ended_rows(bench):
    await bench.ended.send([bench.row(1, lambda: 0).ended] * (bench.config.row_slots + 1))


@breaks(NormalisationBench)
async def sum_without_a_row(bench):
    await bench.sums.send([255])


@breaks(NormalisationBench, pauses=NEVER)
async def too_many_normalised_rows(bench):
    for _ in range(bench.config.row_slots + 1):
        await bench.ended.send([bench.row(1, lambda: 0).ended])
        await bench.sums.send([255])
        await ClockCycles(bench.dut.clk, WAIT)


@breaks(NormalisationBench)
async def scale_in_a_head(bench):
    await bench.ended.send([bench.row(1, lambda: 0).ended])
    await bench.scale.send([bench.random("scale__payload")])


@breaks(ImportanceBench)
async def read_of_sums_that_change(bench):
    await bench.source("beats").send([bench.random("beats__payload")])
    await ClockCycles(bench.dut.clk, 2)
    await bench.pulse("read__enable")


@breaks(ImportanceBench)
async def clear_of_sums_that_change(bench):
    await bench.source("beats").send([bench.random("beats__payload")])
    await bench.source("clear").send([0])


@breaks(OutputBench)
async def rows_too_close(bench):
    await bench.source("beats").send([bench.random("beats__payload", first=1, last=1)] * 2)


@breaks(OutputBench, pauses=NEVER)
async def more_rows_than_places(bench):
    source = bench.source("beats")
    for _ in range(OUTPUT_ROWS + 1):
        await source.send([bench.random("beats__payload", first=1, last=1)])
        await ClockCycles(bench.dut.clk, RowInterleaver.output_cycles(bench.config))
