"""Bench of `LayerNorm`. Parameters: configuration, seed.

Each case sums the statistics of the live tokens' channels, runs the norm on memories in Python and
compares the rows that it writes and the cycle of each.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.norm.expectation import Factor, normalised, scale
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import LIST_LATENCY, READ_LATENCY
from rtl_gen.norm.layer_norm import LayerNorm
from rtl_gen.norm.norm_statistics import NormStatistics
from rtl_gen.numerics import Scale

Draw = Callable[[random.Random, int], list[int]]

VALUES: dict[str, Draw] = {
    "lowest": lambda _rng, dim: [-32768] * dim,
    "highest": lambda _rng, dim: [32767] * dim,
    "equal": lambda rng, dim: [rng.randint(-32768, 32767)] * dim,
    "alternating": lambda _rng, dim: ([-32768, 32767] * dim)[:dim],
    "one apart": lambda _rng, dim: [32767] * (dim - 1) + [-32768],
    "one step": lambda rng, dim: [rng.randint(-32767, 32767)] * (dim - 1) + [-32768],
    "uniform": lambda rng, dim: [rng.randint(-32768, 32767) for _ in range(dim)],
    "narrow": lambda rng, dim: [1000 + rng.randint(-3, 3) for _ in range(dim)],
    "outlier": lambda rng, dim: [20000] + [round(rng.gauss(-40, 300)) for _ in range(dim - 1)],
}


@dataclass
class Norm:
    """One norm: the channels of the tokens to normalise, `dim` of their own and zeros up to whole
    rows, and the constants of the layer.
    """

    dim: int
    tokens: dict[int, list[int]]
    channel_shifts: list[int]
    mean_scale: Factor
    norm_scale: Factor
    plain: bool

    def expected_rows(self, size: int) -> list[list[int]]:
        """[row of the residual memory, *its `size` channels] in the order of writing."""
        rows, groups = [], len(self.channel_shifts) // size
        for token, channels in sorted(self.tokens.items()):
            scales = self.mean_scale, self.norm_scale
            results = normalised(channels, self.dim, *scales, self.channel_shifts, plain=self.plain)
            first = token * groups
            rows += [[first + i, *results[i * size :][:size]] for i in range(groups)]
        return rows


def draw_norm(
    bench: "NormBench", tokens: list[int], dim: int, values: list[Draw], *, plain: bool = False
) -> Norm:
    rng, width = bench.rng, bench.config.width
    filling = [0] * (-dim % width)
    step = rng.choice([2, 40, 300] if plain else [0.002 / dim, 0.02 / dim, 0.1 / dim])
    return Norm(
        dim=dim,
        tokens={j: rng.choice(values)(rng, dim) + filling for j in tokens},
        channel_shifts=[rng.randrange(8) for _ in range(dim + len(filling))],
        mean_scale=Scale.nearest(16 / dim),
        norm_scale=Scale.nearest(min(1 / (16 * step), 16000)),
        plain=plain,
    )


class NormBench(UnitBench):
    """LayerNorm between memories in Python; `live` are the live tokens."""

    UNIT = LayerNorm

    def __init__(self, dut: HierarchyObject):
        super().__init__(dut)
        self.live, self.residual, self.shifts = [0], {}, {}
        self.commands, self.updates = self.source("norm"), self.source("updates")
        self.serve("reads__live_list", lambda at: dict(enumerate(self.live)).get(at), LIST_LATENCY)
        self.serve("reads__residual", lambda at: self.residual.get(at), READ_LATENCY)
        self.serve("reads__channel_shifts", lambda at: self.shifts.get(at), READ_LATENCY)
        activation = [f"writes__activation__{port}" for port in ("chunks", "address", "data")]
        self.written = self.record("writes__activation__enable", *activation)

    async def load(self, norm: Norm) -> None:
        """Channels of the tokens, their statistics as a linear layer sums them, channel shifts."""
        size, lanes = self.config.norm_channels, self.config.lanes
        padded = len(norm.channel_shifts)
        groups = padded // size
        self.residual = {
            token * groups + group: channels[group * size :][:size]
            for token, channels in norm.tokens.items()
            for group in range(groups)
        }
        self.shifts = {group: norm.channel_shifts[group * size :][:size] for group in range(groups)}
        for begin in range(0, padded, lanes):
            await self.updates.send(
                {"token": token, "first": begin == 0, "values": channels[begin:][:lanes]}
                for token, channels in norm.tokens.items()
            )
            await ClockCycles(self.dut.clk, NormStatistics.REVISIT_CYCLES)
        await ClockCycles(self.dut.clk, NormStatistics.latency(self.config))

    async def run(self, label: str, norm: Norm, *, only_cls: bool = False) -> None:
        """The norm of tokens that are loaded; compares its rows, their cycles and the total."""
        size, tokens = self.config.norm_channels, len(norm.tokens)
        self.written.clear()
        self.set(count=len(self.live))
        command = {
            "only_cls": only_cls,
            "plain": norm.plain,
            "dim": norm.dim,
            "scale_a": scale(norm.mean_scale),
            "scale_b": scale(norm.norm_scale),
        }
        await self.commands.send([command])
        begin = self.cycle
        self.set(count=self.rng.randrange(1 + self.config.max_tokens))
        elapsed = await self.until("idle")
        await self.edge
        rows = [
            [2 * row + half, *data[half * size :][:size]]
            for _, chunks, row, data in self.written
            for half in [chunks.bit_length() - 1]
        ]
        cycles = [cycle - begin for cycle, *_ in self.written]
        first = LayerNorm.latency(self.config)
        assert_equal(f"{label}: rows", rows, norm.expected_rows(size))
        assert_equal(f"{label}: cycles of the rows", cycles, range(first, first + len(rows)))
        cycles = LayerNorm.cycles(self.config, tokens, norm.dim)
        assert_equal(f"{label}: cycles", elapsed, cycles)
        ports = [name for name in self.shapes if name.endswith("__enable")]
        assert_equal(f"{label}: {ports} while idle", [self.get(p) for p in ports], [0] * 4)


def dims(config: AcceleratorConfig, rng: random.Random) -> list[int]:
    """A channel a token, half a row of int8, a row, a channel more, any odd number, the most."""
    width, most = config.width, config.max_dim
    return [1, config.norm_channels, width, width + 1, rng.randrange(1, most, 2), most]


def live_sets(config: AcceleratorConfig, rng: random.Random) -> list[list[int]]:
    """CLS alone, the ends, every third token, a random half, all."""
    longest = config.max_tokens
    half = [token for token in range(longest) if token == 0 or rng.random() < 0.5]
    return [[0], [0, longest - 1], list(range(0, longest, 3)), half, list(range(longest))]


@cocotb.test()
async def every_distribution(dut):
    """All kinds of channels, one norm each and then mixed, for several widths and live sets."""
    bench = await NormBench.on(dut)
    rng, config = bench.rng, bench.config
    for bench.live in live_sets(config, rng):
        for dim in dims(config, rng):
            norm = draw_norm(bench, bench.live, dim, list(VALUES.values()))
            await bench.load(norm)
            await bench.run(f"dim {dim}, {len(bench.live)} live", norm)
    bench.live = [1, 2, 5]
    for name, draw in VALUES.items():
        norm = draw_norm(bench, bench.live, config.max_dim, [draw])
        await bench.load(norm)
        await bench.run(name, norm)


@cocotb.test()
async def plain(dut):
    """Channels of all kinds are rounded as they are, between norms that normalise."""
    bench = await NormBench.on(dut)
    bench.live = [0, 3, 4]
    for dim in dims(bench.config, bench.rng):
        for name, draw in VALUES.items():
            for only_rounds in (True, bench.rng.random() < 0.3):
                norm = draw_norm(bench, bench.live, dim, [draw], plain=only_rounds)
                await bench.load(norm)
                await bench.run(f"plain {only_rounds}, {name}, dim {dim}", norm)


@cocotb.test()
async def first_token_alone(dut):
    """`only_cls` normalises the first live token, whichever that is."""
    bench = await NormBench.on(dut)
    bench.live = [3, 4, 9]
    norm = draw_norm(bench, [3], bench.config.max_dim, [VALUES["uniform"]])
    await bench.load(norm)
    await bench.run("only_cls", norm, only_cls=True)


@cocotb.test()
async def norms_repeat(dut):
    """Statistics and channels stay, and a reset ends what is under way."""
    bench = await NormBench.on(dut)
    bench.live = live_sets(bench.config, bench.rng)[2]
    norm = draw_norm(bench, bench.live, bench.config.max_dim, [VALUES["uniform"]])
    await bench.load(norm)
    for turn in range(3):
        await bench.run(f"turn {turn}", norm)
    await bench.commands.send([{"dim": norm.dim}])
    await ClockCycles(dut.clk, LayerNorm.latency(bench.config))
    await bench.pulse("rst")
    await bench.run("after a reset", norm)
