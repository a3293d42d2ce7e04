"""Bench of `QueryWalker`; live-token list and mask memory are Python behind their read ports.

Parameters: configuration, seed.
"""

import random

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge
from cocotb.utils import get_sim_time

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import StreamSink, random_pauses
from rtl_gen.attention.query_walker import QueryWalker
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import mask_row_layout
from rtl_gen.memory.row_memory import RowMemory
from rtl_gen.pruning.live_tokens import LiveTokens


class Bench:
    """Runs walks over any live tokens of a random mask."""

    def __init__(self, dut, pauses=None):
        given = parameters()
        self.dut = dut
        self.config = AcceleratorConfig(**given["config"])
        self.rng = random.Random(given["seed"])
        self.mask = [
            self.rng.getrandbits(self.config.mask_word_bits) for _ in range(self.config.mask_depth)
        ]
        self.live: list[int] = []
        self.sink = StreamSink(dut, "rows", mask_row_layout(self.config), pauses)
        cocotb.start_soon(
            self._serve("list", "position", "token", self._token, LiveTokens.READ_LATENCY)
        )
        cocotb.start_soon(
            self._serve("mask", "address", "data", self._mask_word, RowMemory.LATENCY)
        )

    def _token(self, position: int) -> int:
        return self.live[position] if position < len(self.live) else 0

    def _mask_word(self, address: int) -> int:
        return self.mask[address] if address < len(self.mask) else 0

    async def _serve(self, port: str, question: str, answer: str, read, latency: int) -> None:
        """`read` of each enabled question, `latency` enabled cycles later."""
        pipeline = [0] * latency
        while True:
            await RisingEdge(self.dut.clk)
            if int(self.dut[f"{port}__enable"].value):
                asked = self.dut[f"{port}__{question}"].value
                pipeline = [read(int(asked)) if asked.is_resolvable else 0, *pipeline[:-1]]
                self.dut[f"{port}__{answer}"].value = pipeline[-1]

    def mask_row(self, token: int) -> int:
        """Kept keys of a query, those beyond `max_tokens` included."""
        word, row = divmod(token, self.config.rows_per_mask_word)
        bits = 8 * self.config.mask_bytes
        return self.mask[word] >> (row * bits) & ((1 << bits) - 1)

    async def walk(self, live: list[int]) -> int:
        """One walk, its rows compared; returns the cycles until the last row was taken."""
        self.live = live
        bitmap = sum(1 << token for token in live)
        self.dut.live.value = bitmap
        self.dut.start__payload.value = len(live)
        self.dut.start__valid.value = 1
        begin = get_sim_time("ns")
        await RisingEdge(self.dut.clk)
        self.dut.start__valid.value = 0
        self.dut.start__payload.value = self.rng.getrandbits(self.config.count_bits)
        rows = await self.sink.receive(len(live))
        cycles = round((get_sim_time("ns") - begin) / CLOCK_PERIOD_NS)
        assert_equal("token", [row["token"] for row in rows], live)
        keeps = [self.mask_row(token) & bitmap for token in live]
        assert_equal("keep", [row["keep"] for row in rows], keeps)
        await ClockCycles(self.dut.clk, 1)
        return cycles

    def subsets(self) -> list[list[int]]:
        """All tokens, one, the last one, neighbours, and random ones."""
        n = self.config.max_tokens
        everything = list(range(n))
        sampled = [
            [j for j in everything if j == 0 or self.rng.random() < density]
            for density in (0.2, 0.5, 0.9)
        ]
        return [everything, [0], [n - 1], [0, n - 1], everything[: n // 2], everything, *sampled]


@cocotb.test()
async def full_rate(dut):
    """The first row after LATENCY cycles, then one a cycle."""
    await start(dut)
    bench = Bench(dut)
    for live in bench.subsets():
        assert_equal("cycles", await bench.walk(live), QueryWalker.LATENCY + len(live))


@cocotb.test()
async def consumer_stalls(dut):
    await start(dut)
    bench = Bench(dut, random_pauses(0.5, 3))
    for live in bench.subsets():
        await bench.walk(live)


@cocotb.test()
async def no_tokens(dut):
    """A walk over nothing offers nothing, and the next walk is right."""
    await start(dut)
    bench = Bench(dut)
    await bench.walk([])
    await ClockCycles(dut.clk, 3 * QueryWalker.LATENCY)
    assert_equal("rows", bench.sink.pending(), 0)
    await bench.walk([0, 2])
