"""Integer golden model of the whole network, exact in every bit.

Tensors are int64 and hold the narrower integers of docs/arithmetic.md; b images, n tokens, D
channels. Each image of a batch has its own survivors. Rows of tokens that are no longer live are 0
in every tensor here, while the hardware leaves old values there that nothing reads again: compare
live rows only.

Names that an observer sees, in this order (`i` layer, `h` head):

    patches                  (b, n, K)    int8, rows of the prefix are 0
    embedding                (b, n, D)    int16, residual stream behind the patch embedding
    pre_norm.norm            (b, n, D)    int8, of networks with a norm in front of the layers
    pre_norm.x               (b, n, D)    int16, the residual stream made of it
    layers.i.live            (b, n)       bool, tokens that enter the layer
    layers.i.norm1           (b, n, D)    int8
    layers.i.q, .k, .v       (b, H, n, d) int8
    layers.i.heads.h.NAME    fields of `HeadTrace`, with the batch in front
    layers.i.attention       (b, n, D)    int8, heads side by side, before pruning
    layers.i.importance      (b, n)       column sums over queries and heads
    layers.i.survivors       (b, n)       bool, tokens that leave the layer
    layers.i.x_mid           (b, n, D)    int16, after the projection, survivors only from here on
    layers.i.norm2           (b, n, D)    int8
    layers.i.preactivation   (b, n, M)    int8, outputs of FFN 1
    layers.i.hidden          (b, n, M)    int8, the nonlinearity of them
    layers.i.x_out           (b, n, D)    int16
    mean.norm                (b, n, D)    int8, of networks that average normalised tokens
    mean.x                   (b, n, D)    int16, the residual stream made of it
    pooled                   (b, D)       int16, of networks whose classifier is given a mean
    norm                     (b, D)       int8, what the classifier is given: (b, 2, D) if distilled
    logits                   (b, classes) int16, or (b, D) features
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from model.integer.attention import attend, reciprocal, requantise, saturate, select_tokens
from model.integer.network import IntegerNetwork, Layer, Linear, Norm, Renormalisation
from model.integer.pooling import averaged_tokens, pool, pool_scale
from model.network.readout import Readout
from model.network.shape import Network
from rtl_gen.numerics import (
    LOGIT_BITS,
    MULTIPLIER_BITS,
    NORM_MEAN_FRACTION_BITS,
    RESIDUAL_BITS,
    Scale,
    round_shift,
)

Observer = Callable[[str, Tensor], object]

PIXEL_OFFSET = 128
"""A patch entry is the pixel (0 to 255) less this; images are normalised by the weights."""

_EXACT_TERMS = 1024
"""So many products of two int8 sum up exactly in float32, in whatever order BLAS takes."""


def forward(
    network: IntegerNetwork,
    patches: Tensor,
    masks: Tensor | None = None,
    keep: Sequence[int | None] | None = None,
    observe: Observer | None = None,
) -> Tensor:
    """Logits (b, classes), or else features (b, D), in units of `network.logit_step`.

    Args:
        network: the integers.
        patches: (b, patches, K) of values -128 to 127, see `patches_of`.
        masks: bool (layers, heads, n, n), True = kept; None: dense attention.
        keep: tokens, the prefix included, that each layer leaves; None: no pruning.
        observe: called with name and value of every tensor of the module's list.
    """
    shape, parameters = network.shape, network.parameters
    batch = len(patches)
    if masks is None:
        masks = torch.ones(shape.mask_shape, dtype=torch.bool)
    keep = [None] * shape.layers if keep is None else keep

    prefix = patches.new_zeros(batch, shape.prefix_tokens, shape.patch_inputs)
    patches = torch.cat([prefix, patches], dim=1).long()
    observe = observe or _ignore
    observe("patches", patches)
    x = _add(parameters.initial.long().expand(batch, -1, -1), parameters.patch, patches)
    observe("embedding", x)
    live = torch.ones(batch, shape.tokens, dtype=torch.bool)
    if parameters.pre_norm is not None:
        x = _renormalise(parameters.pre_norm, x, live, _prefixed(observe, "pre_norm"))
    for index, (layer, count) in enumerate(zip(parameters.layers, keep, strict=True)):
        prune = _pruning(count, shape.prefix_tokens)
        x, live = _layer(layer, x, live, masks[index], prune, _prefixed(observe, f"layers.{index}"))
    if parameters.mean is not None:
        x = _renormalise(parameters.mean, x, live, _prefixed(observe, "mean"))
    y = layer_norm(
        parameters.norm,
        _read_out(shape, x, live, averaged_tokens(shape, keep), observe),
        plain=shape.plain_readout,
    )
    observe("norm", y)
    logits = linear(parameters.classifier, y.flatten(1), LOGIT_BITS)
    observe("logits", logits)
    return logits


def trace(
    network: IntegerNetwork,
    patches: Tensor,
    masks: Tensor | None = None,
    keep: Sequence[int | None] | None = None,
    *,
    heads: bool = False,
) -> dict[str, Tensor]:
    """Every tensor that `forward` observes, by name; those inside a head's attention on demand."""
    tensors: dict[str, Tensor] = {}

    def collect(name: str, tensor: Tensor) -> None:
        if heads or ".heads." not in name:
            tensors[name] = tensor

    forward(network, patches, masks, keep, collect)
    return tensors


def patches_of(shape: Network, pixels: Tensor) -> Tensor:
    """Patches (b, patches, K), row by row, channel order (colour, y, x), of pixels (b, 3, h, w)."""
    pixels = pixels.double() - PIXEL_OFFSET
    return torch.nn.functional.unfold(pixels, shape.patch, stride=shape.patch).mT.long()


