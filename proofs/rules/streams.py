"""The rules of `amaranth.lib.stream`: what is offered stays until it is taken."""

from amaranth.hdl import Module, Signal, Value, ValueLike

from rtl_gen.common.contract import require


def previous(m: Module, value: Value, name: str, *, resets: bool = False) -> Signal:
    """`value` in the cycle before; 0 behind a reset if it `resets`, or else anything."""
    before = Signal(len(value), name=name, reset_less=not resets)
    m.d.sync += before.eq(value)
    return before


def stable(m: Module, name: str, stream, *, clear: ValueLike = 0, demand=require) -> None:
    """A payload that `stream` offers stays, valid and as it is, until it is taken or `clear`ed.

    `demand` : `require`, or `assume` for a stream of the environment
    """
    payload = Value.cast(stream.payload)
    waits = stream.valid & ~stream.ready & ~clear
    waiting = previous(m, waits, f"{name}_waiting", resets=True)
    before = previous(m, payload, f"{name}_before")
    demand(m, ~waiting | stream.valid, f"stream {name}: valid fell before its transfer")
    demand(m, ~waiting | (payload == before), f"stream {name}: changed before its transfer")
