"""Tables of accuracies."""

from collections.abc import Iterable, Iterator
from itertools import product

from model.evaluation.table import ALL
from scripts.documents.cells import SPARSITIES, masks_label, select
from scripts.documents.markdown import table

_FEW = "val"
_SETS = {_FEW: "val", "imagenet-val-a": "val-a", ALL: "both"}
"""Sets of labelled images, and what tables call them."""


def _tuned(sparsity: float) -> str:
    """The fine-tuning run of a sparsity."""
    return f"deit_tiny-{sparsity:g}-learned"


def _drop(figure: str = "drop", **where: object) -> str:
    """Of the one row that has these values; nothing of what was not measured."""
    for _, row in select("accuracy", **where).dropna(subset=[figure]).iterrows():
        return f"{row[figure]:+.2f} ± {row[f'{figure}_standard_error']:.2f}"
    return ""


def _drops(labels: Iterable[str], **where: object) -> Iterator[str]:
    return (_drop(masks=label, **where) for label in labels)


def accuracy(*, pruned: bool) -> str:
    """Of every strategy, nothing trained."""
    strategies = ("vitcod", "layer_threshold", "row_topk", "learned")
    rows = []
    for sparsity in SPARSITIES:
        at = {"data": _FEW, "arithmetic": "float", "pruned": pruned, "sparsity": sparsity}
        rows.append([masks_label(sparsity), *_drops(strategies, model="deit_tiny", **at)])
    return table(["sparsity", *(f"`{name}`" for name in strategies)], rows)


def recovered() -> str:
    """Learned masks before and after fine-tuning, on each set of images and on all."""
    rows = []
    for sparsity in SPARSITIES:
        for data, name in _SETS.items():
            at = {"model": "deit_tiny", "data": data, "sparsity": sparsity, "arithmetic": "float"}
            drops = (
                drop
                for pruned in (False, True)
                for drop in _drops(["learned", _tuned(sparsity)], pruned=pruned, **at)
            )
            rows.append([masks_label(sparsity), name, *drops])
    kinds = ("nothing trained", "fine-tuned")
    heads = [f"{kind}{pruned}" for pruned in ("", ", pruned") for kind in kinds]
    return table(["sparsity", "images", *heads], rows)


def balanced() -> str:
    """Rows balanced over the banks of 8 lanes, beside the same rule without."""
    names = [name for base in ("vitcod", "learned") for name in (base, f"{base}+lanes=8")]
    rows = []
    for sparsity in SPARSITIES:
        at = {"model": "deit_tiny", "data": _FEW, "arithmetic": "float", "sparsity": sparsity}
        drops = [list(_drops(names, pruned=pruned, **at)) for pruned in (False, True)]
        rows.append([masks_label(sparsity), *map(" / ".join, zip(*drops, strict=True))])
    return table(["sparsity", *(f"`{name}`" for name in names)], rows)


def int8() -> str:
    """The hardware's integers, beside the dense float network and beside float of the same weights,
    masks and pruning: what was measured of it.
    """
    rows = []
    subjects = [(0.0, "dense", "nothing trained")]
    for sparsity in SPARSITIES:
        subjects.append((sparsity, "learned", "nothing trained"))
        subjects.append((sparsity, _tuned(sparsity), "fine-tuned"))
    for (sparsity, masks, kind), data in product(subjects, _SETS):
        at = {"model": "deit_tiny", "data": data, "sparsity": sparsity, "masks": masks}
        figures = product(("drop", "against_float"), (False, True))
        drops = [_drop(each, pruned=pruned, arithmetic="int8", **at) for each, pruned in figures]
        if any(drops):
            rows.append([masks_label(sparsity), kind, _SETS[data], *drops])
    kinds = ("against dense", "against its float")
    heads = [f"{kind}{pruned}" for kind in kinds for pruned in ("", ", pruned")]
    return table(["sparsity", "weights", "images", *heads], rows)


def headline() -> str:
    """Sparse and pruned, from the paper's rule to learned masks and weights."""

    def line(title: str, masks: str, data: str = ALL) -> list[str]:
        drops = []
        for sparsity in SPARSITIES:
            at = {"sparsity": sparsity, "pruned": True, "arithmetic": "float", "data": data}
            at["masks"] = masks.format(sparsity)
            drops += [
                f"{drop:+.1f}" for drop in select("accuracy", model="deit_tiny", **at)["drop"]
            ]
        return [title, *drops]

    return table(
        ["sparse and pruned", *map(masks_label, SPARSITIES)],
        [
            line("ViTCoD's rule, nothing trained", "vitcod", _FEW),
            line("learned masks, nothing trained", "learned"),
            line("learned masks, fine-tuned", "deit_tiny-{:g}-learned"),
        ],
    )


def digits() -> str:
    kinds = [(arithmetic, pruned) for arithmetic in ("float", "int8") for pruned in (False, True)]
    rows = []
    for sparsity in (0.0, *SPARSITIES):
        at = {"model": "vit_digits", "sparsity": sparsity}
        drops = (_drop(arithmetic=kind, pruned=pruned, **at) for kind, pruned in kinds)
        rows.append([masks_label(sparsity), *drops])
    heads = (f"{kind}{', pruned' if pruned else ''}" for kind, pruned in kinds)
    return table(["sparsity", *heads], rows)
