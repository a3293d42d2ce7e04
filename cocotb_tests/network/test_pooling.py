"""A program without a class token's end: the tokens' mean, its norm, and back to memory."""

import numpy as np
import pytest
import torch

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.network.run import MemoryModel, run_image
from model.image import ImageBuilder
from model.integer.forward import layer_norm
from model.integer.network import Norm
from model.pooling import pool, pool_scale
from rtl_gen.config import get_config
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.interfaces.targets import Target
from rtl_gen.numerics import Scale
from sim_models.program import program_cycles


@pytest.mark.parametrize(
    ("preset", "tokens", "kept", "left_out"),
    [("tiny", 17, 9, 0), ("tiny", 5, 1, 0), ("small", 50, 50, 2), ("small", 33, 20, 1)],
)
def test_norm_of_the_mean(simulator, preset, tokens, kept, left_out):
    """Dropped tokens do not count; the first token's row takes the mean, and NORM normalises it."""
    config, generator = get_config(preset), torch.Generator().manual_seed(tokens)
    dim, scale = config.max_dim, pool_scale(kept - left_out)
    residual = torch.randint(-32768, 32768, (tokens, dim), generator=generator)
    norm = Norm(Scale.nearest(dim / 0.5), torch.zeros(dim, dtype=torch.uint8))
    builder = ImageBuilder(config)
    builder.emit(Opcode.SET_TOKENS, count=tokens)
    builder.load(Target.RESIDUAL, residual.numpy().astype(np.int16).tobytes(), barrier=True)
    builder.load(Target.CHANNEL_SHIFT, bytes(config.norm_groups * config.width), barrier=True)
    builder.emit(Opcode.PRUNE, count=kept)
    builder.emit(Opcode.POOL, count=left_out, first=0, dim=dim, scale_a=scale._asdict())
    mean = Scale.nearest(16 / dim)._asdict()
    builder.emit(Opcode.NORM, only_cls=1, dim=dim, scale_a=mean, scale_b=norm.scale._asdict())
    builder.store("residual", Target.RESIDUAL, (tokens, dim), 16)
    builder.store("norm", Target.ACTIVATION, (dim,))
    image, memory = builder.finish(), MemoryModel(latency=7)
    run = run_image(config, image, simulator=simulator, memory=memory)

    assert run.error == ErrorCode.NONE
    live = torch.arange(tokens) < kept
    residual[0] = pool(residual, live, left_out, scale)
    expected = {"residual": residual, "norm": layer_norm(norm, residual[0])}
    for tensor in image.stored:
        assert_equal(tensor.name, image.read(run.memory, tensor), expected[tensor.name])
    assert run.counters == program_cycles(config, image.commands, [], memory).counters
