"""Bench of `MacArray`: both reductions, mixed beat by beat. Parameters: configuration, seed."""

import cocotb

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.array.mac_array import MacArray

RANDOM_BEATS = 60


class ArrayBench(UnitBench):
    UNIT = MacArray

    def __init__(self, dut):
        super().__init__(dut)
        self.lanes, self.width = range(self.config.lanes), range(self.config.width)

    def beat(self, scale_lanes: int, row: int = 0, scalar: int = 0, vector: int = 0) -> dict:
        """Equal operands everywhere."""
        return {
            "row": [row for _ in self.width],
            "vectors": [[vector for _ in self.width] for _ in self.lanes],
            "lanes": {"scale_lanes": scale_lanes, "scalars": [scalar for _ in self.lanes]},
        }

    def beats(self) -> list[dict]:
        """Every combination of extreme operands in either mode, single ones, then random beats."""
        rng = self.rng
        extremes = [
            self.beat(mode, row, scalar, vector)
            for mode in (0, 1)
            for row in (-128, 127)
            for scalar in (0, 255)
            for vector in (-128, 127)
        ]
        single = []
        for mode in (0, 1):
            for lane in self.lanes:
                item, channel = self.beat(mode), rng.choice(self.width)
                item["row"][channel] = item["lanes"]["scalars"][lane] = 1
                item["vectors"][lane][channel] = -100 + lane
                single.append(item)

        mixed = [self.random("compute__argument") for _ in range(RANDOM_BEATS)]
        return extremes + single + mixed


@cocotb.test()
async def reductions(dut):
    bench = await ArrayBench.on(dut)
    config, lanes, width = bench.config, bench.lanes, bench.width
    items = bench.beats()
    for name, latency in (
        ("dots", MacArray.dot_latency(config)),
        ("columns", MacArray.column_latency(config)),
    ):
        arguments = [{"compute__argument": item} for item in items]
        results = await bench.pipeline(arguments, ["compute__result"], latency)
        of_mode = [
            (item, result["compute__result"][name])
            for item, result in zip(items, results, strict=True)
            if item["lanes"]["scale_lanes"] == (name == "columns")
        ]
        expected = [
            [sum(i["row"][c] * i["vectors"][lane][c] for c in width) for lane in lanes]
            if name == "dots"
            else [
                sum(i["lanes"]["scalars"][lane] * i["vectors"][lane][c] for lane in lanes)
                for c in width
            ]
            for i, _ in of_mode
        ]
        assert_equal(name, [found for _, found in of_mode], expected)
