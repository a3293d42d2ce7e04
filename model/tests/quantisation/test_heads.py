"""Channels of a head are as large in q as in k, and in v as in the outputs; one that is 0 stays."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from model.integer.network import Linear
from model.network.shape import Network
from model.quantisation.heads import Heads
from model.quantisation.linear import Activation

NETWORK = Network(name="two", heads=2, head_dim=4)
ROWS = 64

NEAR = {"rtol": 0.02, "atol": 0.0}
"""What is left of weights that are rounded to 8 bits."""

Q_SIZES = torch.tensor([0.1, 1.0, 3.0, 9.0, 2.0, 0.5, 7.0, 1.0])
K_SIZES = torch.tensor([4.0, 1.0, 0.2, 5.0, 2.0, 8.0, 0.3, 1.0])
V_SIZES = torch.tensor([0.2, 0.3, 4.0, 6.0, 1.0, 9.0, 0.1, 2.0])
OUTPUT_SIZES = torch.tensor([0.3, 0.1, 2.0, 8.0, 1.0, 5.0, 0.2, 3.0])


def signs(sizes: Tensor) -> Tensor:
    """(ROWS, channels) whose root mean square over the rows is the sizes, without a mean."""
    generator = torch.Generator().manual_seed(0)
    half = torch.randint(2, (ROWS // 2, len(sizes)), generator=generator) * 2.0 - 1
    return torch.cat([half, -half]) * sizes


def heads(q: Tensor, k: Tensor, v: Tensor, outputs: Tensor, mean: float = 0.0) -> Heads:
    """Of such sizes; `mean` of all keys."""
    qkv = torch.cat([signs(q), signs(k) + mean, signs(v)], dim=1)
    return Heads(NETWORK, qkv, signs(outputs))


def layer(of: Heads, sizes: Tensor, mean: float = 0.0) -> Linear:
    """Of a layer that makes its 24 outputs from 8 inputs, each of which is +1 or -1."""
    real = nn.Linear(8, 24)
    with torch.no_grad():
        real.weight.copy_(torch.eye(8).repeat(3, 1) * sizes[:, None])
        real.bias.zero_()
        real.bias[8:16] = mean
    inputs = signs(torch.ones(8))
    integers = (100 * inputs).to(torch.int8)
    return of.linear(real, Activation(torch.full((8,), 0.01), inputs, integers))


def by_tensor(outputs: Tensor) -> Tensor:
    """(..., 24) outputs in the hardware's order as (..., 3, 8) of q, k and v."""
    return outputs.unflatten(-1, (2, 3, 4)).transpose(-3, -2).flatten(-2)


def factors(of: Heads) -> Tensor:
    """(3, channels) integers a unit of q, k and v."""
    found = layer(of, torch.ones(24))
    each = found.weight.double().abs().amax(dim=1) * found.multiplier / 2.0 ** found.shift.double()
    return 100 * by_tensor(each)


def test_a_channel_of_a_head_is_as_large_in_k_as_in_q():
    found = factors(heads(Q_SIZES, K_SIZES, V_SIZES, OUTPUT_SIZES))
    q, k = (found[0] * Q_SIZES).reshape(2, 4), (found[1] * K_SIZES).reshape(2, 4)
    ratio = q / k
    assert_close(ratio, ratio[:, :1].expand(-1, 4), **NEAR)
    wanted = (Q_SIZES * K_SIZES).sqrt().reshape(2, 4)
    assert_close(q / q[:, :1], (wanted / wanted[:, :1]).double(), **NEAR)


def test_a_channel_of_the_outputs_has_a_step_of_its_own():
    step = heads(Q_SIZES, K_SIZES, V_SIZES, OUTPUT_SIZES).mixed.step
    wanted = (V_SIZES * OUTPUT_SIZES).sqrt()
    assert_close(step / step[0], wanted / wanted[0])


@pytest.mark.parametrize("nothing", [(0,), (1,), (0, 1)], ids=["q", "k", "both"])
def test_a_channel_of_q_or_k_that_is_zero_keeps_its_scale(nothing):
    sizes = [Q_SIZES.clone(), K_SIZES.clone()]
    for index in nothing:
        sizes[index][1] = 0
    alone = factors(heads(*sizes, V_SIZES, OUTPUT_SIZES))
    for row in alone[:2]:
        assert row.isfinite().all()
        assert (row > 0).all()
    # Another channel of the head, whose q and k are as large, has the factor 1, too.
    equal = [each.clone() for each in sizes]
    equal[0][0] = equal[1][0] = 1.0
    found = factors(heads(*equal, V_SIZES, OUTPUT_SIZES))
    assert_close(found[:2, 1], found[:2, 0], **NEAR)


def test_a_channel_of_v_or_the_outputs_that_is_zero_keeps_its_scale():
    for v, outputs in [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)]:
        sizes = [V_SIZES.clone(), OUTPUT_SIZES.clone()]
        sizes[0][2], sizes[1][2] = v, outputs
        sizes[0][3] = sizes[1][3] = 1.0
        step = heads(Q_SIZES, K_SIZES, *sizes).mixed.step
        assert_close(step[2], step[3])


@pytest.mark.parametrize("mean", [0.0, 30.0])
def test_every_head_fills_eight_bits_and_its_keys_have_no_mean(mean):
    of = heads(Q_SIZES, K_SIZES, V_SIZES, OUTPUT_SIZES, mean)
    found = layer(of, torch.cat([Q_SIZES, K_SIZES, V_SIZES]), mean)
    inputs = (100 * signs(torch.ones(8))).double()
    sums = inputs @ found.weight.double().T + found.bias
    integers = by_tensor(sums * found.multiplier / 2.0 ** found.shift.double())
    assert (integers.mean(dim=0).abs() < 1).all()
    peaks = integers.abs().amax(dim=0).reshape(3, 2, 4).amax(dim=2)
    assert (peaks > 100).all()
    assert (peaks < 140).all()


def test_outputs_fill_eight_bits():
    mixed = heads(Q_SIZES, K_SIZES, V_SIZES, OUTPUT_SIZES).mixed
    assert 100 < mixed.integer.abs().max() <= 128
    assert (mixed.integer.double() * mixed.step - mixed.real).abs().max() < mixed.step.max()


@pytest.mark.parametrize("nothing", [0, 1, 2])
def test_a_head_of_zeros_has_the_step_of_the_outputs(nothing):
    sizes = [Q_SIZES.clone(), K_SIZES.clone(), V_SIZES.clone()]
    sizes[nothing][:4] = 0
    of = heads(*sizes, OUTPUT_SIZES)
    spread = 1.0 if nothing == 2 else (V_SIZES[0] * OUTPUT_SIZES[0]).rsqrt()
    wanted = 1 / (of.mixed.step[0] * spread)
    assert_close(factors(of)[nothing, 0], wanted.double(), **NEAR)


def test_a_layer_of_zeros_has_the_step_1():
    assert heads(*3 * [torch.zeros(8)], torch.zeros(8)).mixed.step.tolist() == [1.0] * 8
