"""Bench of `SquareRoot`. Parameters: bits, seed. A new value every cycle."""

import random
from math import isqrt

import cocotb

from cocotb_tests.common.pipelined import run_pipeline
from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.harness.compare import assert_equal
from rtl_gen.norm.square_root import SquareRoot

EXHAUSTIVE_BITS = 11
RANDOM_VALUES = 400


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
    given = parameters()
    bits = given["bits"]
    items = [{"value": value} for value in values(bits, random.Random(given["seed"]))]
    latency = SquareRoot.latency(bits)
    await start(dut)
    results = await run_pipeline(dut, {"value": bits}, {"root": latency}, latency, items)
    assert_equal("root", [r["root"] for r in results], [isqrt(item["value"]) for item in items])
