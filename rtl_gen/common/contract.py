"""Contracts of the units, checked in every clock cycle of every simulation."""

from amaranth.hdl import Assert, Module, ResetSignal


def require(m: Module, condition, message: str) -> None:
    """`condition` holds at each clock edge out of reset, or the simulation stops with `message`."""
    m.d.sync += Assert(ResetSignal() | condition, message)
