"""Fields to bits and back, for programs and test benches.

An item of a `data.StructLayout` is a mapping of its fields, of which missing ones are 0; one of a
`data.ArrayLayout` a sequence. Anything else is an integer. The first field is in the low bits.
"""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data

from rtl_gen.errors import UserError


def pack(shape: Any, item: Any, name: str = "value") -> int:
    """The bits of `item` as an unsigned integer.

    Raises:
        UserError: a number that `shape` cannot hold; `name` says whose.
    """
    if isinstance(shape, data.Layout):
        members = item.items() if isinstance(item, Mapping) else enumerate(item)
        bits = 0
        for key, value in members:
            field = shape[key]
            bits |= pack(field.shape, value, f"{name}.{key}") << field.offset
        return bits
    shape, value = Shape.cast(shape), int(item)
    lowest = -(1 << (shape.width - 1)) if shape.signed else 0
    highest = lowest + (1 << shape.width) - 1
    if not lowest <= value <= highest:
        raise UserError(f"{name} = {value}: its field holds {lowest} to {highest}")
    return value & ((1 << shape.width) - 1)


def unpack(shape: Any, bits: int) -> Any:
    """The item whose `pack` is `bits`: a dict of all fields, a list, or an integer."""
    if isinstance(shape, data.Layout):
        members = {
            key: unpack(field.shape, (bits >> field.offset) & ((1 << field.width) - 1))
            for key, field in shape
        }
        return list(members.values()) if isinstance(shape, data.ArrayLayout) else members
    shape = Shape.cast(shape)
    sign = 1 << (shape.width - 1) if shape.signed else 0
    return (bits ^ sign) - sign
