"""Bench of `Attention` as a whole; memories and array are Python behind their ports.

Parameters: configuration, seed.
"""

import random
from dataclasses import dataclass

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from model.tests import formulas
from rtl_gen.array.mac_array import MacArray
from rtl_gen.array.operands import OperandRegisters
from rtl_gen.attention.attention import Attention
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import LIST_LATENCY, READ_LATENCY, words
from rtl_gen.numerics import Scale
from sim_models.attention import attend_cycles

REALISTIC = (Scale(52_000, 17), Scale(45_000, 15))
SHARP = (Scale(65_535, 12), Scale(40_000, 15))
SATURATING = (Scale(65_535, 2), Scale(65_535, 8))


@dataclass
class Head:
    """Q, K, V of all tokens, the live ones, and the kept keys of each query."""

    query: list[list[int]]
    key: list[list[int]]
    value: list[list[int]]
    live: list[int]
    kept: list[set[int]]

    @classmethod
    def random(cls, config: AcceleratorConfig, rng: random.Random, live, density: float) -> "Head":
        tokens, channels = range(config.max_tokens), range(config.width)
        q, k, v = ([[rng.randint(-128, 127) for _ in channels] for _ in tokens] for _ in range(3))
        kept = [{j for j in tokens if rng.random() < density} for _ in tokens]
        return cls(q, k, v, list(live), kept)

    def keys(self, token: int) -> list[int]:
        return [j for j in self.live if j in self.kept[token]]

    def beats(self, lanes: int) -> list[int]:
        """Of each live query: keys of its fullest bank, at least one."""
        rows = [[j % lanes for j in self.keys(token)] for token in self.live]
        return [max(1, *(row.count(lane) for lane in range(lanes))) for row in rows]


