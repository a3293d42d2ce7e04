"""Bench of `TileWalker`. Parameters: configuration, seed.

A step is compared with the loop nest of its layer, and the row that it finds in the operand
registers with what the walker asked of the source memory two cycles before or earlier.
"""

import cocotb

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.linear.layers import live_sets
from rtl_gen.interfaces.memories import LIST_LATENCY
from rtl_gen.linear.tile_walker import TileWalker

SHAPES = ((1, 1), (3, 1), (1, 3), (2, 2))
"""Groups of outputs, slices of inputs."""


class WalkerBench(UnitBench):
    UNIT = TileWalker

    def __init__(self, dut, pauses: float = 0):
        super().__init__(dut)
        self.live = [0]
        self.layers, self.weights = (
            self.source("layer"),
            self.source("weights", self.pauses(pauses)),
        )
        self.steps = self.record("steps__valid", "steps__payload")
        self.rows = self.record("rows__valid", "rows__payload")
        self.serve("live_list", lambda at: dict(enumerate(self.live)).get(at), LIST_LATENCY)

    async def walk(self, tiles: int, slices: int, *, only_cls: bool, stalls: bool) -> None:
        config, rng = self.config, self.rng
        pitch = rng.randint(1, config.max_dim // config.width)
        sizes = {"tiles": tiles, "slices": slices, "pitch": pitch}
        self.set(count=len(self.live))
        self.weights.put([0] * tiles * slices)
        await self.layers.send([sizes | {"only_cls": only_cls}])
        begin = self.cycle
        await self.until("layer__ready")
        tokens = self.live[: 1 if only_cls else None]
        span = max(len(tokens), TileWalker.MIN_PASS)
        first = begin + 1 + TileWalker.LATENCY
        passes = [(tile, slice_) for tile in range(tiles) for slice_ in range(slices)]
        steps, rows, cycles = [], [], []
        for index, (tile, slice_) in enumerate(passes):
            for position, token in enumerate(tokens):
                steps.append(
                    {
                        "pass_start": int(position == 0),
                        "first_slice": int(slice_ == 0),
                        "last_slice": int(slice_ == slices - 1),
                        "position": position,
                        "tile": tile,
                        "token": token,
                        "row": token * pitch,
                    }
                )
                rows.append(token * slices + slice_)
                cycles.append(first + index * span + position)
        assert [step for _, step in self.steps] == steps
        assert_equal("rows", [self.latched(cycle - 2) for cycle, _ in self.steps], rows)
        found = [cycle for cycle, _ in self.steps]
        if stalls:
            assert all(cycle >= bound for cycle, bound in zip(found, cycles, strict=True))
        else:
            assert_equal("cycles", found, cycles)
        self.steps.clear()
        self.rows.clear()

    def latched(self, cycle: int) -> int:
        """The row that was asked for last."""
        return [row for asked, row in self.rows if asked <= cycle][-1]


async def walk_all(bench: WalkerBench, *, stalls: bool) -> None:
    for live in live_sets(bench.config, bench.rng, TileWalker.MIN_PASS):
        bench.live = live
        for tiles, slices in SHAPES:
            await bench.walk(tiles, slices, only_cls=False, stalls=stalls)
    await bench.walk(2, 2, only_cls=True, stalls=stalls)
    assert not bench.get("live_list__enable")


@cocotb.test()
async def full_rate(dut):
    """Weights are always there: a step a cycle, none between passes of enough tokens."""
    await walk_all(await WalkerBench.on(dut), stalls=False)


@cocotb.test()
async def starved(dut):
    """Weights come late: the pipeline freezes, and nothing gets lost."""
    await walk_all(await WalkerBench.on(dut, pauses=0.95), stalls=True)
