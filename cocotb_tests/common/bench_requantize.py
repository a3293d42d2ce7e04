"""Bench of `Requantizer`. Parameters: elements, input_bits, output_bits, seed.

The factor changes every cycle. Expectation: fractions, rounded half up.
"""

import cocotb

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from model.tests import formulas
from rtl_gen import numerics
from rtl_gen.common.requantize import Requantizer


class RequantizerBench(UnitBench):
    def make_unit(self) -> Requantizer:
        return Requantizer(**{n: self.given[n] for n in ("elements", "input_bits", "output_bits")})


@cocotb.test()
async def rounds_and_saturates(dut):
    bench = await RequantizerBench.on(dut)
    elements, bits, rng = bench.given["elements"], bench.given["input_bits"], bench.rng
    lowest, highest = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def near_halves(multiplier: int, shift: int) -> list[int]:
        """Values whose product lies on or beside an odd multiple of half a step."""
        centre = rng.choice([-3, -1, 1, 3]) * 2.0 ** (shift - 1) / multiplier
        return [round(min(max(centre, lowest), highest)) + offset for offset in (-1, 0, 1)]

    def vector(multiplier: int, shift: int) -> list[int]:
        corners = [lowest, highest, 0, 1, -1, *near_halves(multiplier, shift)]
        corners.append(rng.randint(lowest, highest))
        values = [min(max(value, lowest), highest) for value in corners]
        return rng.sample(values, elements)

    factors = [
        (multiplier, shift)
        for shift in range(1, 1 << numerics.SHIFT_BITS)
        for multiplier in (1, 1 << 15, (1 << 16) - 1, rng.randrange(1 << 15, 1 << 16))
        for _ in range(4)
    ]
    rng.shuffle(factors)
    items = [
        {
            "values": vector(*factor),
            "scale": dict(zip(("multiplier", "shift"), factor, strict=True)),
        }
        for factor in factors
    ]
    results = await bench.call(items, Requantizer.LATENCY)
    expected = [
        [
            formulas.requantised(value, *factor, bench.given["output_bits"])
            for value in item["values"]
        ]
        for item, factor in zip(items, factors, strict=True)
    ]
    assert_equal("results", results, expected)
