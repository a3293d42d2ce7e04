"""What names the pruning of a point in the files of a sweep."""

from collections.abc import Iterable
from dataclasses import fields

from model.network.shape import Network
from model.pruning.schedule import (
    DEFAULT_SCHEDULE,
    ListedSchedule,
    PruningSchedule,
    Schedule,
)
from model.pruning.schedule_file import NAMED


def pruning_label(schedule: Schedule, network: Network) -> str:
    """The name of a schedule, all tokens that it lists, or what differs from the default."""
    for name, named in NAMED.items():
        if schedule == named.fitted(network):
            return name
    if isinstance(schedule, ListedSchedule):
        kept = "/".join(map(str, schedule.kept))
        return " ".join([f"kept={kept}", *_differences(schedule, DEFAULT_SCHEDULE, ["placement"])])
    names = [item.name for item in fields(PruningSchedule)]
    return " ".join(_differences(schedule, DEFAULT_SCHEDULE.fitted(network), names))


def _differences(schedule: Schedule, default: Schedule, names: Iterable[str]) -> list[str]:
    return [
        f"{name}={getattr(schedule, name)}"
        for name in names
        if getattr(schedule, name) != getattr(default, name)
    ]
