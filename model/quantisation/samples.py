"""Samples of the tensors of a float network, taken while it runs over images."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from model.files.finite import check_finite
from model.network.shape import Network

ROWS_PER_IMAGE = 8
"""Token rows of an image that enter the statistics: those that are read out, on which all logits
depend, and random others."""

PATCHES = "patch_embed.proj"
PRE_NORM = "norm_pre"
"""Of networks with a norm in front of the layers."""
NORM = "norm"
"""Of networks that average normalised tokens."""
READ_OUT = "read_out"
"""What is read out of the residual stream, or, if normalised tokens are averaged, of these: rows
(b, r, D) of tokens, or means (b, D)."""
LOGITS = "logits"
WATCHED_INPUTS = ("norm1", "attn.proj", "norm2")
WATCHED_OUTPUTS = ("attn.qkv", "mlp.fc1")
"""Of each block."""


@dataclass
class Samples:
    """Rows of one tensor's channels: some of all that there were, and their largest magnitude."""

    parts: list[Tensor] = field(default_factory=list)
    largest: float = 0.0

    @property
    def rows(self) -> Tensor:
        return torch.cat(self.parts)


@torch.inference_mode()
def collect(
    network: Network,
    model: VisionTransformer,
    run: Callable[[Tensor], Tensor],
    batches: Iterable[Tensor],
    seed: int = 0,
) -> dict[str, Samples]:
    """Samples of the watched tensors, by module name or one of the names above, while `run` makes
    logits of the batches of images. Which tokens of an image enter depends on the seed and on the
    image's place alone, not on how many are in a batch.

    Raises:
        UserError: values that are not finite.
    """
    draws: list[torch.Generator] = []
    samples: dict[str, Samples] = {}
    handles = []

    def add(name: str, place: str, values: Tensor, rows: Callable[[Tensor], Tensor]) -> None:
        check_finite(place, values, ": expected trained weights whose sums stay in range")
        samples[name].largest = max(samples[name].largest, values.abs().max().item())
        samples[name].parts.append(rows(values).clone())

    def some_tokens(values: Tensor) -> Tensor:
        order = torch.stack([torch.rand(values.shape[1], generator=draw) for draw in draws])
        order[:, : 0 if network.pools else network.read_tokens] = -1
        chosen = order.argsort(dim=1)[:, :ROWS_PER_IMAGE, None]
        return torch.take_along_dim(values, chosen, dim=1).flatten(0, 1)

    def watch(
        module: str, *, output: bool, name: str = "", rows: Callable[[Tensor], Tensor] = some_tokens
    ) -> None:
        name = name or module
        samples[name] = Samples()
        place = f"activations {'behind' if output else 'before'} {module}"

        def hook(_: nn.Module, arguments: tuple[Tensor], result: Tensor) -> None:
            add(name, place, result if output else arguments[0], rows)

        handles.append(model.get_submodule(module).register_forward_hook(hook))

    for index in range(len(model.blocks)):
        for part in WATCHED_INPUTS:
            watch(f"blocks.{index}.{part}", output=False)
        for part in WATCHED_OUTPUTS:
            watch(f"blocks.{index}.{part}", output=True)
    convolution = model.patch_embed.proj
    watch(PATCHES, output=False, rows=lambda images: some_tokens(patches_of(convolution, images)))
    if network.pre_norm:
        watch(PRE_NORM, output=False)
    normalised = network.averages_normalised
    if normalised:
        watch(NORM, output=False)
    watch(NORM, output=normalised, name=READ_OUT, rows=lambda x: read_out(network, x))
    samples[LOGITS] = Samples()
    try:
        count = 0
        for images in batches:
            draws[:] = [_of_image(seed, count + place) for place in range(len(images))]
            count += len(images)
            add(LOGITS, "logits", run(images), torch.Tensor.clone)
    finally:
        for handle in handles:
            handle.remove()
    return samples


def _of_image(seed: int, place: int) -> torch.Generator:
    """What chooses the tokens of the image at a place."""
    (state,) = np.random.SeedSequence((seed, place)).generate_state(1)
    return torch.Generator().manual_seed(int(state))


def read_out(network: Network, tokens: Tensor) -> Tensor:
    """Rows (b, r, D) of tokens (b, n, D) that are read out, or their mean (b, D)."""
    if network.pools:
        return tokens[:, network.left_out :].mean(dim=1)
    return tokens[:, : network.read_tokens]


def patches_of(convolution: nn.Conv2d, images: Tensor) -> Tensor:
    """(b, patches, K) of images (b, 3, h, w), in the order of the convolution's weights."""
    side = convolution.kernel_size
    return functional.unfold(images, side, stride=side).mT
