"""The axes of a sweep: lists of choices, or single ones, that a file names key by key."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import product
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, create_model

from model.files.changes import MARK
from model.files.yaml_file import StrictModel, choose, first_message
from model.masks.strategies import STRATEGY_NAMES, MaskRule
from model.network.names import get_network, is_file
from model.network.shape import Network
from model.pruning.placement import Placement
from model.pruning.schedule import (
    DEFAULT_SCHEDULE,
    Interpolation,
    ListedSchedule,
    Meaning,
    PruningSchedule,
    Schedule,
)
from model.pruning.schedule_file import NAMED
from rtl_gen.cli import LARGEST_SEED
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from sim_models.memory import DEFAULT_MEMORY

LARGEST = 2**31 - 1
"""Of whole numbers; no machine has larger ones."""


def as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def one_of(kind: str, known: Iterable[str]) -> BeforeValidator:
    return BeforeValidator(lambda name: choose(kind, name, list(known)))


def network_name(name: Any) -> str:
    """The name that a network has in results; that of a file, which may lie anywhere, as it is."""
    if is_file(str(name)):
        return str(name)
    try:
        return get_network(str(name)).name
    except UserError as error:
        raise ValueError(str(error)) from error


def strategy_name(name: Any) -> str:
    """A strategy of masks as it is written, with or without the lanes that it balances."""
    choose("strategy", str(name).partition(MARK)[0], STRATEGY_NAMES)
    try:
        MaskRule.named(str(name))
    except UserError as error:
        raise ValueError(str(error)) from error
    return str(name)


Whole = Annotated[int, Field(strict=True, ge=0, le=LARGEST)]
Seed = Annotated[int, Field(strict=True, ge=0, le=LARGEST_SEED)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
NetworkName = Annotated[str, BeforeValidator(network_name)]
StrategyName = Annotated[str, BeforeValidator(strategy_name)]


def Axis(item: Any) -> Any:  # noqa: N802 - reads as a type
    """One or more values of type `item`."""
    return Annotated[list[item], BeforeValidator(as_list), Field(min_length=1)]


Placements = Axis(Annotated[str, one_of("placement", Placement)])


@dataclass(frozen=True)
class PruningChoice:
    """A schedule, as it is or fitted to the depth of a network."""

    schedule: Schedule
    fits: bool

    def of(self, network: Network) -> Schedule:
        """The network's; one that drops nothing is that of no pruning."""
        schedule = self.schedule.fitted(network) if self.fits else self.schedule
        return schedule.or_none(network)


@dataclass(frozen=True)
class NamedSchedule:
    """A schedule by its name."""

    name: str
    size: int = 1

    def choices(self) -> Iterator[PruningChoice]:
        yield PruningChoice(NAMED[self.name], fits=True)


class ScheduleAxes(StrictModel):
    """Schedules of pruning, one for each combination; defaults are the default schedule's.

    Without `first_layer`, a network of another depth than DeiT's leaves the same fraction whole.
    """

    start: Axis(Fraction) = [DEFAULT_SCHEDULE.start]
    end: Axis(Fraction) = [DEFAULT_SCHEDULE.end]
    first_layer: Axis(Whole | None) = [None]
    interpolation: Axis(Annotated[str, one_of("interpolation", Interpolation)]) = [
        DEFAULT_SCHEDULE.interpolation.value
    ]
    meaning: Axis(Annotated[str, one_of("meaning", Meaning)]) = [DEFAULT_SCHEDULE.meaning.value]
    placement: Placements = [DEFAULT_SCHEDULE.placement.value]

    @property
    def size(self) -> int:
        return math.prod(len(values) for _, values in self)

    def choices(self) -> Iterator[PruningChoice]:
        names = type(self).model_fields
        for values in product(*(getattr(self, name) for name in names)):
            given = dict(zip(names, values, strict=True))
            fits = given["first_layer"] is None
            if fits:
                given["first_layer"] = DEFAULT_SCHEDULE.first_layer
            yield PruningChoice(PruningSchedule(**given), fits)


def _as_lists(value: Any) -> Any:
    several = isinstance(value, list) and all(isinstance(item, list) for item in value)
    return value if several else [value]


class ListedAxes(StrictModel):
    """Schedules that name the patch tokens of every layer: a list, or several."""

    kept: Annotated[list[list[Whole]], BeforeValidator(_as_lists), Field(min_length=1)]
    placement: Placements = [DEFAULT_SCHEDULE.placement.value]

    @property
    def size(self) -> int:
        return len(self.kept) * len(self.placement)

    def choices(self) -> Iterator[PruningChoice]:
        for kept, placement in product(self.kept, self.placement):
            yield PruningChoice(ListedSchedule(kept=tuple(kept), placement=placement), fits=False)


PruningEntry = NamedSchedule | ScheduleAxes | ListedAxes


def pruning_entry(choice: Any) -> PruningEntry:
    """What an entry of `pruning` stands for: a name, or a mapping of axes."""
    if not isinstance(choice, dict):
        return NamedSchedule(choose("schedule", choice, list(NAMED)))
    axes = ListedAxes if "kept" in choice else ScheduleAxes
    try:
        return axes.model_validate(choice)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise ValueError(": ".join(filter(None, (place, first_message(error))))) from error


Overrides = create_model(
    "Overrides",
    __base__=StrictModel,
    **{
        name: (Axis(Whole), Field(default=[]))
        for name in [item.name for item in fields(AcceleratorConfig)]
    },
)
"""Values that replace a preset's."""


class MemoryAxes(StrictModel):
    """The memory behind the port."""

    latency: Axis(Whole) = [DEFAULT_MEMORY.latency]
    """Cycles from an address to its first beat."""
    rate: Axis(Whole | None) = [DEFAULT_MEMORY.rate]
    """Bytes a cycle; null: the port's width."""
