"""Checkpoints of a run: a safetensors file that continues it, bit by bit on a CPU.

Tensors: `student/<name>` and `average/<name>` as in timm's state dict, `optimizer/<index>/<name>`
as in AdamW's, and `history` (steps, columns) in float64. The header's only entry is JSON with the
settings of the run, which a run that continues must share.
"""

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from model.files import replace_file
from model.finetune.trainer import COLUMNS, Trainer
from rtl_gen.errors import UserError

HEADER = "finetune"
"""One metadata entry: several would stand in a random order."""


def save(path: Path, trainer: Trainer, settings: dict[str, Any]) -> None:
    """Write where the run stands; an older checkpoint stays until the new one is whole."""
    tensors = {f"student/{name}": value for name, value in trainer.student.state_dict().items()}
    for name, value in trainer.average.module.state_dict().items():
        tensors[f"average/{name}"] = value
    for index, values in trainer.optimizer.state_dict()["state"].items():
        for name, value in values.items():
            tensors[f"optimizer/{index}/{name}"] = value
    tensors["history"] = torch.tensor(trainer.history, dtype=torch.float64)
    contents = safetensors.torch.save(tensors, {HEADER: json.dumps(settings, sort_keys=True)})
    with replace_file(path) as file:
        file.write(contents)


def resume(path: Path, trainer: Trainer, settings: dict[str, Any]) -> None:
    """Bring a new trainer to where the run of a checkpoint stands.

    Raises:
        UserError: an unreadable file, another kind of file, or a run of other settings.
    """
    expected = "expected a checkpoint written by `python -m model finetune`; --fresh starts anew"
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
    kinds = [int if column in ("step", "pruned") else float for column in COLUMNS]
    trainer.history[:] = [
        tuple(kind(value) for kind, value in zip(kinds, row, strict=True))
        for row in tensors["history"].tolist()
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
