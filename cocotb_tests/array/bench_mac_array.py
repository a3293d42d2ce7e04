"""Bench of `MacArray`: both reductions, mixed beat by beat. Parameters: configuration, seed."""

import random

import cocotb

from cocotb_tests.common.pipelined import run_pipeline
from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.harness.compare import assert_equal
from rtl_gen.array.mac_array import MacArray
from rtl_gen.config import AcceleratorConfig

RANDOM_BEATS = 60


def beats(config: AcceleratorConfig, rng: random.Random) -> list[dict]:
    """Every combination of extreme operands in either mode, then random beats."""
    lanes, width = range(config.lanes), range(config.width)

    def beat(scale_lanes, row, scalar, vector):
        return {
            "scale_lanes": scale_lanes,
            "row": [row() for _ in width],
            "scalars": [scalar() for _ in lanes],
            "vectors": [[vector() for _ in width] for _ in lanes],
        }

    extremes = [
        beat(mode, lambda row=row: row, lambda s=scalar: s, lambda v=vector: v)
        for mode in (0, 1)
        for row in (-128, 127)
        for scalar in (0, 255)
        for vector in (-128, 127)
    ]
    one_hot = [beat(mode, lambda: 0, lambda: 0, lambda: 0) for mode in (0, 1) for _ in lanes]
    for index, item in enumerate(one_hot):
        channel = rng.choice(width)
        item["row"][channel] = 1
        item["scalars"][index % config.lanes] = 1
        item["vectors"][index % config.lanes][channel] = -100 + index

    def int8():
        return rng.randint(-128, 127)

    mixed = [
        beat(rng.randrange(2), int8, lambda: rng.randint(0, 255), int8) for _ in range(RANDOM_BEATS)
    ]
    return extremes + one_hot + mixed


@cocotb.test()
async def reductions(dut):
    given = parameters()
    config = AcceleratorConfig(**given["config"])
    ports = {n: m.shape for n, m in MacArray(config).signature.members.items()}
    inputs = {n: ports[n] for n in ("scale_lanes", "row", "scalars", "vectors")}
    items = beats(config, random.Random(given["seed"]))
    qk = [item for item in items if not item["scale_lanes"]]
    pv = [item for item in items if item["scale_lanes"]]
    lanes, width = range(config.lanes), range(config.width)

    await start(dut)
    for latency, port in (
        (MacArray.dot_latency(config), "dots"),
        (MacArray.column_latency(config), "columns"),
    ):
        results = await run_pipeline(dut, inputs, {port: ports[port]}, latency, items)
        actual = [
            result[port]
            for result, item in zip(results, items, strict=True)
            if item["scale_lanes"] == (port == "columns")
        ]
        if port == "dots":
            expected = [
                [sum(b["row"][c] * b["vectors"][i][c] for c in width) for i in lanes] for b in qk
            ]
        else:
            expected = [
                [sum(b["scalars"][i] * b["vectors"][i][c] for i in lanes) for c in width]
                for b in pv
            ]
        assert_equal(port, actual, expected)
