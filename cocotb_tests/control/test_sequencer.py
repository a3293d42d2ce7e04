"""Every error code of the sequencer, and that it works after each, on both simulators."""

import numpy as np
import pytest
import torch

from cocotb_tests.accelerator.run import RtlRun, check_outputs
from cocotb_tests.harness.runner import simulate
from model.golden import HeadScales
from model.layers import AttentionLayer, run_layers
from model.program import compile_layers, encode
from rtl_gen.accelerator import Accelerator
from rtl_gen.config import AcceleratorConfig, get_config
from rtl_gen.control.command import (
    ErrorCode,
    Opcode,
    Target,
    command_pitch,
    load_limit,
)
from rtl_gen.numerics import Scale

SCALES = HeadScales(Scale(40_000, 19), Scale(33_000, 15))
FILL = {"opcode": Opcode.SET_TOKENS, "count": 2}
HALT = {"opcode": Opcode.HALT}


def programs(config: AcceleratorConfig) -> list[tuple[str, ErrorCode, list[dict]]]:
    """(name, expected code, commands); the last command but HALT is the one that counts."""
    beyond = config.max_tokens + 1
    set_tokens, prune = Opcode.SET_TOKENS, Opcode.PRUNE
    load = {"opcode": Opcode.LOAD, "target": Target.KEY, "count": 1, "address": 0}
    attend = {"opcode": Opcode.ATTEND, "address": 0}
    odd, half = 1, config.bus_bytes // 2
    illegal, count = ErrorCode.ILLEGAL_OPCODE, ErrorCode.COUNT_OUT_OF_RANGE
    misaligned, none = ErrorCode.ADDRESS_NOT_ALIGNED, ErrorCode.NO_TOKENS
    return [
        ("opcode after the last", illegal, [FILL, {"opcode": max(Opcode) + 1}]),
        ("opcode 255", illegal, [{"opcode": 255}]),
        ("no tokens made live", count, [{"opcode": set_tokens, "count": 0}]),
        ("too many tokens", count, [{"opcode": set_tokens, "count": beyond}]),
        ("load of nothing", count, [load | {"count": 0}]),
        *(
            (
                f"load beyond {target.name}",
                count,
                [load | {"target": target, "count": load_limit(config, target) + 1}],
            )
            for target in Target
        ),
        ("prune to nothing", count, [FILL, {"opcode": prune, "count": 0}]),
        ("prune to too many", count, [FILL, {"opcode": prune, "count": beyond}]),
        ("load from an odd address", misaligned, [load | {"address": odd}]),
        ("load from half a beat", misaligned, [load | {"address": half}]),
        ("attend to an odd address", misaligned, [FILL, attend | {"address": odd}]),
        ("attend without tokens", none, [attend]),
        ("prune without tokens", none, [{"opcode": prune, "count": 1}]),
        ("halt", ErrorCode.NONE, [HALT]),
        ("largest prune", ErrorCode.NONE, [FILL, {"opcode": prune, "count": beyond - 1}, HALT]),
    ]


def random_layer(config: AcceleratorConfig, tokens: int) -> AttentionLayer:
    generator = torch.Generator().manual_seed(17)
    shape = (2, tokens, config.width)
    q, k, v = (torch.randint(-128, 128, shape, generator=generator) for _ in range(3))
    mask = torch.rand(2, tokens, tokens, generator=generator) < 0.4
    mask[..., 0] = True
    return AttentionLayer(q, k, v, mask, (SCALES, SCALES), keep=tokens // 2)


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_errors(simulator, preset, tmp_path):
    config = get_config(preset)
    pitch = command_pitch(config)
    tokens = config.max_tokens - 2
    layer = random_layer(config, tokens)
    program = compile_layers(config, tokens, [layer])
    image = bytearray(program.image.tobytes())
    runs = []
    for name, error, commands in programs(config):
        address = len(image)
        image += b"".join(encode(command).ljust(pitch, b"\0") for command in [*commands, HALT])
        runs.append((name, error, address, len(commands), True))
    halt = runs[-2][2]
    runs.append(("odd program", ErrorCode.ADDRESS_NOT_ALIGNED, halt + 1, 1, True))
    assert {error for _, error, *_ in runs} == set(ErrorCode)
    runs.append(("layer", ErrorCode.NONE, 0, len(program.commands), False))
    image += bytes(pitch)

    before, after = tmp_path / "image.npy", tmp_path / "memory.npy"
    np.save(before, np.frombuffer(image, np.uint8))
    fields = ("name", "error", "address", "fetched", "quiet")
    values = simulate(
        Accelerator(config),
        name="accelerator",
        simulator=simulator,
        bench="cocotb_tests.control.bench_sequencer",
        parameters={
            "image": str(before),
            "memory": str(after),
            "bus_bytes": config.bus_bytes,
            "programs": [dict(zip(fields, run, strict=True)) for run in runs],
            "seed": 6,
        },
    ).values
    run = RtlRun(
        memory=np.load(after),
        counters=values["counters"],
        error=ErrorCode(values["error"]),
        live_count=values["live_count"],
    )
    check_outputs(config, program, [layer], run_layers(tokens, [layer]), run)
