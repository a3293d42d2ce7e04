"""Checkpoints of a run: a safetensors file that continues it, bit by bit on a CPU.

Tensors: `student/<name>` and `average/<name>` as in timm's state dict, `optimizer/<index>/<name>`
as in AdamW's, `history` (steps, columns) in float64 and, of a run that holds images back,
`validation` (measurements, columns) likewise. The header's only entry is JSON with the settings of
the run, which a run that continues must share.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from model.finetune.trainer import COLUMNS, Trainer
from model.finetune.validation import COLUMNS as MEASURED_COLUMNS
from model.finetune.validation import Validation
from rtl_gen.errors import UserError
from rtl_gen.files import replace_file

HEADER = "finetune"
"""One metadata entry: several would stand in a random order."""

INTEGERS = frozenset({"step", "pruned", "held_back"})
"""Columns of whole numbers."""


def save(
    path: Path,
    trainer: Trainer,
    settings: dict[str, Any],
    validation: Validation | None = None,
) -> None:
    """Write where the run stands; an older checkpoint stays until the new one is whole."""
    tensors = {f"student/{name}": value for name, value in trainer.student.state_dict().items()}
    for name, value in trainer.average.module.state_dict().items():
        tensors[f"average/{name}"] = value
    for index, values in trainer.optimizer.state_dict()["state"].items():
        for name, value in values.items():
            tensors[f"optimizer/{index}/{name}"] = value
    tensors["history"] = torch.tensor(trainer.history, dtype=torch.float64)
    if validation is not None:
        tensors["validation"] = torch.tensor(validation.history, dtype=torch.float64)
    contents = safetensors.torch.save(tensors, {HEADER: json.dumps(settings, sort_keys=True)})
    with replace_file(path) as file:
        file.write(contents)


def resume(
    path: Path,
    trainer: Trainer,
    settings: dict[str, Any],
    validation: Validation | None = None,
) -> None:
    """Bring a new trainer to where the run of a checkpoint stands.

    Raises:
        UserError: an unreadable file, another kind of file, or a run of other settings.
    """
    expected = "expected a checkpoint written by `sparse-vit finetune`; --fresh starts anew"
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(HEADER)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(f"checkpoint {path} is unreadable ({error}): {expected}") from error
    if header is None:
        raise UserError(f"{path} is no checkpoint: {expected}")
    _check_settings(path, json.loads(header), settings)
    trainer.student.load_state_dict(_part(tensors, "student"))
    trainer.average.module.load_state_dict(_part(tensors, "average"))
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _part(tensors, "optimizer").items():
        index, key = name.split("/")
        state.setdefault(int(index), {})[key] = value
    groups = trainer.optimizer.state_dict()["param_groups"]
    trainer.optimizer.load_state_dict({"state": state, "param_groups": groups})
    trainer.history[:] = _rows(tensors["history"], COLUMNS)
    if validation is not None:
        validation.history[:] = _rows(tensors["validation"], MEASURED_COLUMNS)


def _rows(table: Tensor, columns: Sequence[str]) -> list[tuple[float, ...]]:
    kinds = [int if column in INTEGERS else float for column in columns]
    return [
        tuple(kind(value) for kind, value in zip(kinds, row, strict=True)) for row in table.tolist()
    ]


def _check_settings(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name in sorted(wanted.keys() | found.keys()):
        if found.get(name) != wanted.get(name):
            raise UserError(
                f"checkpoint {path} is of another run: its {name} is {found.get(name)}, this "
                f"run's {wanted.get(name)}; choose the same settings, another --out, or --fresh"
            )


def _part(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    prefix = f"{part}/"
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
