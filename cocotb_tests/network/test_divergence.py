"""The first value that differs is named, with the unit that wrote it, whatever was broken."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from torch import Tensor

from cocotb_tests.network import run as network_run
from cocotb_tests.network.divergence import Divergence, first_divergence
from cocotb_tests.network.run import run_images
from cocotb_tests.network.test_network import NETWORKS, random_masks
from model.integer.forward import trace
from model.integer.network import IntegerNetwork, Layer
from model.integer.random_network import random_network, random_patches
from model.program.compiler import compile_network
from model.program.steps import network_steps
from model.program.writers import writers
from rtl_gen import numerics
from rtl_gen.attention import exponentials
from rtl_gen.presets import PRESETS

SHAPE, CONFIG, KEEP = NETWORKS["tiny"], PRESETS["tiny"], [9, 4]
NETWORK = random_network(SHAPE, 7)
BROKEN_LAYER = 1


def divergences(simulator: str, *compiled: IntegerNetwork) -> list[Divergence | None]:
    """Of runs of networks, beside the golden model of `NETWORK`."""
    masks, patches = random_masks(SHAPE, 0.4, 7), random_patches(SHAPE, 1, 7)
    images = [compile_network(CONFIG, network, masks, KEEP, dump=True) for network in compiled]
    data = np.stack([image.with_patches(patches) for image in images])
    steps = writers(CONFIG, network_steps(CONFIG, SHAPE, KEEP, dump=True))
    golden = trace(NETWORK, patches, masks, KEEP)
    runs = run_images(CONFIG, images[0], data, simulator=simulator)
    return [first_divergence(images[0], golden, run, steps) for run in runs]


def with_layer(**parts: object) -> IntegerNetwork:
    """The network with other parts in one layer."""
    layers = list(NETWORK.parameters.layers)
    layers[BROKEN_LAYER] = replace(layers[BROKEN_LAYER], **parts)
    return replace(NETWORK, parameters=replace(NETWORK.parameters, layers=tuple(layers)))


def broken(layer: Layer, part: str, channel: int) -> Tensor:
    """The bias of a linear layer, with a channel that leaves nothing as it was."""
    bias = getattr(layer, part).bias.clone()
    bias[channel] += 1 << 24
    return replace(getattr(layer, part), bias=bias)


def test_a_wrong_bias():
    """Of a channel of a linear layer; the first token shows it, since all tokens are wrong."""
    cases = [
        ("projection", 5, "layers.1.x_mid", 5, "projection"),
        ("ffn1", 6, "layers.1.hidden", 6, "ffn"),
        # Outputs are q, k, v of head 0, then of head 1: 3 * 8 + 8 is the first k of head 1.
        ("qkv", 34, "layers.1.k.1", 2, "qkv"),
    ]
    layer = NETWORK.parameters.layers[BROKEN_LAYER]
    wrong = [with_layer(**{part: broken(layer, part, channel)}) for part, channel, *_ in cases]
    right, *found = divergences("verilator", NETWORK, *wrong)
    assert right is None
    for (_, _, tensor, channel, operation), one in zip(cases, found, strict=True):
        assert (one.tensor, one.token, one.channel) == (tensor, 0, channel)
        assert (one.unit, one.operation, one.command) == ("linear", operation, "LINEAR")
        assert one.expected != one.found
        assert f"core 0, {tensor}, token 0, channel {channel}: expected {one.expected}" in str(one)


@pytest.mark.long
def test_a_broken_unit(monkeypatch):
    """The table of exponentials is wrong in the RTL alone, which all of attention is made of."""
    table = [value ^ 0x4000 for value in numerics.exp_table()]
    changed = SimpleNamespace(**{**vars(numerics), "exp_table": lambda: table})
    monkeypatch.setattr(exponentials, "numerics", changed)
    monkeypatch.setattr(network_run, "system_verilog", network_run.system_verilog.__wrapped__)
    (found,) = divergences("icarus", NETWORK)
    assert found.tensor == "layers.0.attention"
    assert (found.unit, found.command) == ("attention", "ATTEND")
