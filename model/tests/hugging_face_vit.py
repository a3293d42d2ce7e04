"""transformers' ViT and DeiT, written out: the names of their tensors, and what they compute.

From modeling_vit.py and modeling_deit.py of transformers 4.57, and the names that transformers 5
has in memory; random values.
"""

import torch
from torch import Tensor
from torch.nn import functional

from model.network.shape import Network

State = dict[str, Tensor]

LAYER = {
    "query": "attention.attention.query",
    "key": "attention.attention.key",
    "value": "attention.attention.value",
    "projection": "attention.output.dense",
    "before": "layernorm_before",
    "after": "layernorm_after",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
}
"""Parts of a layer in files."""

LAYER_5 = {
    "query": "attention.q_proj",
    "key": "attention.k_proj",
    "value": "attention.v_proj",
    "projection": "attention.o_proj",
    "before": "layernorm_before",
    "after": "layernorm_after",
    "wide": "mlp.fc1",
    "narrow": "mlp.fc2",
}
"""And in transformers 5."""


def layer_name(index: int, part: str, *, five: bool) -> str:
    return f"layers.{index}.{LAYER_5[part]}" if five else f"encoder.layer.{index}.{LAYER[part]}"


def random_state(
    network: Network,
    front: str,
    classifiers: tuple[str, ...],
    *,
    extra: int = 1,
    five: bool = False,
) -> State:
    """Random tensors; `extra` tokens before the patches, `front` before all but the classifiers."""
    torch.manual_seed(6)
    dim, hidden, side = network.dim, 4 * network.dim, network.patch[0]
    state = {
        "embeddings.cls_token": torch.randn(1, 1, dim),
        "embeddings.position_embeddings": torch.randn(1, network.patch_tokens + extra, dim),
        "embeddings.patch_embeddings.projection.weight": torch.randn(dim, 3, side, side) / side,
        "embeddings.patch_embeddings.projection.bias": torch.randn(dim),
        "layernorm.weight": torch.randn(dim),
        "layernorm.bias": torch.randn(dim),
    }
    if extra == 2:
        state["embeddings.distillation_token"] = torch.randn(1, 1, dim)
    for index in range(network.layers):
        for part in LAYER:
            shape = {"wide": (hidden, dim), "narrow": (dim, hidden)}.get(part, (dim, dim))
            shape = (dim,) if part in ("before", "after") else shape
            name = layer_name(index, part, five=five)
            state[f"{name}.weight"] = torch.randn(shape) / dim**0.5
            state[f"{name}.bias"] = torch.randn(shape[0])
    state = {f"{front}{name}": value for name, value in state.items()}
    for name in classifiers:
        state[f"{name}.weight"] = torch.randn(network.classes, dim)
        state[f"{name}.bias"] = torch.randn(network.classes)
    return state


def tokens(state: State, images: Tensor, network: Network, front: str, *, five: bool) -> Tensor:
    """The normalised tokens (b, n, D) of images (b, 3, h, w)."""

    def linear(x: Tensor, name: str) -> Tensor:
        return functional.linear(x, state[f"{front}{name}.weight"], state[f"{front}{name}.bias"])

    def norm(x: Tensor, name: str) -> Tensor:
        weight, bias = state[f"{front}{name}.weight"], state[f"{front}{name}.bias"]
        return functional.layer_norm(x, weight.shape, weight, bias, 1e-12)

    def heads(x: Tensor) -> Tensor:
        return x.view(len(x), -1, network.heads, network.head_dim).transpose(1, 2)

    embeddings = f"{front}embeddings"
    patches = functional.conv2d(
        images,
        state[f"{embeddings}.patch_embeddings.projection.weight"],
        state[f"{embeddings}.patch_embeddings.projection.bias"],
        stride=network.patch,
    )
    first = [state[f"{embeddings}.cls_token"], state.get(f"{embeddings}.distillation_token")]
    first = [token.expand(len(images), -1, -1) for token in first if token is not None]
    x = torch.cat([*first, patches.flatten(2).transpose(1, 2)], dim=1)
    x = x + state[f"{embeddings}.position_embeddings"]
    for index in range(network.layers):
        name = {part: layer_name(index, part, five=five) for part in LAYER}
        y = norm(x, name["before"])
        query, key, value = (heads(linear(y, name[part])) for part in ("query", "key", "value"))
        scores = query @ key.transpose(2, 3) / network.head_dim**0.5
        context = (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)
        x = x + linear(context, name["projection"])
        y = functional.gelu(linear(norm(x, name["after"]), name["wide"]))
        x = x + linear(y, name["narrow"])
    return norm(x, "layernorm")


def logits(state: State, token: Tensor, classifier: str) -> Tensor:
    return functional.linear(token, state[f"{classifier}.weight"], state[f"{classifier}.bias"])
