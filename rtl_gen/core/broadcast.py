"""One stream to several cores."""

from collections.abc import Sequence
from functools import reduce
from operator import and_

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib.wiring import PureInterface

from rtl_gen.common.contract import require


def broadcast(
    m: Module, name: str, source: PureInterface, chosen: Value, sinks: Sequence[PureInterface]
) -> None:
    """`source` sends to the `sinks` whose bits of `chosen` are set, at least one.

    They take an item in the same cycle, the one in which the slowest of them is ready; the others
    see nothing of it. Combinational. `chosen` changes between items only.
    """
    willing = [sink.ready | ~chosen[index] for index, sink in enumerate(sinks)]
    m.d.comb += source.ready.eq(_all(willing))
    for index, sink in enumerate(sinks):
        others = _all(willing[:index] + willing[index + 1 :])
        m.d.comb += [
            sink.payload.eq(source.payload),
            sink.valid.eq(source.valid & chosen[index] & others),
        ]
    taken = Cat(sink.valid & sink.ready for sink in sinks)
    expected = Mux(source.valid & source.ready, chosen, 0)
    require(m, ~source.valid | chosen.any(), f"{name}: for no core")
    require(m, taken == expected, f"{name}: not taken by all cores that it is for, or by others")


def _all(flags: Sequence[Value]) -> Value:
    return reduce(and_, flags, Const(1))
