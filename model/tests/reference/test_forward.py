"""The float reference against timm's own forward pass and against a plain loop over one image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from model.data.image_folder import ImageFolder
from model.masks.strategies import make_masks
from model.network.names import DEIT_TINY
from model.network.shape import Network
from model.pruning.placement import Placement
from model.pruning.schedule import DEFAULT_SCHEDULE, ListedSchedule, PruningSchedule, Schedule
from model.reference.forward import FloatReference, prune
from rtl_gen.errors import UserError

SCHEDULE = PruningSchedule(start=0.2, end=0.8, first_layer=1)


def some_masks(network: Network) -> np.ndarray:
    masks = np.random.default_rng(3).random(network.mask_shape) < 0.4
    masks[..., 0] = True
    return masks


def some_images(count: int = 3) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(7))


def plain(model, image, masks, tokens, placement):
    """One image, one token list, softmax by exponentials: nothing of the code under test."""
    x = model._pos_embed(model.patch_embed(image[None]))[0]
    live = list(range(len(x)))
    scores_of_tokens = None

    def survivors(keep):
        best = sorted(range(1, len(live)), key=lambda j: (-scores_of_tokens[j], j))[: keep - 1]
        return [0, *sorted(best)]

    for layer, block in enumerate(model.blocks):
        keep = tokens[layer].leaving
        if placement == "before_layer" and keep < len(live):
            chosen = survivors(keep)
            x, live = x[chosen], [live[j] for j in chosen]
        attention, count = block.attn, len(live)
        qkv = attention.qkv(block.norm1(x)).reshape(count, 3, 2, 8)
        scores_of_tokens = np.zeros(count)
        mixed = torch.zeros(count, 2, 8)
        for head in range(2):
            kept = torch.from_numpy(masks[layer, head][np.ix_(live, live)])
            weights = torch.exp(qkv[:, 0, head] @ qkv[:, 1, head].T / 8**0.5) * kept
            weights = weights / weights.sum(dim=1, keepdim=True)
            scores_of_tokens += weights.sum(dim=0).numpy()
            mixed[:, head] = weights @ qkv[:, 2, head]
        mixed = mixed.reshape(count, 16)
        if placement == "after_attention" and keep < count:
            chosen = survivors(keep)
            x, mixed, live = x[chosen], mixed[chosen], [live[j] for j in chosen]
        x = x + attention.proj(mixed)
        x = x + block.mlp(block.norm2(x))
        if placement == "after_ffn" and keep < count:
            chosen = survivors(keep)
            x, live = x[chosen], [live[j] for j in chosen]
    return model.head(model.norm(x)[0])


def test_dense_equals_timm(toy_network: Network, toy_model: VisionTransformer):
    logits = FloatReference(network=toy_network, model=toy_model).forward(some_images())
    torch.testing.assert_close(logits, toy_model(some_images()), rtol=1e-4, atol=1e-5)


def test_masks_equal_timm(toy_network: Network, toy_model: VisionTransformer):
    masks = some_masks(toy_network)
    x = toy_model._pos_embed(toy_model.patch_embed(some_images()))
    for block, mask in zip(toy_model.blocks, masks, strict=True):
        x = block(x, attn_mask=torch.from_numpy(mask)[None])
    expected = toy_model.forward_head(toy_model.norm(x))
    logits = FloatReference(network=toy_network, model=toy_model, masks=masks).forward(
        some_images()
    )
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("placement", "schedule"),
    [
        *((placement, replace(SCHEDULE, placement=placement)) for placement in Placement),
        *(
            (placement, ListedSchedule(kept=(16, 9, 9, 0), placement=placement))
            for placement in Placement
        ),
    ],
)
def test_pruning(
    toy_network: Network, toy_model: VisionTransformer, placement: Placement, schedule: Schedule
):
    masks = some_masks(toy_network)
    reference = FloatReference(network=toy_network, model=toy_model, masks=masks, schedule=schedule)
    seen = []
    logits = reference.forward(some_images(), observe=seen.append)
    tokens = schedule.layer_tokens(toy_network)
    assert [trace.live.shape[1] for trace in seen] == [count.attention for count in tokens]
    expected = [plain(toy_model, image, masks, tokens, placement.value) for image in some_images()]
    torch.testing.assert_close(logits, torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_prune_ties_and_order():
    importance = torch.tensor([[0.0, 2.0, 5.0, 2.0, 2.0, 9.0]])
    tokens = torch.arange(6)[None]
    for keep, expected in ((1, [0]), (3, [0, 2, 5]), (4, [0, 1, 2, 5]), (5, [0, 1, 2, 3, 5])):
        assert prune(importance, keep, 1, tokens)[0].tolist() == [expected]


def test_prune_many_ties():
    """Long enough for a sort that is not stable to show."""
    importance = torch.randint(3, (2, 197), generator=torch.Generator().manual_seed(9)).float()
    (survivors,) = prune(importance, 120, 1, torch.arange(197).expand(2, -1))
    for values, found in zip(importance.tolist(), survivors.tolist(), strict=True):
        ranked = sorted(range(1, 197), key=lambda j: (-values[j], j))
        assert found == sorted([0, *ranked[:119]])


def test_row_without_live_keys_gives_zeros(toy_network: Network, toy_model: VisionTransformer):
    """Patch 16 keeps itself alone, so it attends to nothing once it is the one pruned."""
    masks = np.zeros(toy_network.mask_shape, dtype=bool)
    masks[..., 16] = True
    schedule = PruningSchedule(start=0.9, end=0.9, first_layer=1, interpolation="constant")
    reference = FloatReference(network=toy_network, model=toy_model, masks=masks, schedule=schedule)
    seen = []
    logits = reference.forward(some_images(), observe=seen.append)
    assert (seen[-1].probabilities[..., -1] == 1).all()
    masks[2:, :, :, 16], masks[2:, :, :, 5] = False, True
    logits = reference.forward(some_images(), observe=seen.append)
    assert torch.isfinite(logits).all()
    assert (seen[-1].probabilities == 0).all()


def test_masks_of_another_network(toy_network: Network, toy_model: VisionTransformer):
    with pytest.raises(UserError, match="expected \\(4, 2, 17, 17\\) for toy"):
        FloatReference(
            network=toy_network, model=toy_model, masks=np.ones((4, 3, 17, 17), dtype=bool)
        )


def test_accuracy(toy_network: Network, toy_model: VisionTransformer, image_folder: Path):
    folder = ImageFolder(image_folder)
    images, labels = next(folder.batches(toy_model, 7))
    images = torch.nn.functional.interpolate(images, 32)
    guesses = toy_model(images).argmax(dim=1)
    folder.batches = lambda *_: iter([(images, torch.where(torch.arange(7) < 5, guesses, -1))])
    assert FloatReference(network=toy_network, model=toy_model).accuracy(folder) == 5 / 7
    assert len(labels) == 7


def test_real_model(real_model: VisionTransformer, real_images: Path):
    """Over 24 images: dense and pruned networks classify, a random order of pruning would not."""
    folder = ImageFolder(real_images, limit=24)
    dense = FloatReference(network=DEIT_TINY, model=real_model)
    assert dense.accuracy(folder) >= 0.75
    assert replace(dense, schedule=DEFAULT_SCHEDULE).accuracy(folder) >= 0.7


def test_make_masks_feed_the_reference(toy_network: Network, toy_model: VisionTransformer):
    maps = np.random.default_rng(2).dirichlet(np.ones(17), size=toy_network.mask_shape[:3])
    masks = make_masks(maps, 0.5, prefix=1)
    logits = FloatReference(network=toy_network, model=toy_model, masks=masks).forward(
        some_images()
    )
    assert torch.isfinite(logits).all()
