"""Tables of accuracies."""

from collections.abc import Iterable, Iterator

import pandas as pd

from scripts.documents.cells import SPARSITIES, masks_label, select, value
from scripts.documents.markdown import table


def _drop(row: pd.Series, figure: str = "drop") -> str:
    return f"{row[figure]:+.2f} ± {row[f'{figure}_standard_error']:.2f}"


def _drops(labels: Iterable[str], **where: object) -> Iterator[str]:
    for label in labels:
        found = select("accuracy", masks=label, **where)
        yield _drop(found.iloc[0])


def accuracy(*, pruned: bool) -> str:
    strategies = ("vitcod", "layer_threshold", "row_topk", "learned")
    rows = []
    for sparsity in SPARSITIES:
        at = {"model": "deit_tiny", "arithmetic": "float", "pruned": pruned, "sparsity": sparsity}
        tuned = f"deit_tiny-{sparsity:g}-learned"
        rows.append([masks_label(sparsity), *_drops([*strategies, tuned], **at)])
    names = (f"`{name}`" for name in strategies)
    return table(["sparsity", *names, "`learned`, fine-tuned"], rows)


def balanced() -> str:
    """Rows balanced over the banks of 8 lanes, beside the same rule without."""
    names = [name for base in ("vitcod", "learned") for name in (base, f"{base}+lanes=8")]
    rows = []
    for sparsity in SPARSITIES:
        at = {"model": "deit_tiny", "arithmetic": "float", "sparsity": sparsity}
        drops = [list(_drops(names, pruned=pruned, **at)) for pruned in (False, True)]
        rows.append([masks_label(sparsity), *map(" / ".join, zip(*drops, strict=True))])
    return table(["sparsity", *(f"`{name}`" for name in names)], rows)


def int8() -> str:
    rows = []
    for sparsity in (0.0, *SPARSITIES):
        line = [masks_label(sparsity)]
        for masks in ("learned", f"deit_tiny-{sparsity:g}-learned"):
            for pruned in (False, True):
                at = {"sparsity": sparsity, "pruned": pruned, "arithmetic": "int8"}
                name = masks if sparsity else "dense"
                found = select("accuracy", model="deit_tiny", masks=name, **at)
                known = sparsity or masks == "learned"
                line.append(_drop(found.iloc[0], "against_float") if known else "")
        rows.append(line)
    kinds = ("`learned`", "`learned`, pruned", "fine-tuned", "fine-tuned, pruned")
    return table(["sparsity", *kinds], rows)


def headline() -> str:
    """Sparse and pruned, from the paper's rule to the hardware's integers."""

    def line(title: str, masks: str, arithmetic: str) -> list[str]:
        drops = []
        for sparsity in SPARSITIES:
            at = {"sparsity": sparsity, "pruned": True, "arithmetic": arithmetic}
            at["masks"] = masks.format(sparsity)
            drops.append(f"{value('accuracy', 'drop', model='deit_tiny', **at):+.1f}")
        return [title, *drops]

    return table(
        ["sparse and pruned", *map(masks_label, SPARSITIES)],
        [
            line("ViTCoD's rule, nothing trained", "vitcod", "float"),
            line("learned masks, nothing trained", "learned", "float"),
            line("learned masks, fine-tuned", "deit_tiny-{:g}-learned", "float"),
            line("the same in the hardware's integers", "deit_tiny-{:g}-learned", "int8"),
        ],
    )


def digits() -> str:
    kinds = [(arithmetic, pruned) for arithmetic in ("float", "int8") for pruned in (False, True)]
    rows = []
    for sparsity in (0.0, *SPARSITIES):
        of = select("accuracy", model="vit_digits", sparsity=sparsity)
        cells = (of[(of.arithmetic == kind) & (of.pruned == pruned)] for kind, pruned in kinds)
        rows.append([masks_label(sparsity), *(_drop(cell.iloc[0]) for cell in cells)])
    heads = (f"{kind}{', pruned' if pruned else ''}" for kind, pruned in kinds)
    return table(["sparsity", *heads], rows)
