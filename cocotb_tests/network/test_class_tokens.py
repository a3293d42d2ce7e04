"""The ends of networks with two class tokens and with none: what answers, and back to memory."""

import numpy as np
import pytest
import torch

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.network.run import MemoryModel, run_image
from model.integer.attention import HeadScales, attend, select_tokens
from model.integer.forward import layer_norm, linear
from model.integer.network import Linear, Norm
from model.integer.pooling import pool, pool_scale
from model.program.compiler import pack_linear
from model.program.memory_image import ImageBuilder, pack_mask
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import Destination, ErrorCode, Source
from rtl_gen.interfaces.targets import Target
from rtl_gen.numerics import LOGIT_BITS, RESIDUAL_BITS, Scale
from rtl_gen.presets import get_config
from sim_models.attention import beats_of
from sim_models.program import program_cycles

MEMORY = MemoryModel(latency=7)


def random_linear(generator: torch.Generator, outputs: int, inputs: int, shift: int) -> Linear:
    return Linear(
        weight=torch.randint(-128, 128, (outputs, inputs), generator=generator).to(torch.int8),
        bias=torch.randint(-999, 999, (outputs,), generator=generator, dtype=torch.int32),
        multiplier=torch.full((outputs,), 40_000, dtype=torch.int32),
        shift=torch.full((outputs,), shift, dtype=torch.uint8),
    )


@pytest.mark.parametrize(
    ("preset", "tokens", "dim", "kept"), [("tiny", 17, 13, 9), ("small", 33, 48, 2)]
)
def test_two_tokens_are_one_input(simulator, preset, tokens, dim, kept):
    """Class and distillation token outlive a pruning; a layer of the first token alone, with twice
    the slices, takes both. Their padded channels hold anything, which weights of 0 ignore.
    """
    config, generator = get_config(preset), torch.Generator().manual_seed(dim)
    rows = -(-dim // config.width)
    padded = rows * config.width
    initial = torch.randint(-9000, 9000, (tokens, padded), generator=generator)
    initial[:, dim:] = 0
    patches = torch.randint(-128, 128, (tokens, config.width), generator=generator)
    embedding = random_linear(generator, dim, config.width, 18)
    norm = Norm(Scale.nearest(dim / 0.5), torch.zeros(dim, dtype=torch.uint8))
    classifier = random_linear(generator, 5, 2 * padded, 20)
    classifier.weight.view(5, 2, padded)[:, :, dim:] = 0

    builder = ImageBuilder(config)
    builder.emit(Opcode.SET_TOKENS, count=tokens)
    builder.load(Target.RESIDUAL, initial.numpy().astype("<i2").tobytes(), barrier=True)
    builder.load(Target.HIDDEN, patches.numpy().astype(np.int8).tobytes(), barrier=True)
    builder.load(Target.CHANNEL_SHIFT, bytes(2 * padded), barrier=True)
    payload, tiles = pack_linear(config, embedding)
    source = {"source": Source.HIDDEN, "destination": Destination.RESIDUAL}
    builder.emit(Opcode.LINEAR, payload, slices=1, tiles=tiles, pitch=2 * rows, **source)
    builder.emit(Opcode.PRUNE, count=kept, prefix=2)
    mean, factor = Scale.nearest(16 / dim)._asdict(), norm.scale._asdict()
    builder.emit(Opcode.NORM, dim=dim, scale_a=mean, scale_b=factor)
    payload, tiles = pack_linear(config, classifier)
    source = {"source": Source.ACTIVATION, "destination": Destination.LOGITS, "only_cls": 1}
    builder.emit(Opcode.LINEAR, payload, slices=2 * rows, tiles=tiles, **source)
    builder.store("logits", Target.HIDDEN, (5,), LOGIT_BITS)
    image = builder.finish()
    run = run_image(config, image, simulator=simulator, memory=MEMORY)

    assert run.error == ErrorCode.NONE
    x = (initial[:2, :dim] + linear(embedding, patches[:2], RESIDUAL_BITS)).clamp(-32768, 32767)
    both = torch.zeros(2, padded, dtype=torch.int64)
    both[:, :dim] = layer_norm(norm, x)
    expected = linear(classifier, both.reshape(-1), LOGIT_BITS)
    assert len(expected.unique()) == 5
    assert_equal("logits", image.read(run.memory, image.stored[0]), expected)
    assert run.counters == program_cycles(config, image.commands, [], MEMORY).counters


def test_first_token_that_was_dropped_takes_the_mean(simulator):
    """Without a prefix a pruning drops token 0. It takes the mean all the same, and is the one that
    NORM reads behind a SET_TOKENS.
    """
    config, generator = get_config("tiny"), torch.Generator().manual_seed(3)
    tokens, kept, dim = 17, 6, config.max_dim
    residual = torch.randint(-32768, 32768, (tokens, dim), generator=generator)
    mask = torch.zeros(tokens, tokens, dtype=torch.bool)
    mask[:, torch.tensor([2, 5, 8, 9, 13, 16])] = True
    zeros, scales = torch.zeros(tokens, config.width).long(), HeadScales(Scale(1, 1), Scale(1, 1))
    factor = Scale.nearest(dim / 0.5)
    builder = ImageBuilder(config)
    builder.emit(Opcode.SET_TOKENS, count=tokens)
    builder.load(Target.RESIDUAL, residual.numpy().astype("<i2").tobytes(), barrier=True)
    builder.load(Target.CHANNEL_SHIFT, bytes(2 * dim), barrier=True)
    builder.load(Target.MASK, pack_mask(config, mask), barrier=True)
    for target in (Target.QUERY, Target.KEY, Target.VALUE):
        builder.load(target, bytes(tokens * config.width), barrier=True)
    score = scales.score._asdict()
    builder.emit(Opcode.ATTEND, pitch=1, accumulate=1, scale_a=score, scale_b=score)
    builder.emit(Opcode.PRUNE, count=kept, prefix=0)
    builder.emit(Opcode.POOL, first=0, dim=dim, scale_a=pool_scale(kept)._asdict())
    builder.emit(Opcode.SET_TOKENS, count=1)
    mean = Scale.nearest(16 / dim)._asdict()
    builder.emit(Opcode.NORM, only_cls=1, dim=dim, scale_a=mean, scale_b=factor._asdict())
    builder.store("norm", Target.ACTIVATION, (dim,))
    image = builder.finish()
    run = run_image(config, image, simulator=simulator, memory=MEMORY)

    assert run.error == ErrorCode.NONE
    everything = torch.ones(tokens, dtype=torch.bool)
    head = attend(zeros, zeros, zeros, mask, everything, scales)
    live = select_tokens(head.importance, everything, kept, 0)
    assert_equal("survivors", live, mask[0])
    norm = Norm(factor, torch.zeros(dim, dtype=torch.uint8))
    expected = layer_norm(norm, pool(residual, live, 0, pool_scale(kept)))
    assert_equal("norm", image.read(run.memory, image.stored[0]), expected)
    beats = list(beats_of(mask.numpy()[None], everything.numpy(), config.lanes))
    assert run.counters == program_cycles(config, image.commands, beats, MEMORY).counters
