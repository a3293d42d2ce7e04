"""A program without a class token's end: the tokens' mean, its norm, and back to memory."""

import numpy as np
import pytest
import torch

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.network.run import MemoryModel, run_image
from model.integer.forward import layer_norm
from model.integer.network import Norm
from model.integer.pooling import pool, pool_scale
from model.program.memory_image import ImageBuilder
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.interfaces.targets import Target
from rtl_gen.numerics import Scale
from rtl_gen.presets import get_config
from sim_models.program import program_cycles


@pytest.mark.parametrize(
    ("preset", "tokens", "kept", "prefix", "dim"),
    [
        ("tiny", 17, 9, 0, 16),
        ("tiny", 5, 1, 0, 11),
        pytest.param("small", 50, 50, 2, 48, marks=pytest.mark.long("icarus")),
        pytest.param("small", 33, 20, 1, 37, marks=pytest.mark.long("icarus")),
    ],
)
@pytest.mark.parametrize("plain", [False, True])
def test_norm_of_the_mean(simulator, preset, tokens, kept, prefix, dim, plain):
    """Dropped tokens do not count; the first token's row takes the mean, and NORM normalises it, or
    only rounds it.
    """
    config, generator = get_config(preset), torch.Generator().manual_seed(tokens)
    scale, padded = pool_scale(kept - prefix), -(-dim // config.width) * config.width
    residual = torch.randint(-32768, 32768, (tokens, padded), generator=generator)
    residual[:, dim:] = 0
    factor = Scale.nearest(2**-12 if plain else dim / 0.5)
    norm = Norm(factor, torch.zeros(dim, dtype=torch.uint8))
    builder = ImageBuilder(config)
    builder.emit(Opcode.SET_TOKENS, count=tokens)
    builder.load(Target.RESIDUAL, residual.numpy().astype(np.int16).tobytes(), barrier=True)
    builder.load(Target.CHANNEL_SHIFT, bytes(config.norm_groups * config.width), barrier=True)
    builder.emit(Opcode.PRUNE, count=kept)
    builder.emit(Opcode.POOL, prefix=prefix, first=0, dim=dim, scale_a=scale._asdict())
    scales = {"scale_a": Scale.nearest(16 / dim)._asdict(), "scale_b": factor._asdict()}
    builder.emit(Opcode.NORM, only_cls=1, plain=int(plain), dim=dim, **scales)
    builder.store("residual", Target.RESIDUAL, (tokens, padded), 16)
    builder.store("norm", Target.ACTIVATION, (padded,))
    image, memory = builder.finish(), MemoryModel(latency=7)
    run = run_image(config, image, simulator=simulator, memory=memory)

    assert run.error == ErrorCode.NONE
    live = torch.arange(tokens) < kept
    residual[0] = pool(residual, live, prefix, scale)
    stored = {tensor.name: image.read(run.memory, tensor) for tensor in image.stored}
    assert_equal("residual", stored["residual"], residual)
    expected = layer_norm(norm, residual[0, :dim], plain=plain)
    assert_equal("norm", stored["norm"][:dim], expected)
    assert run.counters == program_cycles(config, image.commands, [], memory).counters
