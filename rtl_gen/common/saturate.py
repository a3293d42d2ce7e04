"""Saturation of a signed value."""

from amaranth.hdl import Mux, Value


def saturate(value: Value, bits: int) -> Value:
    """`value` cut to the range of `bits` signed bits."""
    highest = (1 << (bits - 1)) - 1
    return Mux(value > highest, highest, Mux(value < -highest - 1, -highest - 1, value))
