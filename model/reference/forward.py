"""The float network with static masks and cascade token pruning: what accuracy is compared with.

It walks through a timm Vision Transformer block by block, so that weights and every other operation
are timm's own. A token's importance in a layer is, unless told otherwise, the sum of its attention
probabilities over all live queries and heads (SpAtten, HPCA 2021). Prefix tokens (CLS, distillation
and register tokens) always stay, ties keep the lower index, survivors keep their order. A mean over
tokens is one over survivors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from timm.models.vision_transformer import Attention, VisionTransformer
from torch import Tensor
from torch.nn import functional

from model.data.image_folder import ImageFolder
from model.masks.vitcod_file import check_masks
from model.network.shape import Network
from model.pruning.importance import COLUMN_SUM, Measure, weighted_mean
from model.pruning.placement import LayerTokens, Placement
from model.pruning.schedule import NO_PRUNING, Schedule
from model.reference.hits import is_hit
from rtl_gen.errors import UserError


@dataclass(frozen=True)
class LayerTrace:
    """What one layer's attention did; b images, h heads, n live tokens.

    q, k, v: (b, h, n, head_dim) as they leave the QKV linear layer, before any scaling
    probabilities: (b, h, n, n)
    importance: (b, n)
    live: (b, n) indices of the tokens that the attention worked on, ascending
    """

    layer: int
    q: Tensor
    k: Tensor
    v: Tensor
    probabilities: Tensor
    importance: Tensor
    live: Tensor


class Stream(NamedTuple):
    """What passes from layer to layer; b images, n live tokens."""

    x: Tensor
    """(b, n, dim)"""
    live: Tensor
    """(b, n) indices of the tokens, ascending"""
    importance: Tensor
    """(b, n) by the layer before"""


@dataclass(frozen=True, kw_only=True)
class FloatReference:
    """A timm model in evaluation mode, with masks and a pruning schedule applied to it.

    masks: bool (layers, heads, n, n), True = kept; None = dense attention
    measure: of a token's importance; the hardware has the column sum
    package: whether dropped tokens live on as one package token, the last one, whose place in
        `live` is the number of tokens; the hardware has none
    """

    network: Network
    model: VisionTransformer
    masks: np.ndarray | None = None
    schedule: Schedule = NO_PRUNING
    measure: Measure = COLUMN_SUM
    package: bool = False

    def __post_init__(self):
        if self.masks is not None:
            check_masks(self.masks, self.network)
        if self.measure.of_class_token and not self.network.prefix_tokens:
            raise UserError(
                f"{self.network.name} has no class token: expected a measure of importance that "
                "asks all queries, such as column_sum"
            )

    @torch.inference_mode()
    def forward(
        self, images: Tensor, observe: Callable[[LayerTrace], object] | None = None
    ) -> Tensor:
        """Logits (b, classes) of images (b, 3, h, w); `observe` is called once a layer."""
        return self.differentiable(images, observe)

    def differentiable(
        self, images: Tensor, observe: Callable[[LayerTrace], object] | None = None
    ) -> Tensor:
        """As `forward`, for training: which tokens survive is a constant to the gradients."""
        tokens = self.schedule.layer_tokens(self.network)
        stream = self.embed(images)
        for layer, count in enumerate(tokens):
            stream = self.layer(layer, count, stream, observe)
        return self.head(stream)

    def embed(self, images: Tensor) -> Stream:
        """What enters layer 0."""
        model = self.model
        x = model.norm_pre(model.patch_drop(model._pos_embed(model.patch_embed(images))))
        live = torch.arange(x.shape[1], device=x.device).expand(x.shape[0], -1)
        return Stream(x, live, torch.zeros(live.shape, device=x.device))

    def layer(
        self,
        layer: int,
        count: LayerTokens,
        entering: Stream,
        observe: Callable[[LayerTrace], object] | None = None,
    ) -> Stream:
        """What leaves a layer that `count` tokens work in."""
        x, live, importance = entering
        block, placement = self.model.blocks[layer], self.schedule.placement
        if placement is Placement.BEFORE_LAYER:
            live, importance, x = self._leave(count.leaving, live, importance, x)

        attention = block.attn
        q, k, v = split_qkv(attention, block.norm1(x))
        probs = probabilities(attention, q, k, self._live_mask(layer, live))
        earlier = importance if self.measure.accumulated else 0
        importance = earlier + self.measure.of_layer(probs.detach(), v.detach())
        if observe is not None:
            observe(LayerTrace(layer, q, k, v, probs, importance, live))
        mixed = (probs @ v).transpose(1, 2).flatten(2)

        if placement is Placement.AFTER_ATTENTION:
            live, importance, x, mixed = self._leave(count.leaving, live, importance, x, mixed)
        x = x + block.ls1(attention.proj(attention.norm(mixed)))
        x = x + block.ls2(block.mlp(block.norm2(x)))

        if placement is Placement.AFTER_FFN:
            live, importance, x = self._leave(count.leaving, live, importance, x)
        return Stream(x, live, importance)

    def head(self, leaving: Stream) -> Tensor:
        """Logits (b, classes) of what leaves the last layer."""
        return self.model.forward_head(self.model.norm(leaving.x))

    def _leave(
        self, keep: int, live: Tensor, importance: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        """Live tokens, importance and tensors (b, n, ...) of the tokens that stay."""
        if keep >= live.shape[1]:
            return live, importance, *tensors
        prefix = self.network.prefix_tokens
        if not self.package:
            return prune(importance, keep, prefix, live, importance, *tensors)
        ranks = ranking(importance.masked_fill(live == self.network.tokens, -torch.inf), prefix)
        survivors, rest = ranks[:, :keep].sort(dim=1).values, ranks[:, keep:]
        weights = take(importance, rest)

        def with_package(tensor: Tensor) -> Tensor:
            merged = weighted_mean(weights, take(tensor, rest))
            return torch.cat([take(tensor, survivors), merged], dim=1)

        return (
            functional.pad(take(live, survivors), (0, 1), value=self.network.tokens),
            with_package(importance[..., None])[..., 0],
            *(with_package(tensor) for tensor in tensors),
        )

    def _live_mask(self, layer: int, live: Tensor) -> Tensor | None:
        """Mask rows and columns (b, h, n, n) of the live tokens (b, n)."""
        if self.masks is None:
            return None
        mask = torch.from_numpy(self.masks[layer]).to(live.device)
        if self.package:
            mask = functional.pad(mask, (0, 1, 0, 1), value=True)
        return mask[:, live[:, :, None], live[:, None, :]].transpose(0, 1)

    def accuracy(self, folder: ImageFolder, batch_size: int = 32) -> float:
        """Top-1 accuracy as a fraction of the readable images."""
        correct = total = 0
        for images, labels in folder.batches(self.model, batch_size):
            correct += int(is_hit(self.forward(images), labels).sum())
            total += len(labels)
        return correct / total


def split_qkv(attention: Attention, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values (b, h, n, head_dim) of normalised tokens (b, n, dim)."""
    batch, count, _ = tokens.shape
    qkv = attention.qkv(tokens).reshape(batch, count, 3, attention.num_heads, attention.head_dim)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    return attention.q_norm(q), attention.k_norm(k), v


