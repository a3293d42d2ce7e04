"""Bench of `Epilogue`: a group a cycle or fewer. Parameters: configuration, seed."""

import cocotb
from cocotb.triggers import ClockCycles

from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.linear.layers import LARGEST, int8s, saturate
from model.tests import formulas
from rtl_gen.interfaces.memories import READ_LATENCY, words
from rtl_gen.linear.epilogue import Epilogue

GROUPS = 300


class EpilogueBench(UnitBench):
    UNIT = Epilogue

    def __init__(self, dut):
        super().__init__(dut)
        size = self.config.norm_channels
        self.gelu = int8s(self.rng, 256)
        self.rows = [
            [self.rng.choice([-32768, 32767, self.rng.randint(-99, 99)]) for _ in range(size)]
            for _ in range(words(self.config, "residual"))
        ]
        self.results = self.record("results__valid", "results__payload")
        self.serve("residual", self.rows.__getitem__, READ_LATENCY)

    async def fill_table(self) -> None:
        for entry, value in enumerate(self.gelu):
            self.set(gelu={"enable": 1, "address": entry, "data": value & 0xFF})
            await self.edge
        self.set(gelu__enable=0)

    def totals(self) -> dict:
        """Sums and factors whose results are small, large or beyond int16."""
        rng, lanes = self.rng, range(self.config.lanes)
        bits = [rng.randrange(1, 32) for _ in lanes]
        return {
            "sums": [rng.choice([rng.randint(-1 << b, 1 << b), LARGEST, -LARGEST]) for b in bits],
            "factors": [
                {"multiplier": rng.randrange(1 << 15, 1 << 16), "shift": rng.randrange(8, 40)}
                for _ in lanes
            ],
        }

    def expected(self, totals: dict, place: dict) -> dict:
        lanes = self.config.lanes
        wide = [
            formulas.requantised(total, of["multiplier"], of["shift"], 16)
            for total, of in zip(totals["sums"], totals["factors"], strict=True)
        ]
        narrow = [saturate(value, 8) for value in wide]
        part = place["tile"] % (self.config.norm_channels // lanes)
        old = self.rows[place["row"]][part * lanes :][:lanes]
        return {
            "qkv": narrow,
            "hidden": [self.gelu[value + 128] for value in narrow],
            "logits": wide,
            "residual": [saturate(x + value, 16) for x, value in zip(old, wide, strict=True)],
        }


@cocotb.test()
async def every_form(dut):
    bench = await EpilogueBench.on(dut)
    config, rng = bench.config, bench.rng
    await bench.fill_table()
    expected = []

    async def give_place(place):
        await ClockCycles(dut.clk, Epilogue.PLACE_CYCLES)
        bench.set(places={"valid": 1, "payload": place})

    for _ in range(GROUPS):
        totals = bench.totals()
        place = {
            "row": rng.randrange(words(config, "residual")),
            "tile": rng.randrange(1 << config.tile_bits),
        }
        bench.set(totals={"valid": 1, "payload": totals})
        cocotb.start_soon(give_place(place))
        await bench.edge
        bench.set(totals__valid=0)
        expected.append((bench.cycle + Epilogue.LATENCY, bench.expected(totals, place)))
        while rng.random() < 0.2:
            await bench.edge
    await ClockCycles(dut.clk, Epilogue.LATENCY + 1)
    assert bench.results == expected
