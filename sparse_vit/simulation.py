"""Cycles, traffic and energy of a network on an accelerator, by the cycle model."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from model.attention.synthetic import maps_of
from model.masks.strategies import sparsity_of
from model.pruning.schedule import Schedule
from rtl_gen.config import AcceleratorConfig
from sim_models.memory import DEFAULT_MEMORY, MemoryTiming
from sim_models.sweeps.energy import energy_table
from sim_models.workload import Simulation, Workload
from sim_models.workload import simulate as simulate_workload
from sparse_vit.inputs import (
    Maps,
    Masks,
    Model,
    config_of,
    maps_array,
    masks_array,
    network_of,
    schedule_for,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an image costs, beside the dense, unpruned network on the same machine.

    Several cores work on as many images; all of them are assumed to leave the same tokens. A
    notebook shows it as a table.
    """

    simulation: Simulation
    dense: Simulation
    energy: dict[str, float]
    """Microjoules by part (mac, sram, dram, other) and in total."""

    @property
    def cycles(self) -> int:
        """From start to done, as the accelerator's own counter says."""
        return self.simulation.cycles.total

    @property
    def cycles_by_operation(self) -> dict[str, int]:
        """They add up to `cycles`."""
        return self.simulation.cycles.operations()

    @property
    def counters(self) -> dict[str, int]:
        """What the accelerator's counters read."""
        return dict(self.simulation.cycles.counters)

    @property
    def milliseconds(self) -> float:
        """At the configuration's clock."""
        return self.simulation.milliseconds

    @property
    def images_per_second(self) -> float:
        """At the configuration's clock, with an image for every core."""
        return self.simulation.images_per_second

    @property
    def utilisation(self) -> float:
        """Share of the multipliers' time, start to done, that kept multiply-accumulates take."""
        return self.simulation.array_utilisation

    @property
    def attention_utilisation(self) -> float:
        """The same while attention is at work."""
        return self.simulation.attention_utilisation

    @property
    def traffic(self) -> dict[str, int]:
        """Bytes read and written over the memory port for an image: its share of a batch's."""
        activity, cores = self.simulation.activity, self.simulation.config.cores
        moved = {"read": activity.read_bytes, "written": activity.written_bytes}
        return {name: round(count / cores) for name, count in moved.items()}

    @property
    def speedup(self) -> float:
        """Cycles of the dense, unpruned network over these."""
        return self.dense.cycles.total / self.cycles

    @property
    def tokens(self) -> list[int]:
        """Tokens (CLS counted) that leave each layer."""
        work = self.simulation.workload
        return [layer.leaving for layer in work.schedule.layer_tokens(work.network)]

    def as_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        work = self.simulation.workload
        return {
            "network": work.network.name,
            "config": self.simulation.config.as_dict(),
            "sparsity": 0.0 if work.masks is None else sparsity_of(work.masks),
            "tokens": self.tokens,
            "cycles": self.cycles,
            "dense_cycles": self.dense.cycles.total,
            "speedup": self.speedup,
            "milliseconds": self.milliseconds,
            "images_per_second": self.images_per_second,
            "cycles_by_operation": self.cycles_by_operation,
            "utilisation": self.utilisation,
            "attention_utilisation": self.attention_utilisation,
            "traffic": self.traffic,
            "energy": self.energy,
            "counters": self.counters,
        }

    @cached_property
    def frame(self) -> pd.DataFrame:
        """A row an operation: cycles, their share, cycles of the dense network, speed-up."""
        frame = pd.DataFrame(
            {"cycles": self.cycles_by_operation, "dense": self.dense.cycles.operations()}
        )
        frame.loc["total"] = frame.sum()
        frame.insert(1, "share", frame["cycles"] / self.cycles)
        frame["speedup"] = frame["dense"] / frame["cycles"]
        return frame

    def summary(self) -> str:
        """One line."""
        work, energy = self.simulation.workload, self.energy["total"]
        megabytes = sum(self.traffic.values()) / 1e6
        return (
            f"{work.network.name}: {self.cycles:,} cycles, {self.milliseconds:.3f} ms, "
            f"{self.speedup:.2f} x dense, {self.utilisation:.1%} of the multipliers busy, "
            f"{megabytes:.2f} MB, {energy:,.0f} uJ"
        )

    def plot(self) -> "Figure":
        """Milliseconds by operation beside the dense network's, as a Matplotlib figure."""
        from model.files.plot_style import new_figure, style
        from sim_models.figures.operations import OPERATIONS, operation_legend

        bars = {"dense": self.dense, "this": self.simulation}
        with style():
            figure = new_figure(9, 2.6)
            axes = figure.subplots()
            left = dict.fromkeys(bars, 0.0)
            for name, look in OPERATIONS.items():
                scale = 1000 * self.simulation.config.frequency_mhz
                widths = {bar: one.cycles.operations()[name] / scale for bar, one in bars.items()}
                axes.barh(
                    list(bars),
                    list(widths.values()),
                    left=list(left.values()),
                    color=look.colour,
                    label=look.label,
                )
                left = {bar: left[bar] + widths[bar] for bar in bars}
            axes.invert_yaxis()
            axes.set_xlabel("milliseconds")
            operation_legend(figure, axes, 5)
        return figure

    def _repr_html_(self) -> str:
        table = self.frame.to_html(
            formatters={
                "cycles": "{:,.0f}".format,
                "share": "{:.1%}".format,
                "dense": "{:,.0f}".format,
                "speedup": "{:.2f}".format,
            }
        )
        return f"<p>{self.summary()}</p>\n{table}"

    def __str__(self) -> str:
        return self.summary()


def simulate(
    network: Model,
    masks: Masks | None = None,
    schedule: Schedule | Path | str | None = None,
    *,
    preset: AcceleratorConfig | str | None = None,
    maps: Maps | None = None,
    latency: int = DEFAULT_MEMORY.latency,
    rate: int | None = DEFAULT_MEMORY.rate,
    energy: Path | str | None = None,
    seed: int = 0,
) -> Report:
    """Cycles, utilisation, traffic and energy of one image, equal to the RTL's.

    Args:
        network: a timm model, a network or its name.
        masks: kept entries (True), bool (layers, heads, n, n), or a ViTCoD mask file; None: dense.
        schedule: of token pruning, also by name or from a file; None: all tokens stay.
        preset: the accelerator, by name or as a configuration; None: the first preset that has
            lanes as wide as the network's heads.
        maps: averaged attention (layers, heads, n, n), from which the tokens that survive are
            assumed; None: those that come with the project, or stand-ins drawn from DeiT-Tiny's.
        latency: of the memory, in cycles.
        rate: bytes a cycle of the memory; None: the port's width.
        energy: YAML file of picojoules; None: the 45 nm table of the project.
        seed: of stand-ins for attention maps.

    Raises:
        UserError: an input that does not fit the network, or a network that does not fit the
            accelerator.
    """
    shape = network_of(network)
    config = config_of(preset, shape)
    kept, pruning = masks_array(masks, shape), schedule_for(schedule, shape)
    given = None if maps is None else maps_array(maps, shape)
    table = energy_table(None if energy is None else Path(energy))
    memory = MemoryTiming(latency, rate)
    work = Workload.assumed(
        shape, kept, pruning, lambda: maps_of(shape, seed).maps if given is None else given
    )
    done = simulate_workload(config, work, memory)
    return Report(
        simulation=done,
        dense=simulate_workload(config, work.dense(), memory),
        energy=table.microjoules(config, vars(done.activity)),
    )
