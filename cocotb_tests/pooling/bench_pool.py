"""Bench of `Pool`. Parameters: configuration, seed.

The memories are in Python. Each case compares the rows that are read, the parts that are written
and handed to the statistics, and the cycle of each.
"""

import random
from dataclasses import dataclass

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from model.tests.formulas import requantised
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import LIST_LATENCY, READ_LATENCY
from rtl_gen.numerics import Scale
from rtl_gen.pooling.pool import Pool

LOWEST, HIGHEST = -32768, 32767


@dataclass
class Pooling:
    """A command, and the channels of the live tokens, in ascending order: `dim` of their own, zeros
    up to `padded`, which is whole rows.
    """

    live: dict[int, list[int]]
    prefix: int
    first: int
    dim: int
    padded: int
    scale: Scale

    @property
    def command(self) -> dict:
        scale = {"multiplier": self.scale.multiplier, "shift": self.scale.shift}
        return {"prefix": self.prefix, "first": self.first, "dim": self.dim, "scale_a": scale}

    @property
    def averaged(self) -> list[int]:
        return list(self.live)[self.prefix :]

    def means(self) -> list[int]:
        sums = [sum(self.live[token][i] for token in self.averaged) for i in range(self.padded)]
        return [requantised(total, *self.scale, 16) for total in sums]


