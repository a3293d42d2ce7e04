"""Bench of `NormFactor`. Parameters: configuration, seed. A new token every cycle."""

import random
from itertools import product

import cocotb

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from cocotb_tests.norm.expectation import scale, statistics, token_factor
from rtl_gen.norm.norm_factor import NORMALISED_BITS, NormFactor
from rtl_gen.numerics import Scale

TOKENS = 120


class NormFactorBench(UnitBench):
    UNIT = NormFactor


def tokens(dim: int, rng: random.Random) -> list[list[int]]:
    """Channels with the smallest and the largest variances and means, and random ones."""
    half, odd = dim // 2, [rng.randint(-32768, 32767)]
    extremes = [
        [-32768] * dim,
        [32767] * dim,
        [0] * dim,
        odd * dim,
        [-32768] * half + [32767] * (dim - half),
        [32767] * (dim - 1) + [-32768],
        [-32768] * (dim - 1) + [32767],
        odd * (dim - 1) + [odd[0] ^ 1],
    ]
    random_ones = []
    for _ in range(TOKENS):
        spread = 1 << rng.randint(0, 14)
        centre = rng.randint(spread - 32768, 32767 - spread)
        random_ones.append([centre + rng.randint(-spread, spread) for _ in range(dim)])
    return extremes + random_ones


@cocotb.test()
async def factors_are_exact(dut):
    """Both kinds of norm, with scales from the smallest shift to one that leaves only signs."""
    bench = await NormFactorBench.on(dut)
    config, rng = bench.config, bench.rng
    dims = [config.max_dim, config.norm_channels, 3 * config.max_dim // 4, 1, config.width + 1]
    norm_scales = [(65535, 1), (32768, 1), (40000, 12), (50001, 24), (32768, 63)]
    for dim, plain in product(dims, (0, 1)):
        mean_scale = Scale.nearest(16 / dim)
        for norm_scale in norm_scales:
            sums = [statistics(token) for token in tokens(dim, rng)]
            results = await bench.call(
                [
                    {
                        "plain": plain,
                        "dim": dim,
                        "mean_scale": scale(mean_scale),
                        "norm_scale": scale(norm_scale),
                        "statistics": {"total": total, "squares": squares},
                    }
                    for total, squares in sums
                ],
                NormFactor.latency(config),
            )
            actual = [list(result.values()) for result in results]
            expected = [
                [*token_factor(*s, dim, mean_scale, norm_scale, plain=bool(plain))] for s in sums
            ]
            for factor, (_, multiplier, shift) in zip(expected, actual, strict=True):
                factor[2] = min(factor[2] - 1, NORMALISED_BITS - 1) if multiplier else shift
            label = f"factors of dim {dim}, scale {norm_scale}, plain {plain}"
            assert_equal(label, actual, expected)
