"""Ports that units have in common, each seen from the unit that asks: a requester's side is `Out`.

Everything a unit is told or tells comes through a stream (`amaranth.lib.stream`), one of these, or
a flag in a register.
"""

from amaranth.hdl import ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out


def always(shape: ShapeLike) -> stream.Signature:
    """A stream that is always taken: `valid` and `payload`, no back-pressure."""
    return stream.Signature(shape, always_ready=True)


def function(argument: ShapeLike, result: ShapeLike) -> wiring.Signature:
    """A pipeline of fixed latency: an `argument` in every cycle, its `result` LATENCY later."""
    return wiring.Signature({"argument": Out(argument), "result": In(result)})


def read_port(words: int, shape: ShapeLike) -> wiring.Signature:
    """`data` answers an `address` that was `enable`d, as many cycles later as the memory takes."""
    return wiring.Signature({"enable": Out(1), "address": Out(range(words)), "data": In(shape)})


def banks_read_port(words: int, shape: ShapeLike, banks: int) -> wiring.Signature:
    """Read ports of all banks at once, enabled together, each with an address of its own."""
    return wiring.Signature(
        {
            "enable": Out(1),
            "address": Out(ArrayLayout(range(words), banks)),
            "data": In(ArrayLayout(shape, banks)),
        }
    )


def write_port(words: int, shape: ShapeLike, chunks: int = 1) -> wiring.Signature:
    """Writes `data` at `address` if `enable`d; of a word that is written in parts, those equal
    parts whose bit in `chunks` is set.
    """
    part = {"chunks": Out(chunks)} if chunks > 1 else {}
    return wiring.Signature(
        {"enable": Out(1), **part, "address": Out(range(words)), "data": Out(shape)}
    )
