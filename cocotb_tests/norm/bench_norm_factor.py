"""Bench of `NormFactor`. Parameters: configuration, seed. A new token every cycle."""

import random

import cocotb
from cocotb.triggers import RisingEdge

from cocotb_tests.common.pipelined import run_pipeline
from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.norm.expectation import statistics, token_factor
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import scale_layout, statistics_layout
from rtl_gen.interfaces.packing import pack
from rtl_gen.norm.norm_factor import NORMALISED_BITS, NormFactor, norm_factor_layout
from rtl_gen.numerics import Scale

TOKENS = 120


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
    """Several channel counts; norm scales from the smallest shift to one that leaves only signs."""
    given = parameters()
    rng = random.Random(given["seed"])
    config = AcceleratorConfig(**given["config"])
    await start(dut)
    dims = [config.max_dim, config.norm_channels, 3 * config.max_dim // 4]
    for dim in dims:
        mean_scale = Scale.nearest(16 / dim)
        for norm_scale in [(65535, 1), (32768, 1), (40000, 12), (50001, 24), (32768, 63)]:
            items = [
                dict(zip(("total", "squares"), statistics(token), strict=True))
                for token in tokens(dim, rng)
            ]
            dut.dim.value = dim
            for port, (multiplier, shift) in [
                ("mean_scale", mean_scale),
                ("norm_scale", norm_scale),
            ]:
                dut[port].value = pack(scale_layout(), {"multiplier": multiplier, "shift": shift})
            await RisingEdge(dut.clk)
            results = await run_pipeline(
                dut,
                {"statistics": statistics_layout(config)},
                {"factor": norm_factor_layout()},
                NormFactor.latency(config),
                [{"statistics": item} for item in items],
            )
            expected = []
            actual = []
            for item, result in zip(items, results, strict=True):
                mean, multiplier, shift = token_factor(
                    item["total"], item["squares"], dim, mean_scale, norm_scale
                )
                factor = result["factor"]
                expected.append([mean, multiplier, min(shift - 1, NORMALISED_BITS - 1)])
                actual.append([factor["mean"], factor["multiplier"], factor["shift"]])
                if multiplier == 0:
                    expected[-1][2] = actual[-1][2]
            assert_equal(f"factors of dim {dim}, scale {norm_scale}", actual, expected)
