"""The accelerator on an independent AXI memory whose channels all pause at random."""

import numpy as np
import pytest
import torch

from cocotb_tests.harness.runner import simulate
from cocotb_tests.network.check import check_layers
from cocotb_tests.network.run import RtlRun
from cocotb_tests.network.system import Watched
from model.integer.attention import HeadScales
from model.integer.attention_layers import AttentionLayer, run_layers
from model.program.attention_layers import compile_layers
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.numerics import Scale
from rtl_gen.presets import get_config

SCALES = HeadScales(score=Scale(52_000, 19), output=Scale(45_000, 15))


@pytest.mark.long("verilator")
def test_attention_on_axi_ram(simulator, tmp_path):
    config = get_config("tiny")
    generator = torch.Generator().manual_seed(8)
    n = config.max_tokens
    shape = (2, n, config.width)
    layers = [
        AttentionLayer(
            *(torch.randint(-128, 128, shape, generator=generator) for _ in range(3)),
            mask=torch.rand(2, n, n, generator=generator) < 0.4,
            scales=(SCALES, SCALES),
            keep=keep,
        )
        for keep in (9, None)
    ]
    image = compile_layers(config, n, layers)
    before, after = tmp_path / "before.npy", tmp_path / "after.npy"
    np.save(before, image.data)
    values = simulate(
        Watched(config, memory_obeys=True),
        name="accelerator",
        simulator=simulator,
        bench="cocotb_tests.network.bench_axi_peer",
        parameters={
            "config": config.as_dict(),
            "image": str(before),
            "memory": str(after),
            "memory_bytes": image.memory_bytes,
            "stall": 0.35,
            "seed": 12,
            "limit_cycles": 30_000,
        },
    ).values
    run = RtlRun(np.load(after), values["counters"], ErrorCode(values["error"]), wall_seconds=0)
    assert check_layers(image, layers, run_layers(n, layers), run) >= (n + 9) * 2 * config.width
    assert values["counters"]["rows_read"] == len(image.data) // config.width
