"""Schedules by name or from a file, and the file.

A schedule file is JSON, which a search writes and every language reads; comments that YAML would
allow have their place in `provenance`:

    {"network": "deit_tiny", "kept": [196, ...], "placement": "after_attention", "provenance": {}}

    network     what it was made for; it fits every network of as many layers and patches
    kept        patch tokens (the prefix not counted) that leave each layer
    placement   as in `Placement`; may be left out
    provenance  whatever else is known of it; may be left out
"""

from pathlib import Path
from typing import Any, cast

from model.files.yaml_file import StrictModel, read_model
from model.network.shape import Network
from model.pruning.placement import Placement
from model.pruning.schedule import (
    NO_PRUNING,
    READINGS,
    SEARCHED_SCHEDULE,
    ListedSchedule,
    Schedule,
)
from rtl_gen.errors import UserError
from rtl_gen.json_file import write_json

UNPRUNED = "none"
SEARCHED = "searched"
SUFFIX = ".json"

NAMED: dict[str, Schedule] = {UNPRUNED: NO_PRUNING, **READINGS, SEARCHED: SEARCHED_SCHEDULE}
"""Every schedule that has a name."""

DEFAULT_NAME = next(iter(READINGS))


class _Content(StrictModel):
    """A file's."""

    network: str
    kept: list[int]
    placement: str = Placement.AFTER_ATTENTION.value
    provenance: dict[str, Any] = {}


def schedule_of(name: str, network: Network) -> Schedule:
    """The schedule of a name or of a schedule file, fitted to a network.

    Raises:
        UserError: an unknown name, an unreadable file, or a schedule that the network cannot have.
    """
    if name in NAMED:
        schedule, source = NAMED[name].fitted(network), name
    elif name.endswith(SUFFIX) or Path(name).is_file():
        schedule, source = read_schedule(Path(name)), f"schedule file {name}"
    else:
        raise UserError(
            f"unknown schedule {name!r}: expected one of {', '.join(NAMED)}, or a {SUFFIX} file "
            "written by search-schedule"
        )
    try:
        schedule.layer_tokens(network)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    return schedule


def schedule_name(name: str | None, *, prune: bool) -> str:
    """The schedule that a command runs: the one that it was given, the default one or none.

    Raises:
        UserError: a schedule that shall not prune.
    """
    if name is None:
        return DEFAULT_NAME if prune else UNPRUNED
    if not prune and name != UNPRUNED:
        raise UserError(f"schedule {name} prunes: leave out either --schedule or --no-prune")
    return name


def schedule_label(name: str) -> str:
    """What stands for a schedule in the names of results."""
    return {UNPRUNED: "0", DEFAULT_NAME: "1"}.get(name, Path(name).stem)


def read_schedule(path: Path) -> ListedSchedule:
    """The schedule of a file.

    Raises:
        UserError: no such file, or one of another kind.
    """
    if not path.is_file():
        raise UserError(f"no schedule file {path}: name an existing file or a schedule")
    content = read_model(path, _Content, "JSON")
    try:
        # Which says whether it is one.
        placement = cast(Placement, content.placement)
        return ListedSchedule(kept=tuple(content.kept), placement=placement)
    except UserError as error:
        assert content.source is not None
        known = content.placement in list(Placement)
        raise content.source.error_at(str(error), ("kept" if known else "placement",)) from error


def write_schedule(
    path: Path, network: Network, schedule: ListedSchedule, provenance: dict[str, Any]
) -> None:
    content = _Content(
        network=network.name,
        kept=list(schedule.kept),
        placement=schedule.placement.value,
        provenance=provenance,
    )
    write_json(path, content.model_dump())
