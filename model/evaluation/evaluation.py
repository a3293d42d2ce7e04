"""Evaluation of the rows of an accuracy table, each once: finished rows come from their file."""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from model.data.image_folder import ImageFolder
from model.data.preprocessing import Preprocessing
from model.evaluation.integer_accuracy import check_same
from model.evaluation.ranks import Progress, ranks
from model.evaluation.table import FLOAT, Row
from model.files.finished_rows import FinishedRows, key_of
from model.integer.network import IntegerNetwork
from model.masks.strategies import sparsity_of
from model.network.shape import Network
from model.pruning.schedule import NO_PRUNING, Schedule
from model.reference.forward import FloatReference

VERSION = 2
"""Rows of another version are not reused: increase it whenever the same settings rank otherwise."""

ProgressBar = Callable[[int, str], AbstractContextManager[Progress]]
"""Of a number of images and a description."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Weights with their masks.

    label: where they come from: a strategy, a file, a fine-tuning run or `dense`
    masks: bool (layers, heads, n, n), True = kept; None = dense
    integers: the same weights in integers; None leaves the int8 rows out
    """

    label: str
    model: VisionTransformer
    masks: np.ndarray | None = None
    integers: IntegerNetwork | None = None


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What one row of the table runs.

    reference: weights, masks and schedule
    integer: the integer network of an int8 row; None in a float one
    """

    label: str
    reference: FloatReference
    integer: IntegerNetwork | None

    def __post_init__(self):
        if self.integer is not None:
            check_same(self.integer, self.reference.network, self.reference.model)

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing.of(self.reference.model)

    @property
    def pruned(self) -> bool:
        return self.reference.schedule.prunes(self.reference.network)

    @property
    def arithmetic(self) -> str:
        return FLOAT if self.integer is None else "int8"

    @property
    def sparsity(self) -> float:
        masks = self.reference.masks
        return 0.0 if masks is None else sparsity_of(masks)

    @property
    def description(self) -> str:
        pruned = ", pruned" if self.pruned else ""
        return f"{self.label}, {self.sparsity:.0%} sparse{pruned}, {self.arithmetic}"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A network on the images of a folder.

    Attributes:
        rows: one a variant, in the variants' order.
        reused: how many of them were found in the file of finished rows.
        unreadable: images of the folder that no row counts, as paths below its root.
    """

    rows: list[Row]
    reused: int
    unreadable: list[str]


def variants(network: Network, subjects: Sequence[Subject], schedule: Schedule) -> list[Variant]:
    """Every subject without pruning and, if the schedule drops any token, with it: all in float and
    then in integers.
    """
    in_float = [(subject, None) for subject in subjects]
    in_integers = [(subject, subject.integers) for subject in subjects if subject.integers]
    return [
        Variant(
            label=subject.label,
            reference=FloatReference(
                network=network, model=subject.model, masks=subject.masks, schedule=pruning
            ),
            integer=integer,
        )
        for subject, integer in in_float + in_integers
        for pruning in dict.fromkeys((NO_PRUNING, schedule.or_none(network)))
    ]


def evaluate(
    folder: ImageFolder,
    wanted: Sequence[Variant],
    finished: FinishedRows,
    batch_size: int,
    bar: ProgressBar,
) -> Evaluation:
    """Ranks of every variant; what is not yet among the finished rows is run and added to them."""
    common = {
        "version": VERSION,
        "images": folder.digest(),
    }
    models = dict.fromkeys(variant.reference.model for variant in wanted)
    weights = {model: digest_of(model) for model in models}
    rows, reused, unreadable = [], 0, []
    for variant in wanted:
        settings = {"weights": weights[variant.reference.model], **_settings(variant)}
        key = key_of({**common, **settings})
        found = finished.get(key)
        reused += found is not None
        if found is None:
            with bar(len(folder), variant.description) as advance:
                result = ranks(variant.reference, variant.integer, folder, batch_size, advance)
            missing = [each.path.relative_to(folder.root).as_posix() for each in folder.unreadable]
            found = finished.add(
                key, {"row": variant.description, "ranks": result, "unreadable": missing}
            )
        unreadable = found["unreadable"]
        rows.append(
            Row(
                masks=variant.label,
                sparsity=variant.sparsity,
                pruned=variant.pruned,
                arithmetic=variant.arithmetic,
                preprocessing=str(variant.preprocessing),
                data=folder.root.resolve().name,
                ranks=found["ranks"],
            )
        )
    return Evaluation(rows=rows, reused=reused, unreadable=unreadable)


def digest_of(model: nn.Module) -> str:
    """SHA-256 over names and values of a model's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def digest_of_masks(masks: np.ndarray) -> str:
    """SHA-256 over the bits of masks."""
    return hashlib.sha256(np.packbits(masks).tobytes()).hexdigest()


def _settings(variant: Variant) -> dict[str, Any]:
    reference = variant.reference
    masks = reference.masks
    return {
        "network": reference.network.as_json(),
        "preprocessing": variant.preprocessing.as_json(),
        "masks": None if masks is None else digest_of_masks(masks),
        "schedule": dataclasses.asdict(cast(Any, reference.schedule)),
        "integers": None if variant.integer is None else variant.integer.digest(),
    }