class PoolBench(UnitBench):
    UNIT = Pool

    def __init__(self, dut: HierarchyObject):
        super().__init__(dut)
        self.live: list[int] = []
        row_parts = range(self.config.norm_channels // self.config.lanes)
        self.low_channel = {0b11 << 2 * part: part * self.config.lanes for part in row_parts}
        self.rows: dict[int, list[int]] = {}
        self.commands = self.source("pool")
        self.serve("reads__live_list", lambda at: dict(enumerate(self.live)).get(at), LIST_LATENCY)
        self.serve("reads__residual", self.row, READ_LATENCY)
        self.read_rows = self.record("reads__residual__enable", "reads__residual__address")
        write = [f"writes__residual__{port}" for port in ("chunks", "address", "data")]
        self.written = self.record("writes__residual__enable", *write)
        self.updates = self.record("updates__valid", "updates__payload")

    def row(self, address: int) -> list[int]:
        """With what has been written of it."""
        row = list(self.rows.get(address, [0] * self.config.norm_channels))
        lanes = self.config.lanes
        for _, chunks, written, data in self.written:
            if written == address:
                part = slice(self.low_channel[chunks], self.low_channel[chunks] + lanes)
                row[part] = data[part]
        return row

    async def begin(self, pooling: Pooling) -> int:
        """The command is taken; returns the cycle of that."""
        groups, size = pooling.padded // self.config.norm_channels, self.config.norm_channels
        self.live = list(pooling.live)
        self.rows = {
            token * groups + group: channels[group * size :][:size]
            for token, channels in pooling.live.items()
            for group in range(groups)
        }
        self.set(count=len(self.live))
        await self.commands.send([pooling.command])
        for records in (self.read_rows, self.written, self.updates):
            records.clear()
        return self.cycle

    async def run(self, label: str, pooling: Pooling) -> None:
        config, lanes = self.config, self.config.lanes
        begin = await self.begin(pooling)
        elapsed = await self.until("idle")
        await self.edge
        groups, parts = pooling.padded // config.norm_channels, range(pooling.padded // lanes)
        row_parts = config.norm_channels // lanes
        places = [divmod(part, row_parts) for part in parts]
        rows = [token * groups + group for group, _ in places for token in pooling.averaged]
        assert_equal(f"{label}: rows read", [row for _, row in self.read_rows], rows)

        # A part takes a step a token, one a channel, and 12.
        a_part = max(len(pooling.averaged), 1) + lanes + 12
        means = pooling.means()
        expected = [
            [
                (part + 1) * a_part,
                0b11 << 2 * row_part,
                pooling.first * groups + group,
                *means[part * lanes :][:lanes],
            ]
            for part, (group, row_part) in zip(parts, places, strict=True)
        ]
        written = [
            [cycle - begin, chunks, row, *data[self.low_channel[chunks] :][:lanes]]
            for cycle, chunks, row, data in self.written
        ]
        assert_equal(f"{label}: [cycle, chunks, row, means]", written, expected)
        both = {cycle for cycle, _ in self.read_rows} & {cycle for cycle, *_ in self.written}
        assert_equal(f"{label}: cycles that read and write", sorted(both), [])
        updates = [
            [cycle - begin, update["token"], update["first"], *update["values"]]
            for cycle, update in self.updates
        ]
        token = [[e[0], pooling.first, i == 0, *e[3:]] for i, e in enumerate(expected)]
        assert_equal(f"{label}: [cycle, token, first, means] to the statistics", updates, token)
        cycles = Pool.cycles(config, len(pooling.averaged), pooling.dim)
        assert_equal(f"{label}: cycles", elapsed, cycles)
        ports = [name for name in self.shapes if name.endswith("__enable")]
        assert_equal(f"{label}: {ports} while idle", [self.get(p) for p in ports], [0] * 3)


def draw(config: AcceleratorConfig, rng: random.Random, live: list[int], **fields) -> Pooling:
    """Random channels; the mean of all of them, into a random token, unless `fields` differ."""
    dim = fields.get("dim", config.max_dim)
    filling = [0] * (-dim % config.width)
    averaged = max(len(live) - fields.get("prefix", 0), 1)
    values = rng.choice([[LOWEST], [HIGHEST], [LOWEST, HIGHEST], range(LOWEST, HIGHEST + 1)])
    channels = {token: [rng.choice(values) for _ in range(dim)] + filling for token in live}
    chosen = {"prefix": 0, "dim": dim, "scale": Scale.nearest(1 / averaged)}
    chosen |= {"first": rng.randrange(config.max_tokens), "padded": dim + len(filling)}
    return Pooling(live=channels, **chosen | fields)


@cocotb.test()
async def means_are_exact(dut):
    """One token, two, every third, all; a channel a token, half a row, a row, a channel more, the
    most; none left out up to more than there are; a token of the mean or another one takes it.
    """
    bench = await PoolBench.on(dut)
    config, rng = bench.config, bench.rng
    longest, width = config.max_tokens, config.width
    live_sets = [[longest - 1], [0, longest - 1], list(range(0, longest, 3)), list(range(longest))]
    for live in live_sets:
        for prefix in {0, 1, rng.randint(2, 5), len(live) - 1, len(live), len(live) + 3}:
            dim = rng.choice([1, width // 2, width, width + 1, config.max_dim])
            first = rng.choice([live[-1], live[0], rng.randrange(longest)])
            pooling = draw(config, rng, live, prefix=prefix, dim=dim, first=first)
            await bench.run(f"{len(live)} live, {prefix} left out, dim {dim}", pooling)


@cocotb.test()
async def sums_are_wide_enough(dut):
    """All tokens at the ends of the range; scales that saturate, and that leave only the sign."""
    bench = await PoolBench.on(dut)
    live = list(range(bench.config.max_tokens))
    for value in (LOWEST, HIGHEST, -1):
        for scale in (Scale.nearest(1 / len(live)), Scale(65535, 1), Scale(32768, 63)):
            pooling = draw(bench.config, bench.rng, live, scale=scale)
            pooling.live = {token: [value] * pooling.dim for token in live}
            await bench.run(f"all {value}, {scale}", pooling)


@cocotb.test()
async def any_reset(dut):
    """A reset in any cycle of a command leaves nothing for the next one."""
    bench = await PoolBench.on(dut)
    config, rng = bench.config, bench.rng
    live = [1, 2, 5]
    whole = Pool.cycles(config, len(live), config.max_dim)
    for cycles in sorted(rng.sample(range(1, whole), 12)):
        await bench.begin(draw(config, rng, live))
        await ClockCycles(dut.clk, cycles)
        await bench.pulse("rst")
        await bench.run(f"reset after {cycles}", draw(config, rng, live))
