"""How far a sparse, pruned network is from the dense one on the same images: no labels needed.

    logits    KL divergence of the class probabilities, dense from sparse
    feature   relative squared error of the CLS token behind the last norm
    hidden    relative squared error of the live tokens between two layers, mean over the layers

Relative: divided by the variance of what the dense network has there. The tokens of a layer are
compared where the pruned network has them; the dense network keeps all. Distillation of hidden
states: FitNets (Romero et al., ICLR 2015), TinyBERT (Jiao et al., 2020).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.reference.forward import FloatReference, LayerTrace


@dataclass
class Passage:
    """What one forward pass of b images leaves behind.

    logits: (b, classes)
    feature: (b, dim) the normalised CLS token that goes into the classifier
    hidden: for each layer, (b, n, dim) the tokens that enter it
    live: for each layer, (b, n) their indices
    """

    logits: Tensor = field(init=False)
    feature: Tensor = field(init=False)
    hidden: list[Tensor] = field(default_factory=list)
    live: list[Tensor] = field(default_factory=list)


@dataclass(frozen=True)
class Distances:
    """Scalars."""

    logits: Tensor
    feature: Tensor
    hidden: Tensor

    def stacked(self) -> Tensor:
        """All three, (3,), in this order."""
        return torch.stack([self.logits, self.feature, self.hidden])


def passage(reference: FloatReference, images: Tensor) -> Passage:
    """Run images (b, 3, h, w) through a network, with gradients where they are enabled."""
    seen = Passage()

    def observe(trace: LayerTrace) -> None:
        seen.live.append(trace.live)

    with _watching(reference.model, seen):
        seen.logits = reference.differentiable(images, observe)
    return seen


def distances(student: Passage, teacher: Passage) -> Distances:
    """Distances of a network's passage from that of the dense network."""
    hidden = [
        relative_error(tokens, torch.take_along_dim(wanted, live[:, :, None], dim=1))
        for tokens, wanted, live in zip(
            student.hidden[1:], teacher.hidden[1:], student.live[1:], strict=True
        )
    ]
    divergence = functional.kl_div(
        student.logits.float().log_softmax(dim=1),
        teacher.logits.float().log_softmax(dim=1),
        reduction="batchmean",
        log_target=True,
    )
    feature = relative_error(student.feature, teacher.feature)
    return Distances(divergence, feature, torch.stack(hidden).mean())


def relative_error(values: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error of (..., channels) over the variance of what is wanted."""
    wanted = wanted.float()
    return functional.mse_loss(values.float(), wanted) / wanted.var(dim=-1).mean()


@contextmanager
def _watching(model: nn.Module, seen: Passage) -> Iterator[None]:
    def enter(_: nn.Module, arguments: tuple[Tensor]) -> None:
        seen.hidden.append(arguments[0])

    def leave(_: nn.Module, __: tuple[Tensor], result: Tensor) -> None:
        seen.feature = result[:, 0]

    handles = [block.norm1.register_forward_pre_hook(enter) for block in model.blocks]
    handles.append(model.norm.register_forward_hook(leave))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
