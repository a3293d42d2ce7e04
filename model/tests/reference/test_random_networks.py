"""Float reference, masks and pruning over small random networks of all choices, against timm."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from model.network.random_models import random_model, random_pictures
from model.network.readout import FinalNorm, Readout
from model.network.shape import Network
from model.pruning.placement import Placement
from model.pruning.schedule import ListedSchedule
from model.reference.forward import FloatReference
from rtl_gen.errors import UserError
from rtl_gen.presets import get_config

SEEDS = range(40)


def draw_model(seed: int) -> VisionTransformer:
    """In float64, with attention as the reference computes it."""
    model = random_model(get_config("small"), seed).double()
    for block in model.blocks:
        block.attn.fused_attn = False
    return model


def draw_images(model: VisionTransformer, seed: int) -> Tensor:
    return random_pictures(model, 2, seed)[1].double()


def some_masks(network: Network, seed: int) -> np.ndarray:
    """A third of the entries, and the diagonal."""
    kept = np.random.default_rng(seed).random(network.mask_shape) < 0.33
    return kept | np.eye(network.tokens, dtype=bool)


def test_the_seeds_draw_every_choice():
    models = [draw_model(seed) for seed in SEEDS]
    networks = [Network.from_timm(model) for model in models]
    assert {network.readout for network in networks} == set(Readout)
    assert {network.prefix_tokens for network in networks} >= {0, 1, 2, 5}
    assert {network.final_norm for network in networks} == set(FinalNorm)
    assert any(network.grid[0] != network.grid[1] for network in networks)
    assert any(isinstance(model, VisionTransformerDistilled) for model in models)
    choices = {
        "scaled layers": {hasattr(model.blocks[0].ls1, "gamma") for model in models},
        "norm in front": {network.pre_norm for network in networks},
        "nonlinearity": {type(model.blocks[0].mlp.act) for model in models},
        "biased QKV": {model.blocks[0].attn.qkv.bias is None for model in models},
        "classified": {network.classes > 0 for network in networks},
    }
    assert {name: len(drawn) for name, drawn in choices.items() if len(drawn) < 2} == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_dense_is_timm_to_the_bit(seed: int):
    model = draw_model(seed)
    network = Network.from_timm(model)
    images = draw_images(model, seed)
    found = FloatReference(network=network, model=model).forward(images)
    assert torch.equal(found, model(images))
    assert found.shape == (2, network.outputs)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("placement", Placement)
def test_masks_and_pruning(seed: int, placement: Placement):
    """Against one image at a time, with all tokens kept in place and the dead ones masked out."""
    model = draw_model(seed)
    network = Network.from_timm(model)
    masks = some_masks(network, seed)
    kept = counts_of(network, seed, placement)
    schedule = ListedSchedule(kept=kept, placement=placement)
    reference = FloatReference(network=network, model=model, masks=masks, schedule=schedule)
    images = draw_images(model, seed)
    found = reference.forward(images)
    for image, logits in zip(images, found, strict=True):
        expected = pruned_by_hand(model, image, torch.from_numpy(masks), kept, placement)
        torch.testing.assert_close(logits, expected)


def counts_of(network: Network, seed: int, placement: Placement) -> tuple[int, ...]:
    """Patches that leave each layer, one at least; before the first layer none goes."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(1, network.patch_tokens, network.layers, endpoint=True)
    if placement is Placement.BEFORE_LAYER:
        drawn[0] = network.patch_tokens
    return tuple(int(count) for count in np.minimum.accumulate(drawn))


def pruned_by_hand(
    model: VisionTransformer,
    image: Tensor,
    masks: Tensor,
    kept: tuple[int, ...],
    placement: Placement,
) -> Tensor:
    """Logits (classes,) with no code of the reference: dead tokens stay and nobody sees them."""
    x = model.norm_pre(model._pos_embed(model.patch_embed(image[None])))[0]
    tokens, prefix = len(x), model.num_prefix_tokens
    alive = torch.ones(tokens, dtype=torch.bool)
    received = torch.zeros(tokens)

    def drop_to(count: int) -> None:
        patches = [token for token in range(prefix, tokens) if alive[token]]
        best = sorted(patches, key=lambda token: (-received[token].item(), token))
        alive[best[count:]] = False

    for block, mask, count in zip(model.blocks, masks, kept, strict=True):
        if placement == "before_layer":
            drop_to(count)
        attention = block.attn
        qkv = attention.qkv(block.norm1(x)).reshape(tokens, 3, attention.num_heads, -1)
        seen = mask & alive & alive[:, None]
        exponentials = torch.einsum("qhd,khd->hqk", qkv[:, 0], qkv[:, 1])
        exponentials = (exponentials / qkv.shape[-1] ** 0.5).exp() * seen
        weights = exponentials / exponentials.sum(dim=-1, keepdim=True).clamp(min=1e-300)
        received = weights.sum(dim=(0, 1))
        mixed = torch.einsum("hqk,khd->qhd", weights, qkv[:, 2]).flatten(1)
        if placement == "after_attention":
            drop_to(count)
        x = x + block.ls1(attention.proj(mixed))
        x = x + block.ls2(block.mlp(block.norm2(x)))
        if placement == "after_ffn":
            drop_to(count)
    return classified(model, model.norm(x), alive)


def classified(model: VisionTransformer, x: Tensor, alive: Tensor) -> Tensor:
    if isinstance(model, VisionTransformerDistilled):
        return (model.head(x[0]) + model.head_dist(x[1])) / 2
    if model.global_pool == "token":
        return model.head(model.fc_norm(x[0]))
    first = 0 if model.pool_include_prefix else model.num_prefix_tokens
    return model.head(model.fc_norm(x[first:][alive[first:]].mean(dim=0)))


def test_a_mean_needs_a_token():
    seed = next(s for s in SEEDS if Network.from_timm(draw_model(s)).readout is Readout.MEAN)
    network = Network.from_timm(draw_model(seed))
    nothing = ListedSchedule(kept=(0,) * network.layers)
    with pytest.raises(UserError, match=r"leaves no patch token: .* classifies the mean"):
        nothing.layer_tokens(network)
    of_class = replace(network, readout=Readout.CLASS_TOKEN, prefix_tokens=3)
    assert nothing.layer_tokens(of_class)[-1].leaving == 3
