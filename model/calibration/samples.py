"""Samples of the tensors of a float network, taken while it runs over images."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from model.finite import check_finite

ROWS_PER_IMAGE = 8
"""Token rows of an image that enter the statistics: CLS, on which all logits depend, and random
others."""

PATCHES = "patch_embed.proj"
WATCHED_INPUTS = ("norm1", "attn.proj", "norm2")
WATCHED_OUTPUTS = ("attn.qkv", "mlp.fc1")
"""Of each block; the patches, the final norm's input and the classifier's output come on top."""


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
    model: VisionTransformer,
    run: Callable[[Tensor], object],
    batches: Iterable[Tensor],
    seed: int = 0,
) -> dict[str, Samples]:
    """Samples of the watched tensors, by module name, while `run` takes the batches of images.

    Raises:
        UserError: values that are not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    samples: dict[str, Samples] = {}
    handles = []

    def watch(name: str, *, output: bool) -> None:
        samples[name] = Samples()

        def hook(module: nn.Module, arguments: tuple[Tensor], result: Tensor) -> None:
            values = result if output else arguments[0]
            place = f"activations {'behind' if output else 'before'} {name}"
            check_finite(place, values, ": expected trained weights whose sums stay in range")
            samples[name].largest = max(samples[name].largest, values.abs().max().item())
            if name == PATCHES:
                values = patches_of(module, values)
            if name == "norm":
                values = values[:, 0]
            elif values.dim() == 3:
                order = torch.rand(values.shape[:2], generator=generator)
                order[:, 0] = -1
                chosen = order.argsort(dim=1)[:, :ROWS_PER_IMAGE, None]
                values = torch.take_along_dim(values, chosen, dim=1).flatten(0, 1)
            samples[name].parts.append(values.clone())

        handles.append(model.get_submodule(name).register_forward_hook(hook))

    for index in range(len(model.blocks)):
        for part in WATCHED_INPUTS:
            watch(f"blocks.{index}.{part}", output=False)
        for part in WATCHED_OUTPUTS:
            watch(f"blocks.{index}.{part}", output=True)
    watch(PATCHES, output=False)
    watch("norm", output=False)
    watch("head", output=True)
    try:
        for images in batches:
            run(images)
    finally:
        for handle in handles:
            handle.remove()
    return samples


def patches_of(convolution: nn.Conv2d, images: Tensor) -> Tensor:
    """(b, n - 1, K) of images (b, 3, h, w), in the order of the convolution's weights."""
    side = convolution.kernel_size
    return functional.unfold(images, side, stride=side).mT
