"""No unit has an output that nothing in the accelerator reads."""

from collections import defaultdict

from amaranth.hdl import ClockSignal, ResetSignal, Signal, Value
from amaranth.hdl._ast import Property
from amaranth.lib import wiring

HANDSHAKE = ("valid", "ready")
"""Of a stream: who always takes what comes, or keeps count, needs not look at them."""


def test_outputs_are_read(elaborated):
    fragment, (_top, *units) = elaborated
    readers, drivers = defaultdict(set), defaultdict(set)
    _collect(fragment, "", readers, drivers)
    unused = []
    for unit in units:
        for path, member, value in unit.signature.flatten(unit):
            signal = Value.cast(value)
            if member.flow is wiring.In or path[-1] in HANDSHAKE:
                continue
            if isinstance(signal, Signal) and not readers[id(signal)] - drivers[id(signal)]:
                unused.append(f"{type(unit).__name__}.{'.'.join(map(str, path))}")
    assert len(units) > 20
    assert not unused


def _collect(fragment, name: str, readers: dict, drivers: dict) -> None:
    """By signal: the names of the fragments whose statements read it and that drive it."""
    for value, *_ in getattr(fragment, "ports", {}).values():
        if not isinstance(value, ClockSignal | ResetSignal):
            _note(value._rhs_signals(), name, readers)
    for statements in getattr(fragment, "statements", {}).values():
        for statement in statements:
            if isinstance(statement, Property):
                continue  # an assertion is no use of a signal
            _note(statement._rhs_signals(), name, readers)
            _note(statement._lhs_signals(), name, drivers)
    for below, name_below, _ in fragment.subfragments:
        _collect(below, f"{name}.{name_below}", readers, drivers)


def _note(signals, name: str, users: dict) -> None:
    for signal in signals:
        users[id(signal)].add(name)
