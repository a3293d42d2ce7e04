"""Bench of `MacArray`: both reductions of beats of either kind. Parameters: configuration, seed."""

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

    def beat(self, row: list[int], vectors: list[list[int]]) -> dict:
        """The same row for all lanes, as in linear layers and QK^T."""
        return {"factors": [row for _ in self.lanes], "vectors": vectors}

    def scaled(self, scalars: list[int], vectors: list[list[int]]) -> dict:
        """A scalar for all of a lane, as in PV."""
        return {"factors": [[scalar] * len(self.width) for scalar in scalars], "vectors": vectors}

    def beats(self) -> list[dict]:
        """Every combination of extreme operands in either mode, single ones, then random beats."""
        rng, lanes, width = self.rng, self.lanes, self.width
        vectors = {v: [[v for _ in width] for _ in lanes] for v in (-128, 127)}
        extremes = [
            beat
            for vector in vectors.values()
            for beat in (
                *(self.beat([row for _ in width], vector) for row in (-128, 127)),
                *(self.scaled([scalar for _ in lanes], vector) for scalar in (0, 255)),
            )
        ]
        single = []
        for lane in lanes:
            channel = rng.choice(width)
            vector = [[(i, c) == (lane, channel) and -100 + lane for c in width] for i in lanes]
            single.append(self.beat([int(c == channel) for c in width], vector))
            single.append(self.scaled([int(i == lane) for i in lanes], vector))

        def mixed(bits: int) -> list[list[int]]:
            return [[rng.randrange(-1 << bits - 1, 1 << bits - 1) for _ in width] for _ in lanes]

        random = [self.beat(mixed(8)[0], mixed(8)) for _ in range(RANDOM_BEATS)]
        random += [self.scaled([rng.randrange(256) for _ in lanes], mixed(8)) for _ in random]
        rng.shuffle(random)
        return extremes + single + random


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
        products = [
            [[item["factors"][i][c] * item["vectors"][i][c] for c in width] for i in lanes]
            for item in items
        ]
        expected = [
            [sum(lane) for lane in beat]
            if name == "dots"
            else [sum(channel) for channel in zip(*beat, strict=True)]
            for beat in products
        ]
        found = [result["compute__result"][name] for result in results]
        assert_equal(name, found, expected)
