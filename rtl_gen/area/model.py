"""The cells of any configuration, without synthesis.

What RAMs take of an UltraScale+ follows from the memory plan, as the mapping chooses them
(rams.py): blocks (RAMB36), distributed RAM in tables, latches behind it; beside standard cells all
of them are memories of a compiler. The rest of a unit's tables (LUT) and flip-flops, and its gates
(GE), are its features (features.py) times what one of each takes, never below zero, fitted to what
synthesis counted (cells.csv) with least squares of the relative error. So are multipliers
(DSP48E2), of the error itself: a unit has few, and so many a lane or channel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from rtl_gen.area import measured
from rtl_gen.area.columns import HEADINGS
from rtl_gen.area.features import (
    FEATURES,
    MEMORIES,
    OF_A_CORE,
    SHARED,
    UNITS,
    guarded_bits,
    memories_of,
    rams_of,
)
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import memory_plan
from rtl_gen.synthesis.technology import Counts

MEASURED = Path(__file__).with_name("cells.csv")

SMALL = 20
"""An error of fewer cells than these weighs as little as in a unit of so many."""

EQUAL = 1e-4
"""Weight of equal parts: what the samples do not tell apart, features share."""

_FITTED = ("luts", "flip_flops", "dsps", "gates")


def predict(config: AcceleratorConfig) -> Counts:
    """Cells of the whole accelerator, a number a column (columns.py)."""
    return dict(_predicted(config))


@cache
def _predicted(config: AcceleratorConfig) -> Counts:
    return whole(fitted().units(config), config)


def whole(units: Mapping[str, Counts], config: AcceleratorConfig) -> Counts:
    """Sum of units that are given once, each as often as it is there."""
    copies = {unit: 1 if unit in SHARED else config.cores for unit in units}
    return {
        column: sum(copies[unit] * counts[column] for unit, counts in units.items())
        for column in HEADINGS
    }


@dataclass(frozen=True)
class Fit:
    """What one of each feature takes, by kind of unit and column."""

    each: Mapping[tuple[str, str], np.ndarray]

    def units(self, config: AcceleratorConfig) -> dict[str, Counts]:
        """By unit, each once."""
        return {unit: self.counts(unit, config) for unit in UNITS}

    def counts(self, unit: str, config: AcceleratorConfig) -> Counts:
        """Of a unit, once, in whole cells but for halves of a block."""
        fitted = {
            column: round(
                _of_rams(unit, column, config)
                + float(_values(unit, column, config) @ self.each[_kind(unit), column])
            )
            for column in _FITTED
        }
        return {
            **fitted,
            "block_rams": rams_of(config, unit).block_rams,
            "sram_bits": sum(memory.total_bits for memory in memories_of(config, unit)),
        }


@cache
def fitted() -> Fit:
    """To all that was counted."""
    return fit(measured.read(MEASURED))


def fit(rows: Sequence[measured.Row]) -> Fit:
    """To these rows."""
    by_kind: dict[str, list[measured.Row]] = {}
    for row in rows:
        by_kind.setdefault(_kind(row.unit), []).append(row)
    return Fit(
        {(kind, column): _solve(of, column) for kind, of in by_kind.items() for column in _FITTED}
    )


def _solve(rows: Sequence[measured.Row], column: str) -> np.ndarray:
    counts = np.array([row.counts[column] for row in rows])
    rest = counts - [_of_rams(row.unit, column, row.config) for row in rows]
    values = np.array([_values(row.unit, column, row.config) for row in rows])
    if not values.size:
        return np.zeros(0)
    weights = np.ones(len(rows)) if column == "dsps" else 1 / (counts + SMALL)
    relative = values * weights[:, None]
    sizes = np.maximum(np.linalg.norm(relative, axis=0), 1e-9)
    equal = np.sqrt(EQUAL) * np.eye(len(sizes))
    wanted = np.concatenate([rest * weights, np.zeros(len(sizes))])
    return nnls(np.vstack([relative / sizes, equal]), wanted)[0] / sizes


def _kind(unit: str) -> str:
    """Units of a kind are fitted together."""
    return "memory" if unit in MEMORIES else unit


def _of_rams(unit: str, column: str, config: AcceleratorConfig) -> float:
    rams = rams_of(config, unit)
    return {"luts": rams.tables, "flip_flops": rams.latches}.get(column, 0)


def _values(unit: str, column: str, config: AcceleratorConfig) -> np.ndarray:
    """Of the features."""
    values = [] if column == "dsps" else [guarded_bits(config, unit)]
    if unit not in MEMORIES:
        names = getattr((OF_A_CORE | SHARED)[unit], column)
        values += [FEATURES[name](config) for name in names]
    elif column == "luts":
        values += [rams_of(config, unit).selected, *_ports(config, unit)]
    elif column == "gates":
        values += _ports(config, unit)
    return np.array(values)


def _ports(config: AcceleratorConfig, unit: str) -> tuple[float, ...]:
    """Of a memory: bits of words and addresses that are chosen among units, and enables."""
    memory = memory_plan(config)[unit]
    written = memory.bits if len(memory.writers) > 1 else 0
    address = (memory.words << memory.bank_bits).bit_length()
    others = len(memory.writers) + len(memory.readers) - 2
    enables = memory.banks * memory.chunks
    return written, address * others, enables
