"""Row loader: the payload of LOAD into the on-chip memories.

A row a cycle; a row of the GELU table takes `width` cycles, one an entry. Idle again the cycle
after the last write.
"""

from collections.abc import Iterable
from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout, View
from amaranth.lib.wiring import In, Out

from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import Command, Reach
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.interfaces.targets import Target, row_count_bits, transfers


def transfer_errors(command: View, reachable: Iterable[Target]) -> dict[ErrorCode, Value]:
    """A target out of reach, or no rows."""
    return {
        ErrorCode.ILLEGAL_FIELD: ~command.target.matches(*reachable) | (command.count == 0),
    }


def transfer_reach(config: AcceleratorConfig, command: View) -> Reach:
    """Rows first + 0 .. count - 1 of the target."""
    rows = (
        Mux(command.target == target, transfer.rows, 0)
        for target, transfer in transfers(config).items()
    )
    return Reach(kind="moved", offset=command.first + command.count, limit=reduce(or_, rows))


def _errors(config: AcceleratorConfig, command: View) -> dict[ErrorCode, Value]:
    reachable = (target for target, transfer in transfers(config).items() if transfer.loads)
    return transfer_errors(command, reachable)


def _waits(config: AcceleratorConfig, command: View) -> Value:
    """Unless nothing but LOAD writes the memory, and the program does not ask for it either."""
    alone = (target for target, transfer in transfers(config).items() if transfer.alone)
    return command.barrier | ~command.target.matches(*alone)


LOAD = Command(
    name="LOAD",
    does="fills `target` from its row `first` on with `count` rows",
    fields=("target", "first", "count", "barrier"),
    unit="load",
    payload=True,
    waits=_waits,
    errors=_errors,
    reaches=lambda config, command: (transfer_reach(config, command),),
)


def transfer_layout(config: AcceleratorConfig) -> StructLayout:
    """`count` rows of `target` from its row `first` on."""
    bits = row_count_bits(config)
    return StructLayout({"target": Target, "first": unsigned(bits), "count": unsigned(bits)})


class RowLoader(wiring.Component):
    """
    Attributes
    ----------
    command : accepted while idle
    rows : payload
    write, target, row, data : a row to write this cycle; for GELU its first byte, `row` being the
    entry idle : nothing under way
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        row_bits = max(row_count_bits(config), (numerics.GELU_ENTRIES - 1).bit_length())
        super().__init__(
            {
                "command": In(stream.Signature(transfer_layout(config))),
                "rows": In(stream.Signature(unsigned(config.row_bits))),
                "write": Out(1),
                "target": Out(Target),
                "row": Out(row_bits),
                "data": Out(config.row_bits),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width = self._config.width
        left = Signal(row_count_bits(self._config))
        more_rows, more_bytes = Signal(), Signal()
        bytes_left = Signal(range(width + 1))
        is_gelu = self.target == Target.GELU
        command = self.command.payload
        m.d.comb += [
            self.idle.eq(~more_rows & ~self.write),
            self.command.ready.eq(self.idle),
            self.rows.ready.eq(more_rows & ~more_bytes),
        ]
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [
                self.target.eq(command.target),
                self.row.eq(command.first - 1),
                left.eq(command.count),
                more_rows.eq(command.count != 0),
            ]
        accept = self.rows.valid & self.rows.ready
        m.d.sync += self.write.eq(accept | more_bytes)
        with m.If(accept):
            m.d.sync += [
                self.data.eq(self.rows.payload),
                self.row.eq(self.row + 1),
                left.eq(left - 1),
                more_rows.eq(left != 1),
                bytes_left.eq(width),
                more_bytes.eq(is_gelu),
            ]
        with m.Elif(more_bytes):
            m.d.sync += [
                self.data.eq(self.data >> 8),
                self.row.eq(self.row + 1),
                bytes_left.eq(bytes_left - 1),
                more_bytes.eq(bytes_left != 2),
            ]
        return m