class AttentionBench(UnitBench):
    """Runs heads; `sums` are the importance sums that the unit should hold."""

    UNIT = Attention

    def __init__(self, dut):
        super().__init__(dut)
        config = self.config
        self.head = Head.random(config, self.rng, [0], 1.0)
        self.attend, self.clear = self.source("attend"), self.source("clear")
        self.sums = [[0] * config.lanes for _ in range(config.bank_depth)]
        self.rows = self.record(
            "writes__hidden__enable",
            *(f"writes__hidden__{name}" for name in ("chunks", "address", "data")),
        )
        self.serve("reads__live_list", self._token, LIST_LATENCY)
        self.serve("reads__mask", self._mask_word, READ_LATENCY)
        self.serve("reads__query", lambda token: self.head.query[token], READ_LATENCY)
        self.serve("reads__kv", self._kv_words, READ_LATENCY)
        cocotb.start_soon(self._array())
        cocotb.start_soon(self._watch_enables())

    def _token(self, position: int) -> int:
        return self.head.live[position] if position < len(self.head.live) else 0

    def _mask_word(self, address: int) -> int:
        """Dropped keys are kept in it, too."""
        rows, word = self.config.rows_per_mask_word, 0
        for row in range(rows):
            token = address * rows + row
            kept = self.head.kept[token] if token < self.config.max_tokens else ()
            word |= sum(1 << j for j in kept) << (8 * self.config.mask_bytes * row)
        return word

    def _kv_words(self, packed: int) -> list[list[int]]:
        """Of every lane, at its own address, whose bit 0 chooses V."""
        bits, lanes = self.config.word_bits + 1, self.config.lanes
        words = []
        for lane in range(lanes):
            address = packed >> bits * lane & ((1 << bits) - 1)
            memory = self.head.value if address & 1 else self.head.key
            token = (address >> 1) * lanes + lane
            words.append(memory[token] if token < len(memory) else [0] * self.config.width)
        return words

    async def _array(self) -> None:
        """Operand registers and array: sums of the beats of which `events` tells, else anything."""
        channels, lanes = range(self.config.width), range(self.config.lanes)
        latencies = {
            "dots": OperandRegisters.LATENCY + MacArray.dot_latency(self.config),
            "columns": OperandRegisters.LATENCY + MacArray.column_latency(self.config),
        }
        history = [{}] * max(latencies.values())
        is_beat = False
        while True:
            await self.edge
            sums = {}
            if is_beat:
                given = self.get("operands__argument")
                row, vectors, scalars = given["row"], given["vectors"], given["lanes"]["scalars"]
                if given["lanes"]["scale_lanes"]:
                    columns = [sum(scalars[i] * vectors[i][c] for i in lanes) for c in channels]
                    sums = {"columns": columns}
                else:
                    sums = {"dots": [sum(row[c] * vectors[i][c] for c in channels) for i in lanes]}
            is_beat = int(self.dut.events.value) != 0
            history = [sums, *history[:-1]]
            result = self.random("operands__result")
            for name, latency in latencies.items():
                result[name] = history[latency - 1].get(name, result[name])
            self.set(operands__result=result)

    async def _watch_enables(self) -> None:
        """A memory is asked for nothing while no head runs."""
        enables = [self.dut[name] for name in self.shapes if name.startswith("reads__")]
        enables = [port for port in enables if port._name.endswith("__enable")]
        while True:
            await self.until("idle")
            assert not any(int(port.value) for port in enables), "read while idle"

    async def begin(self, head: Head, scales, *, accumulate: bool = True) -> tuple[int, int]:
        """Returns pitch and first row of its place, both random."""
        config = self.config
        pitch = self.rng.randint(1, words(config, "hidden") // config.max_tokens)
        first = self.rng.randrange(pitch)
        self.head = head
        self.rows.clear()
        self.set(count=len(head.live), live=sum(1 << token for token in head.live))
        score, output = (scale._asdict() for scale in scales)
        place = {"pitch": pitch, "first": first, "accumulate": accumulate}
        await self.attend.send([place | {"scale_a": score, "scale_b": output}])
        return pitch, first

    async def run(self, head: Head, scales, *, accumulate: bool = True) -> None:
        """A head with its cycles and output rows; its share of importance goes into `sums`."""
        lanes = self.config.lanes
        pitch, first = await self.begin(head, scales, accumulate=accumulate)
        cycles = await self.until("idle") - 1
        expected = attend_cycles(self.config, np.array(head.beats(lanes)))
        assert_equal("cycles", cycles, expected.total)
        await ClockCycles(self.dut.clk, Attention.STORE_LATENCY)
        every_chunk = (1 << self.config.chunks) - 1
        rows = [row[1:] for row in self.rows]
        for row, token in zip(rows, head.live, strict=True):
            output, probabilities = formulas.attention_row(
                head.query[token], head.key, head.value, head.keys(token), *scales
            )
            wanted = (every_chunk, token * pitch + first, output)
            assert row == wanted, f"token {token}: expected {wanted}, actual {row}"
            for key, probability in probabilities.items():
                self.sums[key // lanes][key % lanes] += probability * accumulate

    async def clear_sums(self, words) -> None:
        await self.clear.send(words)
        for word in words:
            self.sums[word] = [0] * self.config.lanes

    async def check_sums(self) -> None:
        words = range(self.config.bank_depth)
        assert_equal("sums", await self.read("held__importance", words, READ_LATENCY), self.sums)

    def random_head(self, density: float, keep: float = 1.0) -> Head:
        live = [j for j in range(self.config.max_tokens) if j == 0 or self.rng.random() < keep]
        return Head.random(self.config, self.rng, live, density)


@cocotb.test()
async def heads(dut):
    """One behind the other: dense and sparse masks, empty rows, few and single live tokens."""
    bench = await AttentionBench.on(dut)
    await bench.clear_sums(range(bench.config.bank_depth))
    await bench.run(bench.random_head(1.0), REALISTIC)
    await bench.run(bench.random_head(0.2, keep=0.7), SHARP)
    await bench.check_sums()
    await bench.run(bench.random_head(0.5, keep=0.7), SATURATING, accumulate=False)
    await bench.check_sums()
    await bench.run(bench.random_head(0.0), REALISTIC)
    await bench.run(bench.random_head(1.0, keep=0.0), SHARP)
    await bench.run(bench.random_head(0.05), REALISTIC)
    await bench.check_sums()
    await bench.clear_sums(range(0, bench.config.bank_depth, 2))
    await bench.check_sums()


@cocotb.test()
async def reset_in_a_head(dut):
    """At any cycle; the next head knows nothing of it."""
    bench = await AttentionBench.on(dut)
    for _ in range(6):
        await bench.begin(bench.random_head(0.5), REALISTIC)
        await ClockCycles(dut.clk, bench.rng.randint(1, 150))
        dut.rst.value = 1
        await ClockCycles(dut.clk, 2)
        dut.rst.value = 0
        await bench.edge
    await bench.clear_sums(range(bench.config.bank_depth))
    await bench.run(bench.random_head(0.5), REALISTIC)
    await bench.check_sums()
