"""Fine-tuning of a network with its masks fixed and token pruning active.

The student starts from the dense network, or from another one, and learns from the dense one
(`distillation`). Most steps prune tokens and the others do not (`Recipe.prune_share`), so that one
network serves both. What is kept or dropped is a constant to the gradients, which flow through the
surviving entries and tokens.
AdamW (Loshchilov and Hutter, ICLR 2019); the result is a moving average of the weights.
"""

import copy
from dataclasses import dataclass, field

import numpy as np
import torch
from timm.models.vision_transformer import VisionTransformer
from timm.optim import param_groups_weight_decay
from timm.scheduler import CosineLRScheduler
from timm.utils import ModelEmaV3
from torch import Tensor

from model.files.finite import check_finite
from model.finetune.distillation import Distances, distances, passage
from model.finetune.recipe import Recipe
from model.network.shape import Network
from model.pruning.schedule import NO_PRUNING, Schedule
from model.reference.forward import FloatReference

COLUMNS = ("step", "pruned", "learning_rate", "logits", "feature", "hidden", "loss")
"""Of the history: the losses are those before the step's update."""

SLOWER = ": choose a smaller learning rate"
"""What helps against losses that run away."""


@dataclass(kw_only=True)
class Trainer:
    """One run, at some step of it.

    Attributes:
        teacher: the dense network in evaluation mode; it stays as it is.
        masks: bool (layers, heads, n, n), True = kept.
        schedule: which tokens the pruning steps keep.
        start: what the student starts from; None = the teacher.
        student: the network that is trained, in float32.
        average: the moving average of its weights.
        history: a row of COLUMNS for every step so far.
    """

    network: Network
    teacher: VisionTransformer
    masks: np.ndarray
    schedule: Schedule
    recipe: Recipe
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    start: VisionTransformer | None = None
    history: list[tuple[float, ...]] = field(default_factory=list, init=False)

    def __post_init__(self):
        recipe = self.recipe
        self.teacher = self.teacher.to(self.device)
        self.student = copy.deepcopy(self.start or self.teacher)
        self.student = self.student.to(self.device).requires_grad_(True)
        self.average = ModelEmaV3(self.student, decay=recipe.average_decay, use_warmup=True)
        groups = param_groups_weight_decay(
            self.student, recipe.weight_decay, self.student.no_weight_decay()
        )
        self.optimizer = torch.optim.AdamW(groups, recipe.learning_rate)
        warmup = int(recipe.warmup * recipe.steps)
        self._scheduler = CosineLRScheduler(
            self.optimizer,
            t_initial=recipe.steps - warmup,
            warmup_t=warmup,
            warmup_prefix=True,
            t_in_epochs=False,
        )
        self._dense = FloatReference(network=self.network, model=self.teacher)
        self._sparse = self.reference(self.student, pruned=False)
        self._pruned = self.reference(self.student, pruned=True)

    def reference(self, model: VisionTransformer, *, pruned: bool) -> FloatReference:
        """A model with the run's masks, with or without its pruning."""
        schedule = self.schedule if pruned else NO_PRUNING
        return FloatReference(
            network=self.network, model=model, masks=self.masks, schedule=schedule
        )

    @torch.inference_mode()
    def distances(self, model: VisionTransformer, images: Tensor) -> list[Distances]:
        """How far a model is from the teacher on images on the device, without and with pruning."""
        references = [self.reference(model, pruned=pruned) for pruned in (False, True)]
        with self._arithmetic():
            wanted = passage(self._dense, images)
            found = [passage(reference, images) for reference in references]
        return [distances(each, wanted) for each in found]

    def _arithmetic(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.bf16)

    @property
    def done(self) -> int:
        """Finished steps."""
        return len(self.history)

    def losses(self, images: Tensor, *, pruned: bool) -> tuple[Distances, Tensor]:
        """How far the student is from the teacher, and the sum of it by the recipe's weights."""
        recipe = self.recipe
        with self._arithmetic():
            with torch.no_grad():
                wanted = passage(self._dense, images)
            found = passage(self._pruned if pruned else self._sparse, images)
        parts = distances(found, wanted)
        weighted = recipe.feature_weight * parts.feature + recipe.hidden_weight * parts.hidden
        return parts, parts.logits + weighted

    def step(self, images: Tensor) -> None:
        """Learn from images (b, 3, h, w) on the device; adds a row to the history.

        Raises:
            UserError: the losses or the gradients are no longer finite.
        """
        recipe, step = self.recipe, self.done
        self._scheduler.step_update(step + 1)
        pruned = recipe.prunes(step)
        parts, loss = self.losses(images, pruned=pruned)
        values = [*parts.stacked().tolist(), loss.item()]
        check_finite(f"losses of step {step}", np.array(values), SLOWER)
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.student.parameters(), recipe.clip)
        check_finite(f"gradients of step {step}", norm, SLOWER)
        self.optimizer.step()
        self.average.update(self.student, step + 1)
        rate = self.optimizer.param_groups[0]["lr"]
        self.history.append((step, int(pruned), rate, *values))
