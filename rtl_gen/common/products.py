"""Wide products: a register follows every multiplier, and the sum of several stands behind it.

The smallest multipliers that FPGAs have are 18 x 18 bits, signed.
"""

from amaranth.hdl import Module, Value

from rtl_gen.common.pipeline import register

PART_BITS = 17
"""Of an unsigned factor of such a multiplier."""


def product_parts(
    m: Module, value: Value, factor: Value, *, name: str, part_bits: int = PART_BITS
) -> Value:
    """The product of the signed `value` and the unsigned `factor` of at most `part_bits`, a cycle
    later: a sum of what multipliers of parts of the value have in their registers.
    """
    if len(value) <= part_bits + 1:
        return register(m, value * factor, name=name)
    low, high = value[:part_bits], value[part_bits:].as_signed()
    parts = register(m, low * factor, name=f"{name}_low") + (
        register(m, high * factor, name=f"{name}_high") << part_bits
    )
    return parts[: len(value) + len(factor)].as_signed()
