"""Measures of importance and the package token against a plain loop over one image."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from model.network.shape import Network
from model.pruning.importance import MEASURES, Measure, get_measure
from model.pruning.schedule import PruningSchedule
from model.reference.forward import FloatReference
from rtl_gen.errors import UserError

SCHEDULE = PruningSchedule(start=0.2, end=0.8, first_layer=1)
HEADS, CHANNELS = 2, 8


def importance_of(name: str, heads, values, earlier):
    """Sums in plain Python: heads[h][i][j] are probabilities, values[h][j] vectors."""
    count = len(heads[0])
    columns = [[sum(head[i][j] for i in range(count)) for j in range(count)] for head in heads]
    total = [sum(column[j] for column in columns) for j in range(count)]
    cls = [sum(head[0][j] for head in heads) for j in range(count)]
    match name:
        case "column_sum":
            return total
        case "cls":
            return cls
        case "cls_and_columns":
            return [t / count + c for t, c in zip(total, cls, strict=True)]
        case "accumulated":
            return [t + e for t, e in zip(total, earlier, strict=True)]
        case "value_norm":
            norms = [[sum(x * x for x in v) ** 0.5 for v in head] for head in values]
            return [
                sum(columns[h][j] * norms[h][j] for h in range(len(heads))) for j in range(count)
            ]


def plain(model, image, masks, tokens, name: str, *, package: bool):
    x = model._pos_embed(model.patch_embed(image[None]))[0]
    live, earlier = list(range(len(x))), [0.0] * len(x)
    outside = len(x)
    for layer, block in enumerate(model.blocks):
        keep, count = tokens[layer].leaving, len(live)
        qkv = block.attn.qkv(block.norm1(x)).reshape(count, 3, HEADS, CHANNELS)
        kept = np.ones((HEADS, outside + 1, outside + 1), dtype=bool)
        kept[:, :outside, :outside] = masks[layer]
        heads, mixed = [], torch.zeros(count, HEADS, CHANNELS)
        for h in range(HEADS):
            weights = torch.exp(qkv[:, 0, h] @ qkv[:, 1, h].T / CHANNELS**0.5)
            weights = weights * torch.from_numpy(kept[h][np.ix_(live, live)])
            heads.append(weights / weights.sum(dim=1, keepdim=True))
            mixed[:, h] = heads[h] @ qkv[:, 2, h]
        values = [qkv[:, 2, h].tolist() for h in range(HEADS)]
        earlier = importance_of(name, [head.tolist() for head in heads], values, earlier)
        mixed = mixed.reshape(count, -1)
        if keep < count:
            candidates = [j for j in range(1, count) if live[j] != outside]
            best = sorted(candidates, key=lambda j: (-earlier[j], j))[: keep - 1]
            stay = [0, *sorted(best)]
            rest = [j for j in range(count) if j not in stay]
            share = torch.tensor([earlier[j] for j in rest])
            share = share / share.sum() if share.sum() else torch.full_like(share, 1 / len(rest))
            merged = [(t[rest] * share[:, None]).sum(0) for t in (x, mixed)]
            merged_importance = float((share * torch.tensor([earlier[j] for j in rest])).sum())
            x, mixed = x[stay], mixed[stay]
            live, earlier = [live[j] for j in stay], [earlier[j] for j in stay]
            if package:
                x, mixed = torch.vstack([x, merged[0]]), torch.vstack([mixed, merged[1]])
                live, earlier = [*live, outside], [*earlier, merged_importance]
        x = x + block.attn.proj(mixed)
        x = x + block.mlp(block.norm2(x))
    return model.head(model.norm(x)[0])


@pytest.mark.parametrize("package", [False, True])
@pytest.mark.parametrize("name", MEASURES)
def test_measures(toy_network: Network, toy_model: VisionTransformer, name: str, package: bool):  # noqa: FBT001
    masks = np.random.default_rng(3).random(toy_network.mask_shape) < 0.4
    masks[..., 0] = True
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(7))
    reference = FloatReference(
        network=toy_network,
        model=toy_model,
        masks=masks,
        schedule=SCHEDULE,
        measure=get_measure(name),
        package=package,
    )
    seen = []
    found = reference.forward(images, observe=seen.append)
    tokens = SCHEDULE.layer_tokens(toy_network)
    extra = [0, 0, *[int(package)] * (toy_network.layers - 2)]
    assert [trace.live.shape[1] for trace in seen] == [
        count.attention + more for count, more in zip(tokens, extra, strict=True)
    ]
    expected = [plain(toy_model, image, masks, tokens, name, package=package) for image in images]
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_package_token_is_no_candidate(toy_network: Network, toy_model: VisionTransformer):
    """By a measure that rises with the place, the package would win: it stays what it is, once."""

    def place(probabilities: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return torch.arange(probabilities.shape[-1]).expand(len(probabilities), -1).float()

    reference = FloatReference(
        network=toy_network,
        model=toy_model,
        schedule=SCHEDULE,
        measure=Measure(place),
        package=True,
    )
    seen = []
    reference.forward(torch.zeros(2, 3, 32, 32), observe=seen.append)
    whole, package = toy_network.tokens, toy_network.tokens
    prunes = 0
    for trace, count in zip(seen, SCHEDULE.layer_tokens(toy_network), strict=True):
        patches = range(whole - (count.attention - 1), whole)
        outside = [package] if count.attention < whole else []
        assert trace.live.tolist() == [[0, *patches, *outside]] * 2
        prunes += count.leaving < count.attention < whole
    assert prunes > 0


def test_measures_differ(toy_network: Network, toy_model: VisionTransformer):
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(7))
    base = FloatReference(network=toy_network, model=toy_model, schedule=SCHEDULE)
    logits = [
        replace(base, measure=measure, package=package).forward(images)
        for measure in MEASURES.values()
        for package in (False, True)
    ]
    assert all(not torch.allclose(a, b) for i, a in enumerate(logits) for b in logits[i + 1 :])


def test_unknown_measure():
    with pytest.raises(UserError, match="unknown importance 'magic': expected one of column_sum"):
        get_measure("magic")
