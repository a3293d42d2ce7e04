"""Networks of which parts are zero: zeros stay zeros, and the rest follows the float network."""

import warnings
from pathlib import Path

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from model.data.image_folder import ImageFolder
from model.evaluation.integer_accuracy import compare
from model.integer.forward import trace
from model.integer.network import IntegerNetwork
from model.integer.random_network import random_patches
from model.quantisation.network import quantise_network
from model.reference.forward import FloatReference
from model.tests import network_formulas as formulas
from model.tests.pruned import (
    CLASSES,
    HEAD,
    HIDDEN,
    LAYER,
    SHAPE,
    noise,
    pruned_integers,
    pruned_model,
)


@pytest.fixture
def integers(tmp_path: Path) -> IntegerNetwork:
    return pruned_integers(tmp_path, 8)


def test_zero_weights_stay_zero(integers: IntegerNetwork):
    model, tensors = pruned_model(), integers.tensors()
    layers = {"patch": model.patch_embed.proj, "classifier": model.head}
    for index, block in enumerate(model.blocks):
        layers |= {
            f"layers.{index}.projection": block.attn.proj,
            f"layers.{index}.ffn1": block.mlp.fc1,
            f"layers.{index}.ffn2": block.mlp.fc2,
        }
    for name, layer in layers.items():
        zero = layer.weight.flatten(1) == 0
        assert zero.any() or name == "layers.0.projection"
        assert not tensors[f"{name}.weight"][zero].any(), name
    for index, block in enumerate(model.blocks):
        qkv = block.attn.qkv.weight.unflatten(0, (3, SHAPE.heads, SHAPE.head_dim))
        ordered = qkv.transpose(0, 1).flatten(0, 2)
        assert not tensors[f"layers.{index}.qkv.weight"][ordered == 0].any()


def test_what_was_pruned_gives_zero(integers: IntegerNetwork):
    """Of any picture: the head's q, k, v and outputs, GELU of the channels, the classes' logits."""
    found = trace(integers, random_patches(SHAPE, 3, 1))
    for name in ("q", "k", "v"):
        tensor = found[f"layers.{LAYER}.{name}"]
        assert not tensor[:, HEAD].any()
        assert tensor[:, 1 - HEAD].any()
    assert not found["logits"][:, list(CLASSES)].any()
    assert found["logits"].bool().sum() > 3 * (SHAPE.classes - len(CLASSES)) / 2
    hidden = found[f"layers.{LAYER}.hidden"][..., list(HIDDEN)]
    assert (hidden == hidden.flatten()[0]).all()


@pytest.mark.parametrize("images", [1, 8])
def test_logits_follow_the_float_network(tmp_path: Path, images: int):
    """On the images of calibration; a single one is warned of and does."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        integers = pruned_integers(tmp_path, images)
    message = "the ranges of the integers come from 1 image: expected some hundred, others will be"
    told = [str(each.message) for each in caught]
    assert told == [f"{message} clipped"] * (images == 1)
    reference = FloatReference(network=SHAPE, model=pruned_model())
    assert compare(integers, reference, ImageFolder(tmp_path)).sqnr > 15


def without_heads(model: VisionTransformer) -> None:
    """Of one layer all heads are zero."""
    attention = model.blocks[LAYER].attn
    for layer in (attention.qkv, attention.proj):
        layer.weight[...] = layer.bias[...] = 0


def without_ffn(model: VisionTransformer) -> None:
    """The FFN of every layer is zero."""
    for block in model.blocks:
        for layer in (block.mlp.fc1, block.mlp.fc2):
            layer.weight[...] = layer.bias[...] = 0


def without_classes(model: VisionTransformer) -> None:
    """All classes are zero."""
    model.head.weight[...] = model.head.bias[...] = 0


@pytest.mark.parametrize("empty", [without_heads, without_ffn, without_classes])
def test_whole_parts_may_be_zero(tmp_path: Path, empty):
    """What is there follows the float network; what is not gives zeros of any picture."""
    model = pruned_model()
    empty(model)
    reference, folder = FloatReference(network=SHAPE, model=model), noise(tmp_path, 8)
    integers = quantise_network(reference, folder)
    assert compare(integers, reference, folder).sqnr > 15
    found = trace(integers, random_patches(SHAPE, 3, 1))
    assert (not found["logits"].any()) == (empty is without_classes)
    for name in ("q", "k", "v"):
        assert (not found[f"layers.{LAYER}.{name}"].any()) == (empty is without_heads)
    if empty is without_ffn:
        for index in range(SHAPE.layers):
            tensors = integers.tensors()
            for part in ("weight", "bias"):
                assert not tensors[f"layers.{index}.ffn2.{part}"].any()


def test_golden_model_equals_the_formulas(integers: IntegerNetwork):
    patches = random_patches(SHAPE, 1, 2)
    actual = trace(integers, patches)
    expected = formulas.network(
        {name: tensor.tolist() for name, tensor in integers.tensors().items()},
        SHAPE,
        patches[0].tolist(),
        torch.ones(SHAPE.mask_shape, dtype=torch.bool).tolist(),
        [None] * SHAPE.layers,
    )
    assert actual["logits"][0].tolist() == expected["logits"]
