"""Contracts of the units, checked in every clock cycle of every simulation."""

from amaranth.hdl import Assert, Module, ResetSignal, Signal


def require(m: Module, condition, message: str) -> None:
    """`condition` holds at each clock edge out of reset, or the simulation stops with `message`."""
    m.d.sync += Assert(ResetSignal() | condition, message)


def require_places(m: Module, places: int, *, enters, leaves, message: str) -> None:
    """At most `places` items are between `enters` and `leaves`, and none leaves that is not there.

    An item may enter in the cycle in which another one leaves; none leaves in that of its entry.
    """
    inside = Signal(range(places + 1))
    m.d.sync += inside.eq(inside + enters - leaves)
    require(m, ~enters | leaves | (inside != places), message)
    require(m, ~leaves | (inside != 0), message)
