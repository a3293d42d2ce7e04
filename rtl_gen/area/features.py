"""What the logic of a unit grows with: numbers, mostly of bits, that follow from a configuration.

A unit has few of them, those that its structure names; how many cells one of each takes is fitted.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from rtl_gen.area.rams import Rams, rams
from rtl_gen.common.pipeline import stage_ends
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import PRODUCT_BITS
from rtl_gen.interfaces.memories import memory_plan
from rtl_gen.interfaces.memory import Memory

IN_LOGIC = ("weights", "exp_table", "live", "output_rows")
"""Memories of the plan that are registers, a table in logic, or a queue."""


def memories_of(config: AcceleratorConfig, unit: str) -> list[Memory]:
    """The RAMs inside a unit, or the one that it is; with parity a chunk has a bit more."""
    return [
        replace(memory, shape=memory.bits + config.parity * memory.chunks)
        for name, memory in memory_plan(config).items()
        if name not in IN_LOGIC and (memory.holder or name) == unit
    ]


def guarded_bits(config: AcceleratorConfig, unit: str) -> int:
    """Read at a time, of all RAMs of the unit, and looked at for parity."""
    return config.parity * sum(memory.banks * memory.bits for memory in memories_of(config, unit))


def rams_of(config: AcceleratorConfig, unit: str) -> Rams:
    """All of them together."""
    return sum(map(rams, memories_of(config, unit)), start=Rams())


def _sums(config: AcceleratorConfig) -> list[tuple[int, int]]:
    """Operands and bits of all sums between two registers, in the trees of the array."""
    trees = ((config.lanes, config.width), (config.width, config.lanes))
    return [
        (taken, number * sums * bits)
        for number, addends in trees
        for taken, sums, bits in _stages(addends)
    ]


def _stages(addends: int) -> Iterator[tuple[int, int, int]]:
    """Of a tree over products: operands of a sum, number of sums and their bits, by register."""
    for before, level in pairwise([0, *stage_ends(addends)]):
        yield 1 << (level - before), addends >> level, PRODUCT_BITS + level


Feature = Callable[[AcceleratorConfig], float]

FEATURES: Mapping[str, Feature] = {
    "one": lambda _: 1,
    "lanes": lambda c: c.lanes,
    "row": lambda c: c.row_bits,
    "operands": lambda c: c.lanes * c.row_bits,
    "multipliers": lambda c: c.macs,
    "added": lambda c: sum((operands - 1) * bits for operands, bits in _sums(c)),
    "added_by_8": lambda c: sum(bits for operands, bits in _sums(c) if operands == 8),
    "sums": lambda c: sum(bits for _, bits in _sums(c)),
    "importance": lambda c: c.lanes * c.importance_bits,
    "tokens": lambda c: c.max_tokens,
    "routes": lambda c: c.lanes**2 * c.token_bits,
    "root": lambda c: c.variance_bits**2,
    "places": lambda c: c.tile_bits + c.slice_bits + c.count_bits,
    "bus": lambda c: 8 * c.bus_bytes,
    "address": lambda c: c.address_bits,
    "cores": lambda c: c.cores,
    "core_rows": lambda c: (c.cores - 1) * c.row_bits,
}
"""By name."""


@dataclass(frozen=True, kw_only=True)
class Logic:
    """Names of the features of a unit's columns; a column without any is 0."""

    luts: tuple[str, ...] = ()
    flip_flops: tuple[str, ...] = ()
    dsps: tuple[str, ...] = ()

    @property
    def gates(self) -> tuple[str, ...]:
        """Whatever the unit grows with: gates are its tables, flip-flops and multipliers."""
        return tuple(dict.fromkeys(self.luts + self.flip_flops + self.dsps))

    @classmethod
    def alike(cls, *names: str, dsps: tuple[str, ...] = ()) -> "Logic":
        """Tables and flip-flops with the same."""
        return cls(luts=names, flip_flops=names, dsps=dsps)


MEMORIES = ("residual", "activation", "hidden", "query", "kv", "mask", "channel_shifts")
"""Units that are a memory with its ports."""

OF_A_CORE: Mapping[str, Logic] = {
    "load": Logic.alike("one", "row"),
    "store": Logic(
        luts=("one", "row", "operands", "tokens", "importance"), flip_flops=("one", "row")
    ),
    "linear": Logic.alike("one", "lanes", "row", "operands", "places", dsps=("one", "lanes")),
    "attention": Logic.alike(
        *("one", "lanes", "row", "importance", "tokens"), dsps=("one", "lanes")
    ),
    "norm": Logic.alike("one", "lanes", "row", "root", dsps=("one", "lanes", "row")),
    "prune": Logic.alike("one", "lanes", "importance", "tokens", "routes"),
    "pool": Logic.alike("one", "lanes", "row", dsps=("one",)),
    "array": Logic(
        luts=("added", "added_by_8"),
        flip_flops=("multipliers", "sums"),
        dsps=("multipliers",),
    ),
    "operands": Logic.alike("one", "row", "operands"),
    "core_rest": Logic.alike("one", "row", "operands"),
}
"""Other units of which every core has one."""

SHARED: Mapping[str, Logic] = {
    "dispatcher": Logic.alike("one", "row", "cores", "address", "places", dsps=("one",)),
    "cluster_rest": Logic.alike("one", "cores", "core_rows"),
    "packer": Logic.alike("one", "row", "bus"),
    "reader": Logic.alike("one", "bus", "address"),
    "registers": Logic.alike("one", "address"),
    "writer": Logic.alike("one", "row", "bus", "address"),
    "top_rest": Logic.alike("one"),
}
"""Units that all cores share."""

UNITS = (*MEMORIES, *OF_A_CORE, *SHARED)
