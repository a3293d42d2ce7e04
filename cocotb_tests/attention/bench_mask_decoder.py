"""Bench of `MaskDecoder`. Parameters: configuration, seed."""

import random
from collections.abc import Iterable
from itertools import zip_longest

import cocotb

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.attention.mask_decoder import MaskDecoder
from rtl_gen.config import AcceleratorConfig

Row = tuple[int, set[int]]
"""A query token and its keys."""


def decoded(lanes: int, rows: Iterable[Row]) -> list[tuple]:
    """(token, first, last, word of each lane or None) of every beat."""
    beats = []
    for token, keys in rows:
        queues = [[j // lanes for j in sorted(keys) if j % lanes == lane] for lane in range(lanes)]
        words = list(zip_longest(*queues)) or [(None,) * lanes]
        last = len(words) - 1
        beats += [(token, b == 0, b == last, beat) for b, beat in enumerate(words)]
    return beats


def received(beat: dict) -> tuple:
    words = (word if beat["valid"] >> lane & 1 else None for lane, word in enumerate(beat["word"]))
    return beat["token"], bool(beat["first"]), bool(beat["last"]), tuple(words)


def realistic_rows(config: AcceleratorConfig, rng: random.Random, count: int) -> list[Row]:
    size = config.bank_depth * config.lanes
    densities = [0.02, 0.1, 0.2, 0.5, 0.9]
    return [
        (rng.randrange(config.max_tokens), {j for j in range(size) if rng.random() < density})
        for density in rng.choices(densities, k=count)
    ]


def corner_rows(config: AcceleratorConfig) -> list[Row]:
    """Empty rows at the start, in a run and at the end; single keys; full rows; one full lane."""
    lanes, size = config.lanes, config.bank_depth * config.lanes
    single = [{0}, {lanes - 1}, {lanes}, {size - 1}]
    full = set(range(size))
    lane = [set(range(i, size, lanes)) for i in (0, lanes - 1)]
    keys = [set(), *single, set(), set(), full, full, *lane, full - {0}, single[-1], full, set()]
    return [(index % config.max_tokens, row) for index, row in enumerate(keys)]


class DecoderBench(UnitBench):
    UNIT = MaskDecoder

    async def decode(self, source_pauses: float = 0.0, sink_pauses: float = 0.0) -> tuple[int, int]:
        """Rows through the decoder, beats compared; returns cycles until the last, and beats."""
        rows = corner_rows(self.config) + realistic_rows(self.config, self.rng, 30)
        source = self.source("rows", self.pauses(source_pauses))
        sink = self.sink("beats", self.pauses(sink_pauses))
        expected, begin = decoded(self.config.lanes, rows), self.cycle
        source.put({"token": t, "keep": sum(1 << j for j in keys)} for t, keys in rows)
        beats = [received(beat) for beat in await sink.receive(len(expected))]
        cycles = self.cycle - begin
        for index, (beat, wanted) in enumerate(zip(beats, expected, strict=True)):
            assert beat == wanted, f"beat {index}: expected {wanted}, actual {beat}"
        assert_equal("beats beyond the last", sink.pending(), 0)
        return cycles, len(expected)


@cocotb.test()
async def no_bubbles(dut):
    """Without stalls a beat leaves every cycle, from the first row's latency on."""
    cycles, beats = await (await DecoderBench.on(dut)).decode()
    assert_equal("cycles", cycles, MaskDecoder.LATENCY + beats)


@cocotb.test()
async def consumer_stalls(dut):
    await (await DecoderBench.on(dut)).decode(sink_pauses=0.5)


@cocotb.test()
async def rows_come_late(dut):
    await (await DecoderBench.on(dut)).decode(source_pauses=0.7)


@cocotb.test()
async def both_stall(dut):
    await (await DecoderBench.on(dut)).decode(0.4, 0.4)
