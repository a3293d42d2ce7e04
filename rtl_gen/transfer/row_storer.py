"""Row storer: rows of the on-chip memories out to memory.

One row at a time: READ_CYCLES from its address to the row, then it waits for the writer. Storing is
for results and for looking at intermediate tensors; it is not on the path of an inference.
"""

from amaranth.hdl import Module, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout, View
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import Command, Reach
from rtl_gen.interfaces.program import ADDRESS_BITS, ErrorCode
from rtl_gen.interfaces.targets import Target, row_count_bits, transfers
from rtl_gen.transfer.row_loader import transfer_errors, transfer_reach


def _errors(config: AcceleratorConfig, command: View) -> dict[ErrorCode, Value]:
    reachable = (target for target, transfer in transfers(config).items() if transfer.stores)
    inside_row = command.address[: exact_log2(config.width)].any()
    return transfer_errors(command, reachable) | {ErrorCode.NOT_ALIGNED: inside_row}


def _reaches(config: AcceleratorConfig, command: View) -> tuple[Reach, Reach]:
    """Besides the target's, rows address / width + 0 .. count - 1 of memory."""
    row_bits = exact_log2(config.width)
    return (
        transfer_reach(config, command),
        Reach(
            kind="stored",
            offset=command.address[row_bits:] + command.count,
            limit=1 << ADDRESS_BITS - row_bits,
        ),
    )


STORE = Command(
    name="STORE",
    does="`count` rows of `target`, from its row `first` on, to memory at `address` (whole rows)",
    fields=("target", "first", "count", "address"),
    unit="store",
    errors=_errors,
    reaches=_reaches,
)


def store_layout(config: AcceleratorConfig) -> StructLayout:
    """`count` rows of `target`, from its row `first` on, to `address`."""
    return StructLayout(
        {
            "target": Target,
            "first": unsigned(row_count_bits(config)),
            "count": unsigned(row_count_bits(config)),
            "address": unsigned(ADDRESS_BITS),
        }
    )


def stored_row_layout(config: AcceleratorConfig) -> StructLayout:
    """A row and the address that it goes to."""
    return StructLayout({"address": unsigned(ADDRESS_BITS), "data": unsigned(config.row_bits)})


class RowStorer(wiring.Component):
    """
    Attributes
    ----------
    command : accepted while idle
    active, target, row : the row that is read; constant until its data are taken
    data : the row, at the latest READ_CYCLES - 1 cycles after `row`
    rows : towards memory
    idle : nothing under way
    """

    READ_CYCLES = 3

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "command": In(stream.Signature(store_layout(config))),
                "active": Out(1),
                "target": Out(Target),
                "row": Out(row_count_bits(config)),
                "data": In(config.row_bits),
                "rows": Out(stream.Signature(stored_row_layout(config))),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        left = Signal(row_count_bits(self._config))
        wait = Signal(range(self.READ_CYCLES))
        command, row = self.command.payload, self.rows.payload
        m.d.comb += [
            self.idle.eq(~self.active & ~self.rows.valid),
            self.command.ready.eq(self.idle),
        ]
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [
                self.target.eq(command.target),
                self.row.eq(command.first),
                left.eq(command.count),
                self.active.eq(command.count != 0),
                row.address.eq(command.address),
                wait.eq(self.READ_CYCLES - 1),
            ]
        with m.If(self.rows.valid & self.rows.ready):
            m.d.sync += [
                self.rows.valid.eq(0),
                row.address.eq(row.address + self._config.width),
            ]
        with m.If(self.active & (wait != 0)):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(self.active & ~self.rows.valid):
            m.d.sync += [
                row.data.eq(self.data),
                self.rows.valid.eq(1),
                self.row.eq(self.row + 1),
                left.eq(left - 1),
                self.active.eq(left != 1),
                wait.eq(self.READ_CYCLES - 1),
            ]
        return m