def linear(layer: Linear, x: Tensor, bits: int) -> Tensor:
    """(..., M) of `bits` bits from int8 values (..., K)."""
    acc = layer.bias.long()
    weight = layer.weight.float()
    for first in range(0, layer.inputs, _EXACT_TERMS):
        part = slice(first, first + _EXACT_TERMS)
        acc = acc + (x[..., part].float() @ weight[:, part].T).long()
    return requantise(acc, layer.multiplier.long(), layer.shift.long(), bits)


def layer_norm(norm: Norm, x: Tensor, *, plain: bool = False) -> Tensor:
    """int8 values (..., D) of residuals (..., D); `plain`: rounded as they are, not normalised."""
    dim = x.shape[-1]
    total = x.sum(dim=-1, keepdim=True)
    mean_scale = Scale.nearest((1 << NORM_MEAN_FRACTION_BITS) / dim)
    mean = round_shift(total * mean_scale.multiplier, mean_scale.shift)
    root = square_root(dim * (x * x).sum(dim=-1, keepdim=True) - total * total)
    if plain:
        mean, root = torch.zeros_like(mean), torch.ones_like(root)
    mantissa, length = reciprocal(root)
    # Root 0 has mantissa 0 and gives 0; its shift only has to be legal.
    factor = round_shift(mantissa * norm.scale.multiplier, MULTIPLIER_BITS)
    shift = norm.scale.shift + length.clamp(min=1) - 1 + norm.channel_shift
    centred = (x << NORM_MEAN_FRACTION_BITS) - mean
    return saturate(round_shift(centred * factor, shift), 8)


def square_root(x: Tensor) -> Tensor:
    """floor(sqrt(x)), exact for 0 <= x < 2^62: float64 is off by one at most."""
    root = x.double().sqrt().long()
    root = root - (root * root > x).long()
    return root + ((root + 1) * (root + 1) <= x).long()


def _read_out(shape: Network, x: Tensor, live: Tensor, averaged: int, observe: Observer) -> Tensor:
    """What the last norm is given of the residual stream: (b, D), or (b, 2, D) if distilled."""
    match shape.readout:
        case Readout.CLASS_TOKEN:
            return x[:, 0]
        case Readout.DISTILLED:
            return x[:, :2]
    scale, images = pool_scale(averaged), zip(x, live, strict=True)
    pooled = torch.stack([pool(*image, shape.left_out, scale) for image in images])
    observe("pooled", pooled)
    return pooled


def _renormalise(norm: Renormalisation, x: Tensor, live: Tensor, observe: Observer) -> Tensor:
    """The residual stream (b, n, D) that a LayerNorm's outputs are."""
    normed = _live_rows(layer_norm(norm.norm, x), live)
    observe("norm", normed)
    x = _live_rows(linear(norm.linear, normed, RESIDUAL_BITS), live)
    observe("x", x)
    return x


def _pruning(keep: int | None, prefix: int) -> Callable[[Tensor, Tensor], Tensor]:
    """From importance and live tokens (b, n) to those that stay."""
    if keep is None:
        return lambda _importance, live: live
    return lambda importance, live: select_tokens(importance, live, keep, prefix)


def _layer(
    layer: Layer,
    x: Tensor,
    live: Tensor,
    mask: Tensor,
    prune: Callable[[Tensor, Tensor], Tensor],
    observe: Observer,
) -> tuple[Tensor, Tensor]:
    """The residual stream and the live map (b, n) after a layer."""
    observe("live", live)
    normed = _live_rows(layer_norm(layer.norm1, x), live)
    observe("norm1", normed)
    qkv = _live_rows(linear(layer.qkv, normed, 8), live)
    q, k, v = qkv.unflatten(-1, (len(layer.heads), 3, -1)).permute(3, 0, 2, 1, 4)
    for name, tensor in (("q", q), ("k", k), ("v", v)):
        observe(name, tensor)

    outputs, importance = [], torch.zeros_like(live, dtype=torch.int64)
    for h, scales in enumerate(layer.heads):
        head = attend(q[:, h], k[:, h], v[:, h], mask[h], live, scales)
        for name, tensor in head.tensors().items():
            observe(f"heads.{h}.{name}", tensor)
        outputs.append(head.output)
        importance = importance + head.importance
    mixed = torch.cat(outputs, dim=-1)
    observe("attention", mixed)
    observe("importance", importance)

    live = prune(importance, live)
    observe("survivors", live)
    x = _live_rows(_add(x, layer.projection, mixed), live)
    observe("x_mid", x)
    normed = _live_rows(layer_norm(layer.norm2, x), live)
    observe("norm2", normed)
    preactivation = _live_rows(linear(layer.ffn1, normed, 8), live)
    observe("preactivation", preactivation)
    hidden = _live_rows(layer.nonlinearity.long()[preactivation + 128], live)
    observe("hidden", hidden)
    x = _live_rows(_add(x, layer.ffn2, hidden), live)
    observe("x_out", x)
    return x, live


def _add(x: Tensor, layer: Linear, operand: Tensor) -> Tensor:
    return saturate(x + linear(layer, operand, RESIDUAL_BITS), RESIDUAL_BITS)


def _live_rows(x: Tensor, live: Tensor) -> Tensor:
    return torch.where(live[..., None], x, 0)


def _ignore(name: str, tensor: Tensor) -> None:
    """The observer that wants nothing."""


def _prefixed(observe: Observer, prefix: str) -> Observer:
    return lambda name, tensor: observe(f"{prefix}.{name}", tensor)
