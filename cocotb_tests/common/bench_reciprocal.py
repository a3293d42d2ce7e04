"""Bench of `Reciprocal`. Parameters: bits, exhaustive (every value, or corners), seed."""

import random

import cocotb

from cocotb_tests.common.pipelined import run_function
from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.harness.compare import assert_equal
from model.tests import formulas
from rtl_gen import numerics
from rtl_gen.common.reciprocal import Reciprocal, reciprocal_layout


@cocotb.test()
async def quotients(dut):
    given = parameters()
    bits, rng = given["bits"], random.Random(given["seed"])
    largest = (1 << bits) - 1
    if given["exhaustive"]:
        values = list(range(1, largest + 1))
    else:
        powers = [(1 << n) + offset for n in range(1, bits) for offset in (-1, 0, 1)]
        multiples = [numerics.EXP_MAX * i for i in range(1, largest // numerics.EXP_MAX, 7)]
        values = [largest, *powers, *multiples, *(rng.randint(1, largest) for _ in range(500))]
    rng.shuffle(values)
    await start(dut)
    results = await run_function(dut, bits, reciprocal_layout(bits), Reciprocal.LATENCY, values)
    actual = [(result["mantissa"], result["length"]) for result in results]
    assert_equal("(mantissa, length)", actual, [formulas.reciprocal(v) for v in values])
