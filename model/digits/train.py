"""Training of `vit_digits`: dense, sparse and pruned in turn, so that one network serves all three.

Every step takes one of three forms of the same weights: dense; with static masks; with masks and
cascade token pruning. Masks come from the attention averaged over the dense steps so far
(exponentially, older steps fading) and are made anew every epoch, for a sparsity drawn each time
from `SPARSITIES`. As the learning rate falls to 0 they settle, and the averaged attention of the
finished network yields the masks that it has learnt to work with.

AdamW with warm-up and cosine decay, label smoothing, images shifted, turned, scaled and slanted at
random; the result is the exponential moving average of the weights.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from timm.utils import ModelEmaV3
from torch import Tensor
from torch.nn import functional

from model.data.image_folder import ImageFolder
from model.data.preprocessing import Preprocessing
from model.masks.strategies import make_masks
from model.network.names import VIT_DIGITS, timm_name
from model.pruning.schedule import DEFAULT_SCHEDULE
from model.reference.forward import FloatReference, LayerTrace

SPARSITIES = (0.5, 0.6, 0.7, 0.8)
MAP_DECAY = 0.95
"""Of the averaged attention, a dense step."""
WEIGHT_DECAY = 0.05
WEIGHTS_EMA = 0.99


@dataclass(frozen=True, kw_only=True)
class DigitsRecipe:
    """What a run of the training depends on, beside its images."""

    seed: int = 0
    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 2e-3
    warm_up_epochs: int = 5
    label_smoothing: float = 0.1
    rotation: float = 12.0
    """Degrees, to either side; so are the others."""
    shift: float = 0.1
    """Of the image's side."""
    scale: float = 0.12
    slant: float = 0.15


def train(
    folder: ImageFolder, recipe: DigitsRecipe, progress: Callable[[float], object] | None = None
) -> VisionTransformer:
    """The trained network in evaluation mode; `progress` gets the mean loss of every epoch."""
    torch.manual_seed(recipe.seed)
    generator = torch.Generator().manual_seed(recipe.seed)
    model = timm.create_model(timm_name(VIT_DIGITS))
    images, labels = _all_images(folder, model)
    forms = _Forms(model, recipe.seed)
    average = ModelEmaV3(model, decay=WEIGHTS_EMA, use_warmup=True)
    optimiser = torch.optim.AdamW(_parameter_groups(model), lr=recipe.learning_rate)
    steps = len(images) // recipe.batch_size
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, _cosine(recipe, steps))
    blank = _blank(model)
    for _ in range(recipe.epochs):
        total = 0.0
        order = torch.randperm(len(images), generator=generator)
        for batch in order[: steps * recipe.batch_size].split(recipe.batch_size):
            logits = forms.next(augment(images[batch], recipe, blank, generator))
            loss = functional.cross_entropy(
                logits, labels[batch], label_smoothing=recipe.label_smoothing
            )
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            rate.step()
            average.update(model)
            total += loss.item()
        forms.renew_masks()
        if progress is not None:
            progress(total / steps)
    trained = copy.deepcopy(average.module)
    trained.pretrained_cfg = model.pretrained_cfg
    return trained.eval().requires_grad_(False)


class _Forms:
    """The forms of a model that its training steps take in turn."""

    def __init__(self, model: VisionTransformer, seed: int):
        self._dense = FloatReference(network=VIT_DIGITS, model=model)
        self._pruned = replace(self._dense, schedule=DEFAULT_SCHEDULE.fitted(VIT_DIGITS))
        self._maps = torch.full(VIT_DIGITS.mask_shape, 1 / VIT_DIGITS.tokens, dtype=torch.float64)
        self._rng = np.random.default_rng(seed)
        self._masks: np.ndarray | None = None
        self._turn = 0

    def next(self, images: Tensor) -> Tensor:
        """Logits of the form whose turn it is."""
        form = self._turn % 3
        self._turn += 1
        if form == 0:
            return self._dense.differentiable(images, self._observe)
        return replace((self._dense, self._pruned)[form - 1], masks=self._masks).differentiable(
            images
        )

    def renew_masks(self) -> None:
        """Masks of the attention so far, for another sparsity."""
        self._masks = make_masks(
            self._maps.numpy(), self._rng.choice(SPARSITIES), prefix=VIT_DIGITS.prefix_tokens
        )

    def _observe(self, trace: LayerTrace) -> None:
        latest = trace.probabilities.detach().double().mean(dim=0)
        self._maps[trace.layer].lerp_(latest, 1 - MAP_DECAY)


def augment(
    images: Tensor, recipe: DigitsRecipe, blank: float, generator: torch.Generator
) -> Tensor:
    """Every image under an affine map of its own; what comes in from outside is `blank`."""
    turn, slant, grow_x, grow_y, shift_x, shift_y = (
        limit * (2 * torch.rand(len(images), generator=generator) - 1)
        for limit in (
            math.radians(recipe.rotation),
            recipe.slant,
            recipe.scale,
            recipe.scale,
            2 * recipe.shift,
            2 * recipe.shift,
        )
    )
    cos, sin = turn.cos(), turn.sin()
    rows = [
        torch.stack([cos * (1 + grow_x), slant - sin, shift_x], dim=1),
        torch.stack([sin, cos * (1 + grow_y), shift_y], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1), images.shape, align_corners=False)
    return functional.grid_sample(images - blank, grid, align_corners=False) + blank


def _all_images(folder: ImageFolder, model: VisionTransformer) -> tuple[Tensor, Tensor]:
    ((images, labels),) = folder.batches(model, len(folder))
    assert labels is not None
    return images, labels


def _blank(model: VisionTransformer) -> float:
    """What black becomes when it is normalised (all colours alike)."""
    preprocessing = Preprocessing.of(model)
    return -preprocessing.mean[0] / preprocessing.std[0]


def _parameter_groups(model: VisionTransformer) -> list[dict]:
    """Matrices decay; biases, norms, CLS and positions do not."""
    kept = model.no_weight_decay()
    named = list(model.named_parameters())
    decayed = [p for name, p in named if p.dim() > 1 and name not in kept]
    others = [p for name, p in named if p.dim() <= 1 or name in kept]
    return [
        {"params": decayed, "weight_decay": WEIGHT_DECAY},
        {"params": others, "weight_decay": 0.0},
    ]


def _cosine(recipe: DigitsRecipe, steps: int) -> Callable[[int], float]:
    """The learning rate of a step as a fraction of the largest."""
    warm_up, total = recipe.warm_up_epochs * steps, recipe.epochs * steps

    def factor(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        return (1 + math.cos(math.pi * (step - warm_up) / (total - warm_up))) / 2

    return factor
