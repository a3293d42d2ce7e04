"""Range check of the rows that a command addresses, which may depend on the tokens.

    LINEAR reads    token * slices + 0 .. slices - 1          of its source
    LINEAR writes   token * pitch + 0 .. rows of its tiles    of its destination (QKV: no rows)
    ATTEND writes   token * pitch + first                     of the hidden memory
    LOAD, STORE     first + 0 .. count - 1                    of their target
    STORE writes    address / width + 0 .. count - 1          of memory

A live token is at most the last one of SET_TOKENS, so that this one's last row decides. One
register follows the products and the end of a transfer, one the comparisons: `beyond` is valid
LATENCY cycles after `command`.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from rtl_gen.common.pipeline import register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import ADDRESS_BITS, Destination, Source, command_layout
from rtl_gen.interfaces.targets import transfers


class RangeCheck(wiring.Component):
    """
    Attributes
    ----------
    command : any command
    last_token : number of tokens of SET_TOKENS - 1
    beyond : the command would leave a memory, on the chip or outside
    """

    LATENCY = 2

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "command": In(command_layout(config)),
                "last_token": In(config.token_bits),
                "beyond": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, command = self._config, self.command
        attends, linear = command.opcode == Opcode.ATTEND, command.opcode == Opcode.LINEAR
        to = command.destination

        alone = register(m, linear & command.only_cls, name="alone")
        int8_part = (config.chunks - 1).bit_length()
        wide = to.matches(Destination.LOGITS, Destination.RESIDUAL)
        last_slice = Signal.like(command.slices)
        last_tile = Signal.like(command.tiles)
        m.d.comb += [last_slice.eq(command.slices - 1), last_tile.eq(command.tiles - 1)]
        part = Mux(wide, last_tile >> int8_part - 1, last_tile >> int8_part)
        read_base = register(m, self.last_token * command.slices, name="read_base")
        written_base = register(m, self.last_token * command.pitch, name="written_base")
        read_offset = register(m, last_slice, name="read_offset")
        written_offset = register(m, Mux(attends, command.first, part), name="written_offset")
        last_read = Mux(alone, 0, read_base) + read_offset
        last_written = Mux(alone, 0, written_base) + written_offset

        readable = Mux(command.source == Source.HIDDEN, config.hidden_rows, config.activation_rows)
        writable = Mux(
            linear & (to == Destination.RESIDUAL), config.residual_rows, config.hidden_rows
        )
        writes = attends | (linear & (to != Destination.QKV))
        read_beyond = last_read >= register(m, readable, name="readable")
        written_beyond = last_written >= register(m, writable, name="writable")

        stores = command.opcode == Opcode.STORE
        moves = (command.opcode == Opcode.LOAD) | stores
        rows = reduce(
            or_,
            (
                Mux(command.target == target, allowed.rows, 0)
                for target, allowed in transfers(config).items()
            ),
        )
        end = register(m, command.first + command.count, name="end")
        row_bits = exact_log2(config.width)
        stored_end = register(m, command.address[row_bits:] + command.count, name="stored_end")
        memory_rows = 1 << ADDRESS_BITS - row_bits
        m.d.sync += self.beyond.eq(
            (register(m, linear, name="reads") & read_beyond)
            | (register(m, writes, name="writes") & written_beyond)
            | (register(m, moves, name="moves") & (end > register(m, rows, name="rows")))
            | (register(m, stores, name="stores") & (stored_end > memory_rows))
        )
        return m
