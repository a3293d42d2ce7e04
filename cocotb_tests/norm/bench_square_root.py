"""Bench of `SquareRoot`. Parameters: bits, seed. A new value every cycle."""

import random
from math import isqrt

import cocotb

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.norm.square_root import SquareRoot

EXHAUSTIVE_BITS = 11
RANDOM_VALUES = 400


class SquareRootBench(UnitBench):
    def make_unit(self) -> SquareRoot:
        return SquareRoot(self.given["bits"])


def values(bits: int, rng: random.Random) -> list[int]:
    """All values if there are few; else the neighbours of squares and of powers of two."""
    if bits <= EXHAUSTIVE_BITS:
        return list(range(1 << bits))
    largest = isqrt((1 << bits) - 1)
    roots = [0, 1, 2, 3, largest - 1, largest]
    roots += [(1 << bit) + offset for bit in range(2, bits // 2) for offset in (-1, 0, 1)]
    roots += [rng.randint(0, largest) for _ in range(RANDOM_VALUES)]
    near = [root * root + offset for root in roots for offset in (-1, 0, 1)]
    near += [1 << bit for bit in range(bits)] + [(1 << bits) - 1]
    near += [rng.getrandbits(rng.randint(1, bits)) for _ in range(RANDOM_VALUES)]
    chosen = [value for value in near if 0 <= value < 1 << bits]
    rng.shuffle(chosen)
    return chosen


@cocotb.test()
async def roots_are_exact(dut):
    bench = await SquareRootBench.on(dut)
    bits = bench.given["bits"]
    arguments = values(bits, bench.rng)
    roots = await bench.call(arguments, SquareRoot.latency(bits))
    assert_equal("roots", roots, [isqrt(value) for value in arguments])
