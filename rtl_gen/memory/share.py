"""One port for several units, of which one at a time enables its own.

The first unit has the port unless another enables its own, so that its enable, which may come late
in a cycle, only joins those of the others.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Module, Value
from amaranth.lib.wiring import PureInterface

from rtl_gen.common.contract import require


def share_read(m: Module, name: str, readers: Mapping[str, PureInterface], port) -> None:
    """`readers` ask `port` of the memory `name`; its data go to all of them."""
    first, *others = readers.values()
    m.d.comb += [
        port.enable.eq(reduce(or_, (reader.enable for reader in readers.values()))),
        port.address.eq(first.address),
        *(reader.data.eq(port.data) for reader in readers.values()),
    ]
    for reader in others:
        with m.If(reader.enable):
            m.d.comb += port.address.eq(reader.address)
    _require_one(m, f"{name}: read by two units", [reader.enable for reader in readers.values()])


def share_write(m: Module, name: str, writers: Mapping[str, PureInterface], port) -> None:
    """`writers` write through `port` of the memory `name`."""
    first, *others = writers.values()
    enables = [writer.enable for writer in writers.values()]
    written = [member for member in first.signature.members if member != "enable"]

    def take(writer) -> None:
        m.d.comb += [getattr(port, member).eq(getattr(writer, member)) for member in written]

    m.d.comb += port.enable.eq(reduce(or_, enables))
    take(first)
    for writer in others:
        with m.If(writer.enable):
            take(writer)
    _require_one(m, f"{name}: written by two units", enables)


def share_stream(m: Module, name: str, sources: Sequence[PureInterface], stream) -> None:
    """`sources` send to `stream`, one at a time."""
    first, *others = sources
    m.d.comb += [
        stream.valid.eq(reduce(or_, (source.valid for source in sources))),
        stream.payload.eq(first.payload),
        *(source.ready.eq(stream.ready) for source in sources if not source.signature.always_ready),
    ]
    for source in others:
        with m.If(source.valid):
            m.d.comb += stream.payload.eq(source.payload)
    _require_one(m, f"{name}: two at once", [source.valid for source in sources])


def _require_one(m: Module, message: str, flags: Sequence[Value]) -> None:
    """At most one flag is high."""
    seen = flags[0]
    for flag in flags[1:]:
        require(m, ~(seen & flag), message)
        seen = seen | flag
