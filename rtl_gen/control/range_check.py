"""Range check of the rows that LINEAR and ATTEND address, as they depend on the tokens.

    LINEAR reads    token * slices + 0 .. slices - 1          of its source
    LINEAR writes   token * pitch + 0 .. rows of its tiles    of its destination (QKV: no rows)
    ATTEND writes   token * pitch + first                     of the hidden memory

A live token is at most the last one of SET_TOKENS, so that this one's last row decides. One
register follows the products, one the comparisons: `beyond` is valid LATENCY cycles after
`command`.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.common.pipeline import register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.program_format import COMMAND, Opcode
from rtl_gen.linear.linear import Destination, Source


class RangeCheck(wiring.Component):
    """
    Attributes
    ----------
    command : any command
    last_token : number of tokens of SET_TOKENS - 1
    beyond : the command would leave a memory
    """

    LATENCY = 2

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {"command": In(COMMAND), "last_token": In(config.token_bits), "beyond": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        config, command = self._config, self.command
        attends, linear = command.opcode == Opcode.ATTEND, command.opcode == Opcode.LINEAR
        to = command.destination

        last = Mux(linear & command.only_cls, 0, self.last_token)
        int8_part = (config.chunks - 1).bit_length()
        wide = to.matches(Destination.LOGITS, Destination.RESIDUAL)
        last_slice = Signal.like(command.slices)
        last_tile = Signal.like(command.tiles)
        m.d.comb += [last_slice.eq(command.slices - 1), last_tile.eq(command.tiles - 1)]
        part = Mux(wide, last_tile >> int8_part - 1, last_tile >> int8_part)
        last_read = _last_row(m, "read", last, command.slices, last_slice)
        last_written = _last_row(
            m, "written", last, command.pitch, Mux(attends, command.first, part)
        )

        readable = Mux(command.source == Source.HIDDEN, config.hidden_rows, config.activation_rows)
        writable = Mux(
            linear & (to == Destination.RESIDUAL), config.residual_rows, config.hidden_rows
        )
        writes = attends | (linear & (to != Destination.QKV))
        read_beyond = last_read >= register(m, readable, name="readable")
        written_beyond = last_written >= register(m, writable, name="writable")
        m.d.sync += self.beyond.eq(
            (register(m, linear, name="reads") & read_beyond)
            | (register(m, writes, name="writes") & written_beyond)
        )
        return m


def _last_row(m: Module, name: str, token, rows, offset):
    """token * rows + offset, a cycle later but for the sum."""
    base = register(m, token * rows, name=f"{name}_base")
    return base + register(m, offset, name=f"{name}_offset")
