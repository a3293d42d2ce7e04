"""What a command is: one record an opcode, beside the unit that carries it out.

rtl_gen/control/commands.py lists them. Decoder, checks, counters and the cycle model follow from
the records; `command` is the view of a record's fields in the hardware (`command_layout`), an
object with integers of the same names in the cycle model.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import ValueLike, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout, View
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.program import ErrorCode, command_layout


@dataclass(frozen=True, kw_only=True)
class Reach:
    """The last row of a memory that a command touches: token * pitch + offset for its last token.

    Reaches of one `kind` share an adder, at most one command of a kind at a time.
    """

    kind: str
    offset: ValueLike
    limit: ValueLike
    """The command is refused if its last row is above it."""
    pitch: str | None = None
    """The field that the last token is multiplied with; None: rows do not depend on tokens."""
    first_only: ValueLike = 0
    """The command works on the first live token alone, which is token 0 as long as that stays."""
    applies: ValueLike = 1


@dataclass(frozen=True, kw_only=True)
class Command:
    """One opcode.

    The unit of the core that is named takes it at a stream of the opcode's name in lower case, with
    the payload `layout`, and shows `idle` when nothing of it is under way.
    """

    name: str
    does: str
    """For docs/architecture.md."""
    fields: tuple[str, ...] = ()
    unit: str | None = None
    payload: bool = False
    """Rows of the program follow it, for the unit's `payload` port."""
    from_host: Callable[[View], ValueLike] | None = None
    """Whether the host replaces its payload, which the checksum leaves out; None: never."""
    needs_tokens: bool = False
    """Only behind a SET_TOKENS."""
    sets_tokens: bool = False
    """From it on there are `count` tokens."""
    loses_first: Callable[[View], ValueLike] | None = None
    """Whether token 0 may be dropped by it; None: never."""
    to_memory: bool = False
    """It writes `count` rows to memory: the program says where behind the result base, and the unit
    gets the `address` that this comes to."""
    one_core: Callable[[View], ValueLike] | None = None
    """Whether it is for the core of its field `core` alone, where there are several; None: never.
    The cores get the others together."""
    waits: Callable[[AcceleratorConfig, View], ValueLike] | None = None
    """Whether it starts only when all units are idle; None: always. The cycle model asks as well,
    with a record of integers for the view."""
    errors: Callable[[AcceleratorConfig, View], Mapping[ErrorCode, ValueLike]] | None = None
    """When it is refused for the values of its fields; None: never."""
    reaches: Callable[[AcceleratorConfig, View], tuple[Reach, ...]] | None = None
    """The last rows that it touches; None: none that a memory could lack."""
    busy_cycles: Callable[[AcceleratorConfig, Any, int, int], int] | None = None
    """Cycles in which the unit is busy, of the command for a sequence of so many tokens of which so
    many are live. None: they depend on data or memory, and sim_models has a model of the unit."""

    @property
    def port(self) -> str:
        """Of the unit, and of the dispatcher."""
        return self.name.lower()

    def layout(self, config: AcceleratorConfig) -> StructLayout:
        """The fields that the unit gets."""
        record = command_layout(config)
        shapes = {name: record[name].shape for name in self.fields}
        if self.to_memory:
            shapes["address"] = unsigned(config.address_bits)
        return StructLayout(shapes)

    def signature(self, config: AcceleratorConfig) -> stream.Signature:
        """The stream that hands it to its unit."""
        return stream.Signature(self.layout(config))


def is_one_of(value: ValueLike, choices: Iterable[ValueLike]) -> ValueLike:
    """Whether `value` equals one of `choices`, for hardware values and for integers."""
    return reduce(or_, (value == choice for choice in choices))


def payload_port(config: AcceleratorConfig) -> wiring.Signature:
    """The dispatcher's side of a unit that takes rows of the program.

    `feeding`: the payload is under way, no other command is looked at. `expects`: another row is
    needed, so that a program must not end here.
    """
    return wiring.Signature(
        {
            "rows": Out(stream.Signature(config.row_bits)),
            "feeding": In(1),
            "expects": In(1),
        }
    )
