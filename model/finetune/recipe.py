"""What a fine-tuning run is made of, apart from network, masks, schedule and images.

The defaults suit a few hundred steps on some hundred images, on CPU cores: pictures as varied as
possible, a small rate, and most of the loss between layers, where an image teaches most. A larger
batch and more steps suit ImageNet on a GPU.
"""

import dataclasses
from enum import StrEnum

from rtl_gen.errors import UserError


class Augmentation(StrEnum):
    """How training images vary; the dense and the sparse network always see the same picture."""

    CROP = "crop"
    """Random resized crops of at least 40 % of the area, and flips."""
    FULL = "full"
    """DeiT's recipe: crops of at least 8 %, flips, RandAugment, erasing, Mixup and CutMix."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of one run; a checkpoint only continues a run of equal settings."""

    steps: int = 300
    batch_size: int = 16
    learning_rate: float = 5e-5
    """Peak of a cosine that ends at 0."""
    warmup: float = 0.05
    """Fraction of the steps in which the learning rate rises from 0."""
    weight_decay: float = 0.0
    """Not applied to biases, norms and embeddings."""
    clip: float = 1.0
    """Largest norm of all gradients together."""
    prune_share: float = 0.75
    """Fraction of the steps, evenly spread, in which tokens are pruned."""
    feature_weight: float = 1.0
    """Of the CLS feature's loss; that of the logits has weight 1."""
    hidden_weight: float = 10.0
    """Of the loss of the tokens between layers."""
    average_decay: float = 0.99
    """Of the moving average of the weights, which is the result; reached gradually."""
    augmentation: Augmentation = Augmentation.FULL
    bf16: bool = True
    """Mixed precision: products in bfloat16, weights and losses in float32."""
    seed: int = 0

    def __post_init__(self):
        def need(name: str, expected: str, *, fits: bool) -> None:
            if not fits:
                raise UserError(f"{name} = {getattr(self, name)!r}: expected {expected}")

        need("steps", "at least 1", fits=self.steps >= 1)
        need("batch_size", "at least 1", fits=self.batch_size >= 1)
        need("learning_rate", "a number above 0", fits=0 < self.learning_rate < float("inf"))
        need("warmup", "a fraction from 0 to below 1", fits=0 <= self.warmup < 1)
        need("clip", "a number above 0", fits=self.clip > 0)
        need("prune_share", "a fraction from 0 to 1", fits=0 <= self.prune_share <= 1)
        need("average_decay", "a fraction from 0 to below 1", fits=0 <= self.average_decay < 1)
        for name in ("weight_decay", "feature_weight", "hidden_weight", "seed"):
            need(name, "a number of at least 0", fits=getattr(self, name) >= 0)
        kinds = ", ".join(Augmentation)
        need("augmentation", f"one of {kinds}", fits=self.augmentation in list(Augmentation))
        if self.augmentation == Augmentation.FULL:
            need("batch_size", "an even number, for Mixup", fits=self.batch_size % 2 == 0)

    def prunes(self, step: int) -> bool:
        """Whether tokens are pruned in a step (0 .. steps - 1)."""
        return int((step + 1) * self.prune_share) > int(step * self.prune_share)
