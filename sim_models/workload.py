"""Images of a network, one a core, with masks, schedule, surviving tokens, and what they cost."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from model.network.shape import Network
from model.pruning.schedule import NO_PRUNING, Schedule
from rtl_gen.config import AcceleratorConfig
from sim_models.activity import Activity, network_activity
from sim_models.macs import kept_entries, network_macs
from sim_models.memory import DEFAULT_MEMORY, MemoryTiming
from sim_models.network import (
    NetworkCycles,
    NetworkRun,
    assumed_live,
    cycles_of,
    network_cycles,
    run_network,
)


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What the accelerator is given, as far as it matters to time."""

    network: Network
    masks: np.ndarray | None
    """Kept entries, bool (layers, heads, n, n); None for dense attention."""
    schedule: Schedule
    live: np.ndarray
    """Tokens live in the attention of every layer, bool (layers, n), of every image."""

    @classmethod
    def assumed(
        cls,
        network: Network,
        masks: np.ndarray | None,
        schedule: Schedule,
        maps: Callable[[], np.ndarray],
    ) -> Self:
        """With the survivors that averaged attention `maps` (layers, heads, n, n) lead to.

        They are asked for if the schedule prunes.

        Raises:
            UserError: maps or masks of another network, a schedule that it cannot have.
        """
        if schedule.prunes(network):
            live = assumed_live(network, maps(), masks, schedule)
        else:
            live = np.ones((network.layers, network.tokens), dtype=np.bool_)
        return cls(network=network, masks=masks, schedule=schedule, live=live)

    def dense(self) -> Self:
        """The same network without masks and pruning."""
        return replace(
            self, masks=None, schedule=NO_PRUNING, live=np.ones(self.live.shape, dtype=np.bool_)
        )

    def cycles(
        self, config: AcceleratorConfig, memory: MemoryTiming = DEFAULT_MEMORY
    ) -> NetworkCycles:
        """Cycles by operation; errors are those of `run_network`."""
        return network_cycles(
            config,
            self.network,
            masks=self.masks,
            schedule=self.schedule,
            live=self.live,
            memory=memory,
        )

    def run(self, config: AcceleratorConfig, memory: MemoryTiming = DEFAULT_MEMORY) -> NetworkRun:
        """Every command with its first and last cycle."""
        return run_network(
            config,
            self.network,
            masks=self.masks,
            schedule=self.schedule,
            live=self.live,
            memory=memory,
        )

    def macs(self) -> dict[str, int]:
        """Multiply-accumulates by operation."""
        entries = int(kept_entries(self.network, self.masks, self.live))
        return network_macs(self.network, self.schedule.layer_tokens(self.network), entries)


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """A workload on a machine, by the cycle model."""

    config: AcceleratorConfig
    workload: Workload
    cycles: NetworkCycles
    macs: dict[str, int]
    """Multiply-accumulates of an image by operation."""
    activity: Activity
    """What costs energy, traffic over the memory port included, of all images."""

    @property
    def milliseconds(self) -> float:
        """From start to done at the configuration's clock."""
        return self.cycles.total / self.config.frequency_mhz / 1000

    @property
    def images_per_second(self) -> float:
        """At the configuration's clock, with an image for every core."""
        return 1000 * self.config.cores / self.milliseconds

    @property
    def array_utilisation(self) -> float:
        """Multiply-accumulates / (multipliers x cycles), from start to done, of any core."""
        return sum(self.macs.values()) / (self.config.macs * self.cycles.total)

    @property
    def attention_utilisation(self) -> float:
        """The same of QK^T and PV alone, in the cycles in which attention is at work."""
        return self.macs["attention"] / (self.config.macs * self.cycles.attention.total)


def simulate(
    config: AcceleratorConfig, workload: Workload, memory: MemoryTiming = DEFAULT_MEMORY
) -> Simulation:
    """Run a workload; errors are those of `run_network`."""
    run = workload.run(config, memory)
    cycles = cycles_of(config, run)
    return Simulation(
        config=config,
        workload=workload,
        cycles=cycles,
        macs=workload.macs(),
        activity=network_activity(config, run.steps, cycles.counters),
    )
