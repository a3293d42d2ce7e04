"""Arithmetic shift of a wide value to a narrow result that is saturated later.

A barrel shifter carries all bits of the value through all of its stages. Here a stage takes a digit
of the distance, the highest first, and keeps only the bits that the stages behind it can bring into
the result; of those above it remembers whether one differs from the sign.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, Value

DIGIT_BITS = 2
"""A stage is a choice of four."""


def narrow_shift(m: Module, value: Value, distance: Value, bits: int, *, name: str) -> Value:
    """value >> distance in one signed bit more than `bits`, for any distance.

    It is exact where it fits into `bits`. Elsewhere it is beyond their range on the right side, so
    that it saturates alike, also behind another shift.
    """
    wide = Signal(value.shape(), name=f"{name}_wide")
    m.d.comb += wide.eq(value)
    kept, sign = wide, wide[-1]
    dropped = []
    for low in reversed(range(0, len(distance), DIGIT_BITS)):
        digit = distance[low : low + DIGIT_BITS]
        width = bits + (1 << low) - 1
        starts = [place << low for place in range(1 << len(digit))]
        extended = Cat(kept, sign.replicate(starts[-1] + width))
        above = [
            kept[start + width :] ^ sign.replicate(max(len(kept) - start - width, 0))
            for start in starts
        ]
        dropped.append(_choose(digit, [differs.any() for differs in above]))
        windows = [extended[start : start + width] for start in starts]
        kept = Signal(width, name=f"{name}_from_{low}")
        m.d.comb += kept.eq(_choose(digit, windows))
    beyond = Cat(dropped).any()
    return Cat(kept[:-1], Mux(beyond, ~sign, kept[-1]), sign).as_signed()


def _choose(digit: Value, choices: list[Value]) -> Value:
    """That one of the choices."""
    for bit in digit:
        choices = [Mux(bit, b, a) for a, b in zip(choices[::2], choices[1::2], strict=True)]
    return choices[0]
