"""The specification of a sweep: lists of choices, whose product is the grid.

Every key takes a list or a single value. See docs/sweeps.md.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, PlainValidator, PrivateAttr, field_validator

from model.attention.entry_scores import check_built_in
from model.attention.mask_source import MaskSource
from model.attention.synthetic import maps_of
from model.files.yaml_file import StrictModel
from model.masks.strategies import LEARNED, MASK_STRATEGY, MaskRule, check_reach
from model.masks.vitcod_file import read_masks
from model.network.fit import check_fit
from model.network.names import NETWORKS, get_network, is_file, timm_name
from model.network.shape import Network
from model.pruning.schedule import READINGS
from model.pruning.schedule_file import UNPRUNED
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.presets import PRESETS, get_config
from sim_models.memory import MemoryTiming
from sim_models.paper import SPARSITIES
from sim_models.sweeps.axes import (
    Axis,
    Fraction,
    MemoryAxes,
    NetworkName,
    Overrides,
    PruningChoice,
    PruningEntry,
    Seed,
    StrategyName,
    as_list,
    network_name,
    one_of,
    pruning_entry,
)
from sim_models.sweeps.point import Point, PointMasks

POINTS_LIMIT = 10_000
"""Points of a grid that somebody surely means."""

_Place = Sequence[str | int]


class SweepSpec(StrictModel):
    """What a sweep evaluates."""

    networks: Axis(NetworkName) = list(NETWORKS)
    """By name; files are relative to the spec."""
    sparsities: Annotated[list[Fraction], BeforeValidator(as_list)] = [0.0]
    """0 is dense attention."""
    strategies: Axis(StrategyName) = [MASK_STRATEGY]
    mask_files: dict[NetworkName, Annotated[list[str], BeforeValidator(as_list)]] = {}
    """ViTCoD mask files by network, beside `sparsities`; relative to the spec."""
    pruning: Axis(Annotated[PruningEntry, PlainValidator(pruning_entry)]) = [
        pruning_entry(UNPRUNED)
    ]
    presets: Axis(Annotated[str, one_of("preset", PRESETS)]) = ["default"]
    overrides: Overrides = Overrides()
    memory: MemoryAxes = MemoryAxes()
    seeds: Axis(Seed) = [0]

    _replaced: frozenset[_Place] = PrivateAttr(frozenset())
    """Places whose values are no longer those of the file."""

    @field_validator("strategies")
    @classmethod
    def _with_scores(cls, strategies: list[str], info: Any) -> list[str]:
        if any(MaskRule.named(name).strategy == LEARNED for name in strategies):
            for network in info.data.get("networks", []):
                check_built_in(network)
        return strategies

    @field_validator("mask_files", mode="before")
    @classmethod
    def _each_network_once(cls, files: Any) -> Any:
        names = [network_name(name) for name in files] if isinstance(files, dict) else []
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} stands twice, under different names: keep one")
        return files

    @field_validator("mask_files")
    @classmethod
    def _of_listed_networks(cls, files: dict, info: Any) -> dict:
        missing = [name for name in files if name not in info.data.get("networks", files)]
        if missing:
            raise ValueError(f"{missing[0]} is not among the networks: add it there")
        return files

    def replaced(
        self,
        *,
        presets: list[str] | None = None,
        memory: Mapping[str, list[int | None]] | None = None,
        seeds: list[int] | None = None,
    ) -> Self:
        """The specification with values from elsewhere in place of the file's."""
        memory = memory or {}
        axes = {name: value for name, value in (("presets", presets), ("seeds", seeds)) if value}
        places = [(name,) for name in axes] + [("memory", name) for name in memory]
        changes = {**axes, "memory": self.memory.model_copy(update=memory)}
        changed = self.model_copy(update=changes)
        changed._replaced = self._replaced.union(places)
        return changed

    @property
    def size(self) -> int:
        """Points of the grid, those counted that it holds twice."""
        overrides = math.prod(len(values) for _, values in self.overrides if values)
        memories = len(self.memory.latency) * len(self.memory.rate)
        sparse = [sparsity for sparsity in self.sparsities if sparsity]
        made = len(sparse) * len(self.strategies) + (len(sparse) < len(self.sparsities))
        masks = sum(made + len(self.mask_files.get(name, [])) for name in self.networks)
        schedules = sum(entry.size for entry in self.pruning)
        machines = len(self.presets) * overrides
        return machines * memories * masks * schedules * len(self.seeds)

    def points(self, folder: Path = Path(), limit: int = POINTS_LIMIT) -> list[Point]:
        """The grid, each point once; mask files are relative to `folder`.

        Raises:
            UserError: more than `limit` points or none, a combination that no hardware can have or
                no network fits, a mask file that cannot be used.
        """
        if self.size > limit:
            raise UserError(
                f"the grid has {self.size:,} points, more than {limit:,}: name fewer values, or "
                f"allow as many with --points-limit {self.size}"
            )
        if not self.size:
            with self._at(("sparsities",)):
                raise UserError("the sweep has no points: name sparsities or mask files")
        machines, memories = list(self._machines()), list(self._memories())
        networks = list(self._networks(folder))
        for (index, network), config in product(enumerate(networks), machines):
            with self._at(("networks", index), ("presets",), ("overrides",)):
                check_fit(config, network)
        choices = list(self._choices(networks))
        masks = [
            self._masks(name, network, folder)
            for name, network in zip(self.networks, networks, strict=True)
        ]
        points = [
            Point(
                network=network,
                masks=source,
                schedule=choice.of(network),
                config=config,
                memory=memory,
                seed=seed,
            )
            for network, sources in zip(networks, masks, strict=True)
            for config, memory, seed in product(machines, memories, self.seeds)
            for source, choice in product(sources, choices)
        ]
        return list(dict.fromkeys(points))

    @contextmanager
    def _at(self, *places: _Place) -> Iterator[None]:
        """Errors of the block name the first of the places that the file has."""
        try:
            yield
        except UserError as error:
            for place in places:
                own = all(place[: len(other)] != other for other in self._replaced)
                if own and self.source is not None and self.source.has(place):
                    raise self.source.error_at(str(error), place) from error
            raise

    def _networks(self, folder: Path) -> Iterator[Network]:
        for index, name in enumerate(self.networks):
            with self._at(("networks", index), ("networks",)):
                yield get_network(str(folder / name) if is_file(name) else name)

    def _machines(self) -> Iterator[AcceleratorConfig]:
        replaced = {name: values for name, values in self.overrides if values}
        for index, preset in enumerate(self.presets):
            for values in product(*replaced.values()):
                given = dict(zip(replaced, values, strict=True))
                with self._at(*_culprits(preset, given), ("overrides",), ("presets", index)):
                    yield get_config(preset, **given)

    def _memories(self) -> Iterator[MemoryTiming]:
        widest = get_config("default")
        for index, latency in enumerate(self.memory.latency):
            with self._at(("memory", "latency", index)):
                MemoryTiming(latency).bytes_a_cycle(widest)
        for index, rate in enumerate(self.memory.rate):
            with self._at(("memory", "rate", index)):
                MemoryTiming(rate=rate).bytes_a_cycle(widest)
        for latency, rate in product(self.memory.latency, self.memory.rate):
            yield MemoryTiming(latency, rate)

    def _choices(self, networks: Sequence[Network]) -> Iterator[PruningChoice]:
        for index, entry in enumerate(self.pruning):
            with self._at(("pruning", index)):
                for choice in entry.choices():
                    for network in networks:
                        choice.of(network).layer_tokens(network)
                    yield choice

    def _masks(self, own: str, network: Network, folder: Path) -> list[PointMasks | None]:
        sources: list[PointMasks | None] = []
        for index, sparsity in enumerate(self.sparsities):
            with self._at(("sparsities", index)):
                check_reach(
                    sparsity, network.tokens, network.prefix_tokens, lambda: self._maps(network)
                )
            for strategy in self.strategies:
                source = MaskSource(sparsity=sparsity, strategy=strategy)
                made = PointMasks(name=strategy, source=source)
                sources.append(None if source.dense else made)
        for index, name in enumerate(self.mask_files.get(own, [])):
            keys = (own, timm_name(network))
            with self._at(*(("mask_files", key, index) for key in keys), ("mask_files",)):
                path = folder / name
                read_masks(path, network)
                sources.append(PointMasks.of_file(name, path))
        return sources

    def _maps(self, network: Network) -> Iterator[Any]:
        return (maps_of(network, seed).maps for seed in self.seeds)


def _culprits(preset: str, given: Mapping[str, int]) -> Iterator[_Place]:
    """Overrides without which the others would be possible."""
    for name in given:
        try:
            get_config(preset, **{key: value for key, value in given.items() if key != name})
        except UserError:
            continue
        yield "overrides", name


STANDARD = SweepSpec(sparsities=[0.0, *SPARSITIES], pruning=[UNPRUNED, *READINGS])
"""The paper's grid, by every reading of its schedule."""
