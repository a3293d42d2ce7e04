"""The specification of a sweep: lists of choices, whose product is the grid.

Every key takes a list or a single value. See docs/sweeps.md.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationError,
    create_model,
    field_validator,
)

from model.entry_scores import check_built_in
from model.fit import check_fit
from model.masks import LEARNED, STRATEGY_NAMES
from model.networks import ALL_NETWORKS, NETWORKS, Network
from model.schedule import (
    DEFAULT_SCHEDULE,
    NO_PRUNING,
    READINGS,
    Interpolation,
    ListedSchedule,
    Meaning,
    Placement,
    PruningSchedule,
    Schedule,
)
from model.schedule_file import NAMED, UNPRUNED
from model.vitcod_io import read_masks
from rtl_gen.config import PRESETS, AcceleratorConfig, get_config
from rtl_gen.errors import UserError
from sim_models.memory import DEFAULT_MEMORY, MemoryTiming
from sim_models.paper import MASK_STRATEGY, SPARSITIES
from sim_models.sweeps.point import MaskSource, Point
from sim_models.sweeps.yaml_file import StrictModel, choose, first_message


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _as_lists(value: Any) -> Any:
    several = isinstance(value, list) and all(isinstance(item, list) for item in value)
    return value if several else [value]


def _one_of(kind: str, known: Iterable[str]) -> BeforeValidator:
    return BeforeValidator(lambda name: choose(kind, name, list(known)))


Whole = Annotated[int, Field(strict=True)]
Sparsity = Annotated[float, Field(ge=0, lt=1)]


def Axis(item: Any) -> Any:  # noqa: N802 - reads as a type
    """One or more values of type `item`."""
    return Annotated[list[item], BeforeValidator(_as_list), Field(min_length=1)]


Placements = Axis(Annotated[str, _one_of("placement", Placement)])


class ScheduleAxes(StrictModel):
    """Schedules of pruning, one for each combination; defaults are the default schedule's.

    Without `first_layer`, a network of another depth than DeiT's leaves the same fraction whole.
    """

    start: Axis(float) = [DEFAULT_SCHEDULE.start]
    end: Axis(float) = [DEFAULT_SCHEDULE.end]
    first_layer: Axis(Whole | None) = [None]
    interpolation: Axis(Annotated[str, _one_of("interpolation", Interpolation)]) = [
        DEFAULT_SCHEDULE.interpolation.value
    ]
    meaning: Axis(Annotated[str, _one_of("meaning", Meaning)]) = [DEFAULT_SCHEDULE.meaning.value]
    placement: Placements = [DEFAULT_SCHEDULE.placement.value]

    def choices(self) -> Iterator["PruningChoice"]:
        names = type(self).model_fields
        for values in product(*(getattr(self, name) for name in names)):
            given = dict(zip(names, values, strict=True))
            fits = given["first_layer"] is None
            if fits:
                given["first_layer"] = DEFAULT_SCHEDULE.first_layer
            yield PruningChoice(PruningSchedule(**given), fits)


class ListedAxes(StrictModel):
    """Schedules that name the patch tokens of every layer: a list, or several."""

    kept: Annotated[list[list[Whole]], BeforeValidator(_as_lists), Field(min_length=1)]
    placement: Placements = [DEFAULT_SCHEDULE.placement.value]

    def choices(self) -> Iterator["PruningChoice"]:
        for kept, placement in product(self.kept, self.placement):
            yield PruningChoice(ListedSchedule(kept=tuple(kept), placement=placement), fits=False)


@dataclass(frozen=True)
class PruningChoice:
    """A schedule, as it is or fitted to the depth of a network."""

    schedule: Schedule
    fits: bool

    def of(self, network: Network) -> Schedule:
        return self.schedule.fitted(network) if self.fits else self.schedule


def _choices(choice: Any) -> list[PruningChoice]:
    if not isinstance(choice, dict):
        name = choose("schedule", choice, list(NAMED))
        return [PruningChoice(NAMED[name], fits=name != UNPRUNED)]
    axes = ListedAxes if "kept" in choice else ScheduleAxes
    try:
        return list(axes.model_validate(choice).choices())
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


class SweepSpec(StrictModel):
    """What a sweep evaluates."""

    networks: Axis(Annotated[str, _one_of("network", ALL_NETWORKS)]) = list(NETWORKS)
    sparsities: Annotated[list[Sparsity], BeforeValidator(_as_list)] = [0.0]
    """0 is dense attention."""
    strategies: Axis(Annotated[str, _one_of("strategy", STRATEGY_NAMES)]) = [MASK_STRATEGY]
    mask_files: dict[
        Annotated[str, _one_of("network", ALL_NETWORKS)],
        Annotated[list[str], BeforeValidator(_as_list)],
    ] = {}
    """ViTCoD mask files by network, beside `sparsities`; relative to the spec."""
    pruning: Axis(Annotated[list[PruningChoice], PlainValidator(_choices)]) = [_choices(UNPRUNED)]
    presets: Axis(Annotated[str, _one_of("preset", PRESETS)]) = ["default"]
    overrides: Overrides = Overrides()
    memory: MemoryAxes = MemoryAxes()
    seeds: Axis(Annotated[int, Field(ge=0)]) = [0]

    @field_validator("strategies")
    @classmethod
    def _with_scores(cls, strategies: list[str], info: Any) -> list[str]:
        if LEARNED in strategies:
            for network in info.data.get("networks", []):
                check_built_in(network)
        return strategies

    @field_validator("mask_files")
    @classmethod
    def _of_listed_networks(cls, files: dict, info: Any) -> dict:
        missing = [name for name in files if name not in info.data.get("networks", files)]
        if missing:
            raise ValueError(f"{missing[0]} is not among the networks: add it there")
        return files

    def points(self, folder: Path = Path()) -> list[Point]:
        """The grid, each point once; mask files are relative to `folder`.

        Raises:
            UserError: a combination that no hardware can have or no network fits, a mask file that
                cannot be used, no point at all.
        """
        masks = {name: self._masks(name, folder) for name in self.networks}
        choices = [choice for entry in self.pruning for choice in entry]
        machines = list(self._machines())
        memories = [MemoryTiming(*pair) for pair in product(self.memory.latency, self.memory.rate)]
        for config, memory in product(machines, memories):
            memory.bytes_a_cycle(config)
        for network in self.networks:
            for config in machines:
                check_fit(config, ALL_NETWORKS[network])
            for choice in choices:
                choice.of(ALL_NETWORKS[network]).layer_tokens(ALL_NETWORKS[network])
        points = [
            Point(
                network=network,
                masks=source,
                schedule=choice.of(ALL_NETWORKS[network]),
                config=config,
                memory=memory,
                seed=seed,
            )
            for network in self.networks
            for config, memory, seed in product(machines, memories, self.seeds)
            for source, choice in product(masks[network], choices)
        ]
        if not points:
            raise UserError("the sweep has no points: name sparsities or mask files")
        return list(dict.fromkeys(points))

    def _machines(self) -> Iterator[AcceleratorConfig]:
        replaced = {name: values for name, values in self.overrides if values}
        for preset, values in product(self.presets, product(*replaced.values())):
            yield get_config(preset, **dict(zip(replaced, values, strict=True)))

    def _masks(self, network: str, folder: Path) -> list[MaskSource | None]:
        sources: list[MaskSource | None] = []
        for sparsity, strategy in product(self.sparsities, self.strategies):
            made = MaskSource(name=strategy, sparsity=sparsity)
            sources.append(None if sparsity == 0 else made)
        for name in self.mask_files.get(network, []):
            path = folder / name
            read_masks(path, ALL_NETWORKS[network])
            sources.append(MaskSource.of_file(name, path))
        return sources


STANDARD = SweepSpec(sparsities=[0.0, *SPARSITIES], pruning=[UNPRUNED, *READINGS])
"""The paper's grid, by every reading of its schedule."""


def pruning_label(schedule: Schedule, network: Network) -> str:
    """The name of a schedule, all tokens that it lists, or what differs from the default."""
    if schedule == NO_PRUNING:
        return UNPRUNED
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
