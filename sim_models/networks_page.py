"""`sparse-vit networks`: timm's plain networks on the presets, as a page or a table."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console

from model.masks.strategies import SPARSITY_MEANS
from model.network.names import ALL_NETWORKS, NAMES_MEAN
from rtl_gen.cli import LARGEST_SEED
from rtl_gen.errors import UserError
from rtl_gen.files import check_writable, replace_file
from rtl_gen.presets import PRESETS
from rtl_gen.progress import progress_over
from sim_models.figures.tables import Column, terminal_table, text_table
from sim_models.timm_networks import SPARSITY, TOLD, Found, Row, all_names, find, rows_of

TITLE = "Networks on the presets"

FILE_WIDTH = 200
"""Columns of tables that do not go to a terminal."""

HEADERS = (
    "network",
    "tokens",
    "layers x heads x channels",
    "FFN",
    "presets",
    "cycles, dense",
    "ms",
    f"{SPARSITY:.0%} sparse, pruned",
    "speed-up",
    "KB on chip",
    "maps",
)

INTRODUCTION = """\
# timm's plain Vision Transformers

`sparse-vit networks {chosen} --out docs/networks.md` wrote this page from timm's own models: which
preset holds which network, and what it takes there. Networks of one shape share a row. Any of them
works wherever a command takes `--model`, with changes too
(`vit_small_patch14_reg4_dinov2+img_size=224`); so does a YAML file of timm's keywords.

Cycles of one image are those of the cycle model on the first preset of the row, dense, and with
{sparsity} sparse attention (ViTCoD's rule) and the default schedule. The last column tells
where attention maps of the first network of a row, thus masks and survivors, come from: measured,
synthetic (heads drawn from DeiT-Tiny's maps) or resampled (the same, interpolated to another grid,
depth or prefix). KB on chip: the memories' words that the network uses. Seed {seed}.
"""

REFUSED = """
## Refused

{count} more in timm's modules have a part that no unit computes:

| network | what it has, and what would run |
| --- | --- |
"""

TOO_LARGE = """
## Too large for the presets

| network | tokens | layers x heads x channels | what would hold it |
| --- | --- | --- | --- |
"""


def networks(
    names: Annotated[
        list[str] | None,
        typer.Argument(help=f"Each {NAMES_MEAN}; default: the project's own."),
    ] = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="All of timm's plain ones: some minutes.")
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Of the synthetic attention maps.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Markdown page to write.")] = None,
) -> list[dict[str, Any]]:
    """Which networks fit which preset, with cycles and memory on the chip."""
    if every and names:
        raise UserError("--all names all networks: leave out either it or the names")
    if out is not None:
        check_writable(out)
    found = find(all_names() if every else names or ALL_NETWORKS)
    with progress_over(len(found.shapes), "networks") as advance:
        rows = rows_of(found, seed, advance)
    if out is None:
        _show(rows, found)
    else:
        with replace_file(out) as file:
            chosen = "--all" if every else " ".join(names or ALL_NETWORKS)
            file.write(page(rows, found, chosen, seed).encode())
        print(out)
    return [asdict(row) | {"network": row.network.as_json()} for row in rows]


def page(rows: Sequence[Row], found: Found, chosen: str, seed: int) -> str:
    """The `chosen` networks by the preset whose cycles are told, then what does not run and why."""
    parts = [INTRODUCTION.format(chosen=chosen, sparsity=f"{100 * SPARSITY:g} %", seed=seed)]
    for preset in TOLD:
        of_preset = [row for row in rows if row.presets[:1] == (preset,)]
        if of_preset:
            config = PRESETS[preset]
            about = f"{config.lanes} lanes of {config.width}, {config.max_tokens} tokens"
            parts.append(f"\n## Preset {preset}: {about}, {config.max_dim} channels\n\n")
            parts.append(_line(HEADERS) + _line(["---"] * len(HEADERS)))
            parts += [_line([_listed(row.names), *cells(row)[1:]]) for row in of_preset]
    large = [(row, row.remedy) for row in rows if row.remedy is not None]
    if large:
        parts.append(TOO_LARGE)
        parts += [_line([_listed(row.names), *cells(row)[1:3], remedy]) for row, remedy in large]
    if found.refused:
        parts.append(REFUSED.format(count=sum(map(len, found.refused.values()))))
        parts += [_line([_listed(alike), why]) for why, alike in found.refused.items()]
    return "".join(parts)


def cells(row: Row) -> list[str]:
    """A row as text, in the order of the headers."""
    network = row.network
    shape = [
        ", ".join(row.names),
        f"{network.tokens:,}",
        f"{network.layers} x {network.heads} x {network.head_dim}",
        f"{network.hidden:,}",
    ]
    if row.dense_cycles is None or row.pruned_cycles is None:
        return shape
    milliseconds = row.dense_cycles / PRESETS[row.presets[0]].frequency_mhz / 1000
    return [
        *shape,
        ", ".join(row.presets),
        f"{row.dense_cycles:,}",
        f"{milliseconds:.2f}",
        f"{row.pruned_cycles:,}",
        f"{row.dense_cycles / row.pruned_cycles:.3f}x",
        f"{row.on_chip_kb:,.0f}",
        str(row.attention_maps),
    ]


def _show(rows: Sequence[Row], found: Found) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = FILE_WIDTH
    told = [cells(row) for row in rows if row.remedy is None]
    if told:
        frame = pd.DataFrame(told, columns=HEADERS)
        columns = [Column(header, header) for header in HEADERS]
        note = "KB on chip: the memories' words that the network uses. " + SPARSITY_MEANS
        console.print(terminal_table(text_table("networks", TITLE, frame, columns, note)))
    for row in rows:
        if row.remedy is not None:
            console.print(f"{', '.join(row.names)}: {row.remedy}")
    for reason, alike in found.refused.items():
        console.print(f"{', '.join(alike)}: {reason}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |\n"
