"""Fields to bits and back, for programs and test benches.

An item of a `data.StructLayout` is a mapping of its fields, of which missing ones are 0; one of a
`data.ArrayLayout` a sequence. Anything else is an integer. The first field is in the low bits.
"""

from array import array
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data

from rtl_gen.errors import UserError


def pack(shape: Any, item: Any, name: str = "value") -> int:
    """The bits of `item` as an unsigned integer.

    Raises:
        UserError: a number that `shape` cannot hold; `name` says whose.
    """
    return _codec(shape).pack(item, name)


def unpack(shape: Any, bits: int) -> Any:
    """The item whose `pack` is `bits`: a dict of all fields, a list, or an integer."""
    return _codec(shape).unpack(bits)


@dataclass(frozen=True, slots=True)
class _Number:
    """An integer of so many bits."""

    width: int
    signed: bool

    @property
    def range(self) -> range:
        lowest = -(1 << (self.width - 1)) if self.signed else 0
        return range(lowest, lowest + (1 << self.width))

    def pack(self, item: Any, name: str) -> int:
        value, holds = int(item), self.range
        if value not in holds:
            raise UserError(f"{name} = {value}: its field holds {holds[0]} to {holds[-1]}")
        return value & ((1 << self.width) - 1)

    def unpack(self, bits: int) -> int:
        sign = self.signed << (self.width - 1) if self.width else 0
        return (bits ^ sign) - sign


@dataclass(frozen=True, slots=True)
class _Members:
    """A structure's fields or an array's elements."""

    places: Mapping[Any, tuple[int, int, Any]]
    """Of each: offset, mask, and how it is packed."""
    is_array: bool

    def pack(self, item: Any, name: str) -> int:
        bits = 0
        for key, value in item.items() if isinstance(item, Mapping) else enumerate(item):
            offset, _, member = self.places[key]
            bits |= member.pack(value, f"{name}.{key}") << offset
        return bits

    def unpack(self, bits: int) -> Any:
        places = self.places.items()
        if self.is_array:
            return [member.unpack(bits >> offset & mask) for _, (offset, mask, member) in places]
        return {key: member.unpack(bits >> offset & mask) for key, (offset, mask, member) in places}


@dataclass(frozen=True, slots=True)
class _Bytes:
    """An array of integers of 8 bits: a list that fits goes as a whole, all else by `members`."""

    members: _Members
    length: int
    code: str
    """Of `array`: b with a sign, B without."""

    def pack(self, item: Any, name: str) -> int:
        if isinstance(item, list) and len(item) <= self.length:
            with suppress(OverflowError, TypeError):
                return int.from_bytes(array(self.code, item), "little")
        return self.members.pack(item, name)

    def unpack(self, bits: int) -> list[int]:
        return array(self.code, bits.to_bytes(self.length, "little")).tolist()


_CODECS: dict[int, tuple[Any, Any]] = {}
"""By the identity of a shape, which is kept alive: comparing layouts takes longer than packing."""


def _codec(shape: Any) -> Any:
    """How items of a shape are packed: found once, since benches pack and unpack every cycle."""
    if id(shape) not in _CODECS:
        _CODECS[id(shape)] = shape, _make_codec(shape)
    return _CODECS[id(shape)][1]


def _make_codec(shape: Any) -> _Number | _Bytes | _Members:
    if not isinstance(shape, data.Layout):
        shape = Shape.cast(shape)
        return _Number(shape.width, shape.signed)
    places = {}
    for key, field in shape:
        places[key] = field.offset, (1 << field.width) - 1, _make_codec(field.shape)
    if not isinstance(shape, data.ArrayLayout):
        return _Members(places, is_array=False)
    members, element = _Members(places, is_array=True), _make_codec(shape.elem_shape)
    if isinstance(element, _Number) and element.width == 8:
        return _Bytes(members, shape.length, "b" if element.signed else "B")
    return members
