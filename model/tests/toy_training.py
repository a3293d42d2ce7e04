"""What the toy network is fine-tuned with."""

from model.finetune.recipe import Recipe
from model.pruning.schedule import PruningSchedule

SCHEDULE = PruningSchedule(start=0.2, end=0.8, first_layer=1)
RECIPE = Recipe(
    steps=6,
    batch_size=4,
    learning_rate=2e-3,
    warmup=0.0,
    hidden_weight=1.0,
    augmentation="crop",
    bf16=False,
)
