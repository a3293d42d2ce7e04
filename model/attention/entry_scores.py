"""Learned scores of attention entries: what the network's output loses without each of them.

The network's weights never change; only calibration images are seen, no labels. Every step runs the
dense network and the masked one on the same augmented images. The dense one may be another, whose
outputs are wanted: scores of a network that was fine-tuned ask what its own teacher needs.

1. Start: the Fisher information of an entry's mask bit, the second-order estimate of the KL
   divergence that dropping it costs (optimal brain damage, LeCun et al., NIPS 1989): the mean
   square of the gradient of (z, logits), with z normal of the softmax's covariance.
2. Refinement: masks of a random sparsity are made from the scores, and the scores follow the
   gradient of KL(dense || masked) by every mask bit, kept or dropped, straight through the
   selection (edge popup, Ramanujan et al., CVPR 2020; movement pruning, Sanh et al., NeurIPS 2020).
   The gradient is taken in the network as masked, so that it knows what all dropped entries do
   together, over rows, heads and layers. In some steps tokens are pruned as well. The rule is
   Adam's, on log2 scores.

Scores are float (layers, heads, n, n), larger = kept earlier; only their order counts.

File format (.npz, two members, no pickles):
    levels    int16 (layers, heads, n, n): round(score * LEVELS_PER_UNIT)
    metadata  JSON text: network, images, seed, settings
"""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor
from torch.nn import functional

from model.files.arrays import metadata_of, read_archive, told_as
from model.files.finite import check_finite
from model.masks.strategies import LEARNED, MaskRule, keep_cheapest, largest_sparsity
from model.network.names import ASSETS
from model.network.shape import Network
from model.pruning.schedule import NO_PRUNING, Schedule
from model.reference.forward import FloatReference, LayerTrace
from rtl_gen.errors import UserError

LEVELS_PER_UNIT = 32
LARGEST_LEVEL = 2**15 - 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """How scores are learned."""

    start_steps: int = 8
    steps: int = 64
    batch_size: int = 16
    rate: float = 0.3
    """Largest step of a score, in octaves, once its gradient keeps its sign; falls to 0."""
    warmup: int = 5
    momentum: tuple[float, float] = (0.9, 0.98)
    sparsities: tuple[float, float] = (0.5, 0.85)
    """Each step draws one between these, at most what the network's masks can have."""
    prune_share: float = 0.5
    """Fraction of the steps in which tokens are pruned."""
    bf16: bool = True
    """Products in bfloat16, scores and losses in float32."""
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class EntryScores:
    """Scores (layers, heads, n, n) of one network, and where they come from."""

    scores: np.ndarray
    metadata: dict[str, Any]

    def write(self, file: BinaryIO) -> None:
        """Store the scores compactly; the same scores give the same bytes.

        Raises:
            UserError: scores that are not finite.
        """
        check_finite("entry scores", self.scores)
        levels = np.round(self.scores * LEVELS_PER_UNIT).clip(-LARGEST_LEVEL, LARGEST_LEVEL)
        text = json.dumps(self.metadata, sort_keys=True)
        np.savez_compressed(file, levels=levels.astype(np.int16), metadata=np.array(text))


def learn_scores(
    network: Network,
    model: VisionTransformer,
    maps: np.ndarray,
    batches: Iterator[Tensor],
    schedule: Schedule,
    settings: Settings,
    progress: Callable[[int, float], object],
    teacher: VisionTransformer | None = None,
) -> np.ndarray:
    """Scores of all entries.

    Args:
        network: shape of the model.
        model: weights, which stay as they are.
        maps: averaged attention; the largest entry of each row is never dropped.
        batches: images (b, 3, h, w), as many as `start_steps` and `steps` ask for.
        schedule: what prunes tokens in a share of the steps.
        settings: see there.
        progress: called after every step with its images and the KL divergence in nats.
        teacher: the dense network whose outputs are wanted; None = the model itself.

    Raises:
        UserError: gradients that are not finite.
    """
    rng = np.random.default_rng(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    dense = FloatReference(network=network, model=model)
    wanted = dense if teacher is None else FloatReference(network=network, model=teacher)
    information = torch.zeros(network.mask_shape)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=settings.bf16)
    for _ in range(settings.start_steps):
        images = next(batches)
        with autocast:
            information += entry_gradients(dense, images, _fisher_of(generator), square=True)[0]
        progress(len(images), 0.0)
    check_finite("Fisher information of the entries", information)
    most = largest_sparsity(maps, network.prefix_tokens)
    scores = information.clamp(min=torch.finfo().tiny).log2()

    update = _Adam(settings, scores)
    for step in range(settings.steps):
        images = next(batches)
        pruned = rng.random() < settings.prune_share
        sparsity = min(rng.uniform(*settings.sparsities), most)
        masked = FloatReference(
            network=network,
            model=model,
            masks=keep_cheapest(-scores.numpy(), maps, sparsity, network.prefix_tokens),
            schedule=schedule if pruned else NO_PRUNING,
        )
        with autocast:
            target = wanted.forward(images).float().log_softmax(1).clone()
            gradient, loss = entry_gradients(masked, images, _divergence_from(target), square=False)
        check_finite(f"gradients of step {step}", gradient)
        update(step, gradient)
        progress(len(images), loss / len(images))
    return scores.double().numpy()


