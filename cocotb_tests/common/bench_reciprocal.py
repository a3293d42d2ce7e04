"""Bench of `Reciprocal`. Parameters: bits, exhaustive (every value, or corners), seed."""

import cocotb

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from model.tests import formulas
from rtl_gen import numerics
from rtl_gen.common.reciprocal import Reciprocal


class ReciprocalBench(UnitBench):
    def make_unit(self) -> Reciprocal:
        return Reciprocal(self.given["bits"])


@cocotb.test()
async def quotients(dut):
    bench = await ReciprocalBench.on(dut)
    bits, rng = bench.given["bits"], bench.rng
    largest = (1 << bits) - 1
    if bench.given["exhaustive"]:
        values = list(range(1, largest + 1))
    else:
        powers = [(1 << n) + offset for n in range(1, bits) for offset in (-1, 0, 1)]
        multiples = [numerics.EXP_MAX * i for i in range(1, largest // numerics.EXP_MAX, 7)]
        values = [largest, *powers, *multiples, *(rng.randint(1, largest) for _ in range(500))]
    rng.shuffle(values)
    results = await bench.call(values, Reciprocal.LATENCY)
    actual = [(result["mantissa"], result["length"]) for result in results]
    assert_equal("(mantissa, length)", actual, [formulas.reciprocal(v) for v in values])
