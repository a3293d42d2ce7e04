"""int8 against float, tensor by tensor: where along the network the integers lose.

Both networks run freely from the same pixels, so a layer's figures hold what all layers before it
lost as well. Compared are the tokens that are live in both.

An int8 tensor has a step, and some an offset, in every channel, and the next layer's weights or
bias make up for both. So each channel's integers are mapped to float by the gain and the offset of
least squares over all rows; what is left is the error. SQNR is the power of the float tensor over
that of the error, in dB, cosine that of the angle between the tensor and its image.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import sqrt

import torch
from torch import Tensor, nn

from model.data.image_folder import ImageFolder
from model.evaluation.integer_accuracy import check_same, pixels_of
from model.evaluation.statistics import decibels
from model.integer.forward import patches_of, trace
from model.integer.network import IntegerNetwork
from model.pruning.hardware import kept_after_attention
from model.reference.forward import FloatReference, LayerTrace, prune

TENSORS = (
    "norm1", "q", "k", "v", "attention", "x_mid", "norm2", "preactivation", "hidden", "x_out",
)  # fmt: skip
"""Of every layer, as in `model.integer.forward`."""

BEFORE_PRUNING = TENSORS[:4]
"""Those that hold the tokens which enter the layer; the others hold its survivors."""


@dataclass
class Moments:
    """Sums over rows of integers x and floats y (rows, channels); more rows may follow."""

    rows: int = 0
    sums: Tensor = field(default_factory=lambda: torch.zeros(()))
    """(5, channels) float64: x, y, x^2, y^2, x y."""

    def add(self, x: Tensor, y: Tensor) -> None:
        x, y = x.double(), y.double()
        self.rows += len(x)
        self.sums = self.sums + torch.stack([x, y, x * x, y * y, x * y]).sum(dim=1)

    @property
    def _powers(self) -> tuple[float, float]:
        """Of the floats and of the error that gain and offset leave."""
        x, y, xx, yy, xy = self.sums
        spread, together = xx - x * x / self.rows, xy - x * y / self.rows
        gained = torch.where(spread > 0, together.square() / spread, 0.0)
        left = (yy - y * y / self.rows - gained).clamp(min=0)
        return yy.sum().item(), left.sum().item()

    @property
    def sqnr(self) -> float:
        return decibels(*self._powers)

    @property
    def cosine(self) -> float:
        signal, error = self._powers
        return sqrt(1 - error / signal) if signal else 1.0


@dataclass
class IntegerLosses:
    """Moments by name, `layers.i.NAME` and `logits`, and how many survivors agree."""

    moments: dict[str, Moments] = field(default_factory=dict)
    survivors: list[tuple[int, int]] = field(default_factory=list)
    """Of every layer: tokens that both networks keep, tokens that the float one keeps."""


@torch.inference_mode()
def measure_losses(
    integer: IntegerNetwork,
    reference: FloatReference,
    folder: ImageFolder,
    batch_size: int = 8,
    progress: Callable[[int], object] | None = None,
) -> IntegerLosses:
    """Both networks, masked and pruned as the reference is, over a folder.

    Raises:
        UserError: the networks differ in shape or preprocessing.
    """
    network = reference.network
    check_same(integer, network, reference.model)
    losses = IntegerLosses(survivors=[(0, 0)] * network.layers)
    masks = None if reference.masks is None else torch.from_numpy(reference.masks)
    keep = kept_after_attention(reference.schedule, network)
    for images, _ in folder.batches(reference.model, batch_size):
        patches = patches_of(integer.shape, pixels_of(reference, images))
        found = trace(integer, patches, masks, keep)
        with _recorded(reference.model) as record:
            layers: list[LayerTrace] = []
            logits = reference.forward(images, layers.append)
        _add(losses, "logits", found["logits"], logits)
        for layer, kept in zip(layers, keep, strict=True):
            (survivors,) = prune(layer.importance, kept, network.prefix_tokens, layer.live)
            _compare_layer(losses, layer, survivors, found, record)
        if progress is not None:
            progress(len(images))
    return losses


def _compare_layer(
    losses: IntegerLosses,
    layer: LayerTrace,
    survivors: Tensor,
    found: dict[str, Tensor],
    record: dict[str, Tensor],
) -> None:
    prefix = f"layers.{layer.layer}"
    floats = {
        name: record[f"{prefix}.{name}"] if f"{prefix}.{name}" in record else getattr(layer, name)
        for name in TENSORS
    }
    for name, tensor in floats.items():
        entering = name in BEFORE_PRUNING
        tokens = layer.live if entering else survivors
        in_both = found[f"{prefix}.{'live' if entering else 'survivors'}"].gather(1, tokens)
        integers = found[f"{prefix}.{name}"]
        if integers.dim() == 4:
            integers, tensor = (
                integers.transpose(1, 2).flatten(2),
                tensor.transpose(1, 2).flatten(2),
            )
        rows = torch.arange(len(tokens))[:, None]
        _add(losses, f"{prefix}.{name}", integers[rows, tokens][in_both], tensor[in_both])
    both, all_of_them = losses.survivors[layer.layer]
    losses.survivors[layer.layer] = (both + int(in_both.sum()), all_of_them + survivors.numel())


def _add(losses: IntegerLosses, name: str, x: Tensor, y: Tensor) -> None:
    losses.moments.setdefault(name, Moments()).add(x, y)


@contextmanager
def _recorded(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Tensors of the float network by the integer network's names, while the block lasts."""
    record: dict[str, Tensor] = {}
    handles = []

    def keep(module: nn.Module, name: str, *, output: bool) -> None:
        def hook(_: nn.Module, arguments: tuple[Tensor], result: Tensor) -> None:
            record[name] = result if output else arguments[0]

        handles.append(module.register_forward_hook(hook))

    for index, block in enumerate(model.blocks):
        following = model.blocks[index + 1].norm1 if index + 1 < len(model.blocks) else model.norm
        keep(block.norm1, f"layers.{index}.norm1", output=True)
        keep(block.attn.proj, f"layers.{index}.attention", output=False)
        keep(block.norm2, f"layers.{index}.x_mid", output=False)
        keep(block.norm2, f"layers.{index}.norm2", output=True)
        keep(block.mlp.fc1, f"layers.{index}.preactivation", output=True)
        keep(block.mlp.fc2, f"layers.{index}.hidden", output=False)
        keep(following, f"layers.{index}.x_out", output=False)
    try:
        yield record
    finally:
        for handle in handles:
            handle.remove()