def entry_gradients(
    reference: FloatReference,
    images: Tensor,
    objective: Callable[[Tensor], Tensor],
    *,
    square: bool,
) -> tuple[Tensor, float]:
    """The gradient of a sum over images by every mask bit, (layers, heads, n, n), and the sum.

    With `square`, gradients are squared before they are summed over images. A dropped entry's is
    that by its bit at 0: its exponential, in units of the row's sum, would join the row.
    """
    traces: list[LayerTrace] = []
    logits = reference.differentiable(images.clone().requires_grad_(), traces.append)
    value = objective(logits)
    by_probability = torch.autograd.grad(value, [trace.probabilities for trace in traces])
    total = torch.zeros(reference.network.mask_shape)
    for trace, block, slope in zip(traces, reference.model.blocks, by_probability, strict=True):
        with torch.no_grad():
            share = _shares(trace, block.attn.scale)
            mean = (trace.probabilities * slope).sum(dim=-1, keepdim=True)
            gradient = (share * (slope - mean)).float()
            _add_live(total[trace.layer], trace.live, gradient.square() if square else gradient)
    return total, value.item()


def _shares(trace: LayerTrace, scale: float) -> Tensor:
    """exp(score) over the sum of the row's kept ones, for kept and dropped entries."""
    scores = (trace.q * scale) @ trace.k.transpose(-2, -1)
    largest, place = trace.probabilities.max(dim=-1, keepdim=True)
    return largest * (scores - scores.gather(-1, place)).exp()


def _add_live(total: Tensor, live: Tensor, values: Tensor) -> None:
    """Add values (b, h, m, m) of the live tokens (b, m) to a total (h, n, n)."""
    flat, tokens = total.flatten(1), total.shape[-1]
    for image, entries in zip(live, values, strict=True):
        flat.index_add_(1, (image[:, None] * tokens + image).flatten(), entries.flatten(1))


def _fisher_of(generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    def objective(logits: Tensor) -> Tensor:
        root = logits.detach().float().softmax(1).sqrt()
        noise = torch.randn(root.shape, generator=generator)
        direction = root * (noise - root * (root * noise).sum(dim=1, keepdim=True))
        return (direction * logits).sum()

    return objective


def _divergence_from(target: Tensor) -> Callable[[Tensor], Tensor]:
    def objective(logits: Tensor) -> Tensor:
        found = logits.float().log_softmax(1)
        return functional.kl_div(found, target, reduction="sum", log_target=True)

    return objective


class _Adam:
    """Adam (Kingma and Ba, ICLR 2015) on scores, in place; the rate rises, then falls to 0."""

    def __init__(self, settings: Settings, scores: Tensor):
        self._settings, self._scores = settings, scores
        self._mean, self._square = torch.zeros_like(scores), torch.zeros_like(scores)

    def __call__(self, step: int, gradient: Tensor) -> None:
        first, second = self._settings.momentum
        self._mean.lerp_(gradient, 1 - first)
        self._square.lerp_(gradient.square(), 1 - second)
        mean = self._mean / (1 - first ** (step + 1))
        root = (self._square / (1 - second ** (step + 1))).sqrt()
        rise = min(1, (step + 1) / self._settings.warmup)
        rate = self._settings.rate * rise * (1 - step / self._settings.steps)
        self._scores -= rate * mean / root.clamp(min=torch.finfo().tiny)


def asset(name: str) -> Path:
    """Where the project's own scores of a network are, if it has any."""
    return ASSETS / f"{name}-scores.npz"


def scores_for(strategy: str, network: str, path: Path | None = None) -> np.ndarray | None:
    """What `make_masks` needs for a strategy: None, or scores of a file or the project's own."""
    if MaskRule.named(strategy).strategy != LEARNED:
        return None
    if path is None:
        check_built_in(network)
    return load_scores(path or asset(network)).scores


def check_built_in(network: str) -> None:
    """Raise UserError if the project has no scores of a network."""
    if not asset(network).is_file():
        raise UserError(
            f"strategy {LEARNED} needs scores, and none of {network} come with the project: learn "
            f"some with `sparse-vit learn-scores --model {network}`, or choose another "
            "strategy"
        )


def load_scores(path: Path) -> EntryScores:
    """Read what `EntryScores.write` wrote.

    Raises:
        UserError: no such file, or one of another kind.
    """
    if not path.is_file():
        raise UserError(
            f"no entry scores {path}: learn some with `sparse-vit learn-scores`, or choose "
            "another strategy"
        )
    written_by = "a file written by `sparse-vit learn-scores`"
    with told_as(f"entry scores {path} are", written_by):
        levels, text = read_archive(path, "levels", "metadata")
        metadata = metadata_of(text)
        if levels.dtype != np.int16 or levels.ndim != 4:
            raise ValueError(f"levels are {levels.dtype} {levels.shape}")
    return EntryScores(levels / LEVELS_PER_UNIT, metadata)
