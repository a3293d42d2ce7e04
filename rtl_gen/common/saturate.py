"""Saturation of a signed value: no carry chain decides whether it fits."""

from amaranth.hdl import Mux, Value


def saturate(value: Value, bits: int) -> Value:
    """`value` cut to the range of `bits` signed bits."""
    return Mux(_fits(value, bits), value[:bits].as_signed(), _limit(value, bits))


def saturate_half(value: Value, bits: int) -> Value:
    """Half of `value`, rounded half up and cut to `bits` signed bits, which `value` exceeds."""
    rounded = (value[: bits + 1].as_signed() + 1) >> 1
    rounds_out = ~value[-1] & value[:bits].all()
    return Mux(_fits(value, bits + 1) & ~rounds_out, rounded, _limit(value, bits))


def _fits(value: Value, bits: int) -> Value:
    """Whether the bits above are copies of the sign."""
    return value[bits - 1 :].all() | ~value[bits - 1 :].any()


def _limit(value: Value, bits: int) -> Value:
    highest = (1 << (bits - 1)) - 1
    return Mux(value[-1], -highest - 1, highest)
