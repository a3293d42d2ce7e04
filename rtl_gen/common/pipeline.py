"""Fixed-latency building blocks: delay lines and pipelined reduction trees.

Data registers have no reset (`reset_less`): a valid flag that travels beside them does.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import and_, or_

from amaranth.hdl import Const, Module, Mux, Signal, Value

LEVELS_PER_STAGE = 3
"""Most two-input operators between two registers of a tree."""


def register(m: Module, value, *, name: str, reset_less: bool = True) -> Signal:
    """`value` one cycle later."""
    signal = Signal(value.shape(), name=name, reset_less=reset_less)
    m.d.sync += signal.eq(value)
    return signal


def data_register(m: Module, port, *, name: str):
    """The register behind a `port` of data, which its caller drives in `m.d.sync`."""
    signal = Signal(port.shape(), name=name, reset_less=True)
    m.d.comb += port.eq(signal)
    return signal


def delay(m: Module, value, cycles: int, *, name: str, reset_less: bool = True):
    """`value` `cycles` cycles later."""
    for stage in range(cycles):
        value = register(m, value, name=f"{name}_{stage + 1}", reset_less=reset_less)
    return value


def tree_latency(inputs: int) -> int:
    """Cycles from the inputs of `reduce_tree` to its result."""
    levels = (inputs - 1).bit_length()
    return -(-levels // LEVELS_PER_STAGE)


def stage_ends(inputs: int) -> list[int]:
    """Levels of `reduce_tree` with registers behind them, from 1 on."""
    levels, stages = (inputs - 1).bit_length(), tree_latency(inputs)
    return [-(-levels * stage // stages) for stage in range(1, stages + 1)]


def reduce_tree(
    m: Module, values: Sequence[Value], combine: Callable[[Value, Value], Value], *, name: str
) -> Value:
    """Reduce `values` by `combine`, in tree_latency(len(values)) stages of about as many levels."""
    nodes, ends = list(values), stage_ends(len(values))
    for level in range(1, (len(values) - 1).bit_length() + 1):
        pairs = [combine(a, b) for a, b in zip(nodes[::2], nodes[1::2], strict=False)]
        nodes = pairs + nodes[2 * len(pairs) :]
        if level in ends:
            nodes = [register(m, node, name=f"{name}_{level}_{i}") for i, node in enumerate(nodes)]
    return nodes[0]


def maximum_tree(m: Module, values: Sequence[Value], *, name: str) -> Value:
    """The largest of `values`, which have one shape, in tree_latency(len(values)) cycles.

    A comparison with its multiplexer is too slow to be chained: all pairs of a stage's group are
    compared at once, and the value that loses to none is selected.
    """
    nodes, stage, group = list(values), 0, 1 << LEVELS_PER_STAGE
    while len(nodes) > 1:
        stage += 1
        nodes = [
            register(m, _largest(nodes[first : first + group]), name=f"{name}_{stage}_{first}")
            for first in range(0, len(nodes), group)
        ]
    return nodes[0]


def _largest(values: Sequence[Value]) -> Value:
    """Combinational; among equals the first wins."""
    indices = range(len(values))
    leads = {(i, j): values[i] >= values[j] for j in indices for i in range(j)}
    wins = [
        reduce(and_, (leads[i, j] if i < j else ~leads[j, i] for j in indices if j != i), Const(1))
        for i in indices
    ]
    return reduce(or_, (Mux(win, value, 0) for win, value in zip(wins, values, strict=True)))
