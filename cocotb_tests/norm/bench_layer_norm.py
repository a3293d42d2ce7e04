"""Bench of `NormStage`. Parameters: configuration, seed.

Each case loads the residual rows and sums their statistics, runs the norm and compares the rows
that it writes and the cycle of each.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

import cocotb
from amaranth.hdl import signed
from amaranth.lib.data import ArrayLayout
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from sim_models.layer_norm import norm_cycles

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.streams import StreamSource
from cocotb_tests.norm.expectation import Factor, normalised
from cocotb_tests.norm.norm_stage import NormStage
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.packing import unpack
from rtl_gen.norm.layer_norm import LayerNorm
from rtl_gen.norm.norm_statistics import NormStatistics
from rtl_gen.numerics import Scale

Draw = Callable[[random.Random, int], list[int]]

VALUES: dict[str, Draw] = {
    "lowest": lambda _rng, dim: [-32768] * dim,
    "highest": lambda _rng, dim: [32767] * dim,
    "equal": lambda rng, dim: [rng.randint(-32768, 32767)] * dim,
    "alternating": lambda _rng, dim: [-32768, 32767] * (dim // 2),
    "one apart": lambda _rng, dim: [32767] * (dim - 1) + [-32768],
    "one step": lambda rng, dim: [rng.randint(-32767, 32767)] * (dim - 1) + [-32768],
    "uniform": lambda rng, dim: [rng.randint(-32768, 32767) for _ in range(dim)],
    "narrow": lambda rng, dim: [1000 + rng.randint(-3, 3) for _ in range(dim)],
    "outlier": lambda rng, dim: [20000] + [round(rng.gauss(-40, 300)) for _ in range(dim - 1)],
}


@dataclass
class Norm:
    """One norm: the channels of the live tokens and the constants of the layer."""

    dim: int
    tokens: dict[int, list[int]]
    channel_shifts: list[int]
    mean_scale: Factor
    norm_scale: Factor

    def expected_rows(self, row_channels: int) -> list[list[int]]:
        """[address, *channels] in the order of writing."""
        rows = []
        for token, channels in sorted(self.tokens.items()):
            results = normalised(
                channels, self.dim, self.mean_scale, self.norm_scale, self.channel_shifts
            )
            first_row = token * (len(channels) // row_channels)
            for group, begin in enumerate(range(0, len(results), row_channels)):
                rows.append([first_row + group, *results[begin : begin + row_channels]])
        return rows


def draw_norm(
    config: AcceleratorConfig, rng: random.Random, live: list[int], dim: int, values: list[Draw]
) -> Norm:
    """Rows are filled up with channels of zero."""
    padded = -(-dim // config.norm_channels) * config.norm_channels
    return Norm(
        dim=dim,
        tokens={j: rng.choice(values)(rng, dim) + [0] * (padded - dim) for j in live},
        channel_shifts=[rng.randrange(8) for _ in range(padded)],
        mean_scale=Scale.nearest(16 / dim),
        norm_scale=Scale.nearest(min(dim / (16 * rng.choice([0.002, 0.02, 0.1])), 16000)),
    )


class Driver:
    """What the accelerator does around the norm."""

    def __init__(self, dut: HierarchyObject):
        given = parameters()
        self.dut = dut
        self.rng = random.Random(given["seed"])
        self.config = AcceleratorConfig(**given["config"])
        stage = NormStage(self.config)
        self.fill = StreamSource(dut, "fill", self.config.count_bits)
        self.keep = StreamSource(dut, "keep", stage.keep_word)
        self.start = StreamSource(dut, "start", stage.start.payload.shape())
        self.row = StreamSource(dut, "row", stage.row_word)
        self.shifts = StreamSource(dut, "shifts", stage.shifts_word)
        self.channels = StreamSource(dut, "channels", stage.channels_word)
        self.results = ArrayLayout(signed(8), self.config.norm_channels)

    async def make_live(self, live: list[int]) -> None:
        """The list holds exactly the tokens `live`."""
        lanes, words = self.config.lanes, max(live) // self.config.lanes + 1
        self.fill.put([self.config.max_tokens])
        await self._done()
        self.keep.put(
            {
                "word": word,
                "bits": sum(1 << lane for lane in range(lanes) if word * lanes + lane in live),
                "last": word == words - 1,
            }
            for word in range(words)
        )
        await self._done()
        await RisingEdge(self.dut.clk)

    async def _done(self) -> None:
        await with_timeout(RisingEdge(self.dut.done), 1000 * CLOCK_PERIOD_NS, "ns")

    async def load(self, norm: Norm) -> None:
        """Rows of the live tokens, their statistics as a linear layer sums them, channel shifts."""
        size, lanes = self.config.norm_channels, self.config.lanes
        groups = len(norm.channel_shifts) // size
        self.row.put(
            {"address": token * groups + group, "data": channels[group * size :][:size]}
            for token, channels in norm.tokens.items()
            for group in range(groups)
        )
        self.shifts.put(
            {"address": group, "data": norm.channel_shifts[group * size :][:size]}
            for group in range(groups)
        )
        for begin in range(0, len(norm.channel_shifts), lanes):
            await self.channels.send(
                {"token": token, "first": begin == 0, "values": channels[begin:][:lanes]}
                for token, channels in norm.tokens.items()
            )
            await ClockCycles(self.dut.clk, NormStatistics.REVISIT_CYCLES)
        await self.row.send([])
        await self.shifts.send([])
        await ClockCycles(self.dut.clk, NormStatistics.latency(self.config))

    async def run(self, label: str, norm: Norm) -> None:
        """The norm of tokens that are loaded; compares its rows, their cycles and the total."""
        dut, size = self.dut, self.config.norm_channels
        groups = len(norm.channel_shifts) // size
        self.start.put(
            [
                {
                    "tokens": len(norm.tokens),
                    "groups": groups,
                    "dim": norm.dim,
                    "mean": dict(zip(("multiplier", "shift"), norm.mean_scale, strict=True)),
                    "norm": dict(zip(("multiplier", "shift"), norm.norm_scale, strict=True)),
                }
            ]
        )
        while not (int(dut.start__valid.value) and int(dut.start__ready.value)):
            await RisingEdge(dut.clk)
        rows, cycles, elapsed, ready = [], [], 0, False
        while not ready:
            await RisingEdge(dut.clk)
            elapsed += 1
            if int(dut.activations__valid.value):
                address = int(dut.activations__address.value)
                data = unpack(self.results, int(dut.activations__data.value))
                rows.append([address, *data])
                cycles.append(elapsed)
            ready = int(dut.start__ready.value)
        first = LayerNorm.latency(self.config)
        assert_equal(f"{label}: rows", rows, norm.expected_rows(size))
        assert_equal(f"{label}: cycles of the rows", cycles, range(first, first + len(rows)))
        assert_equal(
            f"{label}: cycles", elapsed, norm_cycles(self.config, len(norm.tokens), norm.dim)
        )


def dims(config: AcceleratorConfig) -> list[int]:
    """One row a token, two, an even number of channels that do not fill the last row, the most."""
    size = config.norm_channels
    return [size, 2 * size, config.max_dim - 2, config.max_dim]


def live_sets(config: AcceleratorConfig, rng: random.Random) -> list[list[int]]:
    """CLS alone, the ends, every third token, a random half, all."""
    longest = config.max_tokens
    half = [token for token in range(longest) if token == 0 or rng.random() < 0.5]
    return [[0], [0, longest - 1], list(range(0, longest, 3)), half, list(range(longest))]


@cocotb.test()
async def every_distribution(dut):
    """All kinds of channels, one norm each and then mixed, for several widths and live sets."""
    await start(dut)
    driver = Driver(dut)
    rng, config = driver.rng, driver.config
    for live in live_sets(config, rng):
        await driver.make_live(live)
        for dim in dims(config):
            norm = draw_norm(config, rng, live, dim, list(VALUES.values()))
            label = f"dim {dim}, {len(live)} live"
            await driver.load(norm)
            await driver.run(label, norm)
    await driver.make_live([0, 2, 5])
    for name, draw in VALUES.items():
        norm = draw_norm(config, rng, [0, 2, 5], config.max_dim, [draw])
        await driver.load(norm)
        await driver.run(name, norm)


@cocotb.test()
async def commands_wait(dut):
    """A command that is offered during a norm starts when that is through."""
    await start(dut)
    driver = Driver(dut)
    live = live_sets(driver.config, driver.rng)[2]
    await driver.make_live(live)
    norm = draw_norm(driver.config, driver.rng, live, driver.config.max_dim, [VALUES["uniform"]])
    await driver.load(norm)
    for turn in range(3):
        await driver.run(f"turn {turn}", norm)
