"""Energy of one image: counts of sim_models/activity.py times a table of picojoules, shared by the
images that the cores work on together.

    mac      multipliers of the array x beats x mac
    sram     for every memory: bits read and written / 64 x sram_64_bits(capacity of its bank)
    dram     bits over the memory port / 64 x dram_64_bits
    other    multiplications x multiplication + additions x addition

An access of SRAM between two capacities of the table follows the power law through both, beyond
them that of the nearest pair. Clock tree, leakage and wires between units are not in it: compare
points with each other rather than with a measured chip.
"""

import math
from collections.abc import Mapping
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from model.files.yaml_file import StrictModel, read_model
from rtl_gen.config import AcceleratorConfig
from sim_models.on_chip import on_chip_memories

DEFAULT_TABLE = Path(str(resources.files("sim_models") / "sweeps" / "energy_45nm.yaml"))
WORD_BITS = 64
PARTS = ("mac", "sram", "dram", "other")

Picojoules = Annotated[float, Field(ge=0, le=1e6)]
"""A microjoule at most, so that sums stay finite."""


def _two_capacities(values: dict[int, float]) -> dict[int, float]:
    if len(values) < 2:
        raise ValueError("expected at least two capacities")
    return dict(sorted(values.items()))


class EnergyTable(StrictModel):
    """Picojoules an operation or access; see energy_45nm.yaml for an example."""

    name: str
    mac: Picojoules
    multiplication: Picojoules
    addition: Picojoules
    sram_64_bits: Annotated[
        dict[
            Annotated[int, Field(gt=0, le=2**20)],
            Annotated[float, Field(ge=1e-6, le=1e6)],
        ],
        AfterValidator(_two_capacities),
    ]
    """By the capacity of a bank in KB."""
    dram_64_bits: Picojoules

    def sram_access(self, kilobytes: float) -> float:
        """Picojoules of 64 bits out of a bank."""
        segments = list(pairwise(self.sram_64_bits.items()))
        segment = next((pair for pair in segments if kilobytes <= pair[1][0]), segments[-1])
        (size, energy), (next_size, next_energy) = segment
        exponent = math.log(next_energy / energy) / math.log(next_size / size)
        return energy * (kilobytes / size) ** exponent

    def microjoules(
        self, config: AcceleratorConfig, activity: Mapping[str, Any]
    ) -> dict[str, float]:
        """Energy of an image by part and in all; `activity`: that of a batch, as its fields."""
        memories = on_chip_memories(config)
        sram = sum(
            sum(bits) / WORD_BITS * self.sram_access(memories[name].bank_bytes / 1024)
            for name, bits in activity["memory_bits"].items()
        )
        port_bits = 8 * (activity["read_bytes"] + activity["written_bytes"])
        arithmetic = (
            activity["multiplications"] * self.multiplication
            + activity["additions"] * self.addition
        )
        parts = dict(
            zip(
                PARTS,
                (
                    activity["macs"] * self.mac,
                    sram,
                    port_bits / WORD_BITS * self.dram_64_bits,
                    arithmetic,
                ),
                strict=True,
            )
        )
        parts["total"] = sum(parts.values())
        return {name: round(value / config.cores / 1e6, 3) for name, value in parts.items()}


def energy_table(path: Path | None = None) -> EnergyTable:
    """The table of a file, or the one that comes with the project.

    Raises:
        UserError: a file that is none.
    """
    return read_model(path or DEFAULT_TABLE, EnergyTable)