def probabilities(attention: Attention, q: Tensor, k: Tensor, kept: Tensor | None = None) -> Tensor:
    """Softmax over the kept keys, (b, h, n, n); a row that keeps nothing is all zeros."""
    scores = (q * attention.scale) @ k.transpose(-2, -1)
    if kept is None:
        return scores.softmax(dim=-1)
    return scores.masked_fill(~kept, -torch.inf).softmax(dim=-1).nan_to_num(nan=0.0)


def prune(importance: Tensor, keep: int, prefix: int, *tensors: Tensor) -> tuple[Tensor, ...]:
    """The `keep` most important tokens (prefix counted) of tensors (b, n, ...), in their order."""
    survivors = ranking(importance, prefix)[:, :keep].sort(dim=1).values
    return tuple(take(tensor, survivors) for tensor in tensors)


def ranking(importance: Tensor, prefix: int) -> Tensor:
    """Positions (b, n) from the most important token down: the prefix first, ties in token order.

    An importance that is NaN ranks last.
    """
    ranked = importance.masked_fill(importance.isnan(), -torch.inf)
    ranked[:, :prefix] = torch.inf
    return torch.sort(ranked, dim=1, descending=True, stable=True).indices


def take(tensor: Tensor, positions: Tensor) -> Tensor:
    """Rows of a tensor (b, n, ...) at positions (b, m) of each image."""
    rows = torch.arange(len(positions), device=positions.device)[:, None]
    return tensor[rows, positions]
