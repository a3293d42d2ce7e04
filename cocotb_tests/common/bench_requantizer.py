"""Bench of `Requantizer`. Parameters: elements, input_bits, output_bits, seed.

The factor changes every cycle. Expectation: fractions, rounded half up.
"""

import random

import cocotb
from amaranth.hdl import signed
from amaranth.lib.data import ArrayLayout, StructLayout

from cocotb_tests.common.pipelined import run_function
from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.harness.compare import assert_equal
from model.tests import formulas
from rtl_gen import numerics
from rtl_gen.common.requantize import Requantizer
from rtl_gen.interfaces.layouts import scale_layout


@cocotb.test()
async def rounds_and_saturates(dut):
    given = parameters()
    elements, bits, output_bits = given["elements"], given["input_bits"], given["output_bits"]
    rng = random.Random(given["seed"])
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
    vectors = [vector(*factor) for factor in factors]
    items = [
        {"values": values, "scale": {"multiplier": m, "shift": s}}
        for values, (m, s) in zip(vectors, factors, strict=True)
    ]
    argument = StructLayout(
        {"values": ArrayLayout(signed(bits), elements), "scale": scale_layout()}
    )
    result = ArrayLayout(signed(output_bits), elements)
    await start(dut)
    results = await run_function(dut, argument, result, Requantizer.LATENCY, items)
    expected = [
        [formulas.requantised(value, *factor, output_bits) for value in values]
        for values, factor in zip(vectors, factors, strict=True)
    ]
    assert_equal("results", results, expected)
