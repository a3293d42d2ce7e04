"""Cycles of every layer by the tokens that enter and leave it, from runs of the cycle model.

A layer's time has two parts: until its last head's attention ends, by the tokens that enter, and
from there to the end of its FFN, by those that leave. A run in which every layer leaves as many
tokens gives both parts of all layers, and one run is made for every number of tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from model.network.shape import Network
from model.pruning.schedule import ListedSchedule, Schedule
from sim_models.figures.workload import Setting
from sim_models.network import NetworkRun
from sim_models.workload import Workload


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What cycles depend on beside the schedule."""

    setting: Setting
    network: Network
    masks: np.ndarray | None
    """Kept entries, bool (layers, heads, n, n); None for dense attention."""
    maps: np.ndarray
    """Averaged attention, (layers, heads, n, n), which the survivors are assumed from."""

    def workload(self, schedule: Schedule) -> Workload:
        return Workload.assumed(self.network, self.masks, schedule, lambda: self.maps)

    def cycles(self, schedule: Schedule) -> int:
        """Of one image, from start to done, equal to the RTL's with these survivors."""
        return self.workload(schedule).cycles(self.setting.config, self.setting.memory).total


@dataclass(frozen=True, kw_only=True)
class LayerCycles:
    """Cycles by patch tokens, 0 to all of them; arrays are (layers, patches + 1).

    Infinite where the network cannot have so few.
    """

    entering: np.ndarray
    """Until the end of attention; layer 0 only knows all tokens."""
    leaving: np.ndarray
    """From there to the end of the FFN, without a selection of tokens."""
    selection: int
    """Of a layer that drops tokens, in between."""
    outside: int
    """Before the first layer and behind the last."""


def layer_cycles(machine: Machine, progress: Callable[[int], object]) -> LayerCycles:
    """Run the cycle model once for every number of tokens."""
    layers, patches = machine.network.layers, machine.network.patch_tokens
    entering, leaving = np.full((2, layers, patches + 1), np.inf)
    selection = outside = 0
    for kept in range(patches, machine.network.least_patches - 1, -1):
        run = machine.workload(ListedSchedule(kept=(kept,) * layers)).run(
            machine.setting.config, machine.setting.memory
        )
        ends, durations = _by_operation(run)
        selection = durations.get(("pruning", 0), 0)
        begin = ends["patch_embedding", None]
        outside = run.program.counters["cycles"] - (ends["ffn", layers - 1] - begin)
        for layer in range(layers):
            attention, end = ends["attention", layer], ends["ffn", layer]
            entering[layer, kept] = attention - begin
            leaving[layer, kept] = end - attention - durations.get(("pruning", layer), 0)
            begin = end
        progress(1)
    entering[0] = entering[0, patches]
    return LayerCycles(entering=entering, leaving=leaving, selection=selection, outside=outside)


_Place = tuple[str, int | None]
"""Operation and layer."""


def _by_operation(run: NetworkRun) -> tuple[dict[_Place, int], dict[_Place, int]]:
    """When the last command of an operation ends, and how long that one takes."""
    ends, durations = {}, {}
    for step, start, end in zip(run.steps, run.program.starts, run.program.ends, strict=True):
        ends[step.operation, step.layer] = int(end)
        durations[step.operation, step.layer] = int(end - start)
    return ends, durations
