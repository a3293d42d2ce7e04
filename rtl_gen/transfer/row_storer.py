"""Row storer: rows of the on-chip memories out to memory.

One row at a time: READ_CYCLES from its address to the row, then it waits for the writer. Storing is
for results and for looking at intermediate tensors; it is not on the path of an inference.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, View
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from rtl_gen.common.pipeline import data_register, register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import Command
from rtl_gen.interfaces.layouts import stored_row_layout
from rtl_gen.interfaces.memories import kv_address, reads
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.interfaces.targets import Target, Transfer, transfers
from rtl_gen.transfer.row_loader import transfer_errors, transfer_reach


def _errors(config: AcceleratorConfig, command: View) -> dict[ErrorCode, Value]:
    reachable = (target for target, transfer in transfers(config).items() if transfer.stores)
    inside_row = command.address[: exact_log2(config.width)].any()
    return transfer_errors(command, reachable) | {ErrorCode.NOT_ALIGNED: inside_row}


STORE = Command(
    name="STORE",
    does="`count` rows of `target`, from its row `first` on, to memory at the result base + "
    "`address` (whole rows)",
    fields=("target", "first", "count", "address"),
    unit="store",
    one_core=lambda _command: 1,
    errors=_errors,
    to_memory=True,
    reaches=lambda config, command: (transfer_reach(config, command),),
)


class RowStorer(wiring.Component):
    """
    Attributes
    ----------
    store : in, command; taken while idle
    reads : out, the memories that STORE reads
    rows : out, towards memory
    idle : out, nothing under way
    """

    READ_CYCLES = 3

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "store": In(STORE.signature(config)),
                "reads": Out(reads(config, "store")),
                "rows": Out(stream.Signature(stored_row_layout(config))),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        command = self.store.payload
        out = data_register(m, self.rows.payload, name="out")
        active, target = Signal(), Signal(Target)
        row, left = Signal(len(command.count)), Signal(len(command.count))
        wait = Signal(range(self.READ_CYCLES))
        m.d.comb += [
            self.idle.eq(~active & ~self.rows.valid),
            self.store.ready.eq(self.idle),
        ]
        with m.If(self.store.valid & self.store.ready):
            m.d.sync += [
                target.eq(command.target),
                row.eq(command.first),
                left.eq(command.count),
                active.eq(command.count != 0),
                out.address.eq(command.address),
                wait.eq(self.READ_CYCLES - 1),
            ]
        with m.If(self.rows.valid & self.rows.ready):
            m.d.sync += [
                self.rows.valid.eq(0),
                out.address.eq(out.address + self._config.width),
            ]
        data = self._read(m, active, target, row)
        with m.If(active & (wait != 0)):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(active & ~self.rows.valid):
            m.d.sync += [
                out.data.eq(data),
                self.rows.valid.eq(1),
                row.eq(row + 1),
                left.eq(left - 1),
                active.eq(left != 1),
                wait.eq(self.READ_CYCLES - 1),
            ]
        return m

    def _read(self, m: Module, active: Value, target: Value, row: Value) -> Value:
        """Reads `row` of `target`; its data READ_CYCLES - 1 cycles later.

        Registers stand behind parts of one wide multiplexer of everything that may be stored.
        """
        choices = []
        for name in reads(self._config, "store").members:
            goals = {x: t for t, x in transfers(self._config).items() if x.memory.name == name}
            chosen = target.matches(*goals.values())
            reads_it = register(m, chosen, name=f"reads_{name}")
            port, (goal, *_) = getattr(self.reads, name), goals
            m.d.comb += port.enable.eq(active & chosen)
            if goal.memory.lanes_apart:
                choices += self._bank_rows(m, port, goals, reads_it, target, row)
            else:
                m.d.comb += port.address.eq(row >> exact_log2(goal.rows_per_word))
                choices.append((reads_it, _row_of_word(m, goal, port.data, row)))
        size = max(4, self._config.lanes)
        parts = [
            register(
                m,
                reduce(or_, (Mux(flag, value, 0) for flag, value in choices[first : first + size])),
                name=f"part_{first}",
            )
            for first in range(0, len(choices), size)
        ]
        return reduce(or_, parts)

    def _bank_rows(self, m: Module, port, goals: dict, chosen, target, row) -> list:
        """What each bank of the kv memory reads, and whether that is the row."""
        banks = range(self._config.lanes)
        values = [t for transfer, t in goals.items() if transfer.half == 1]
        address = kv_address(self._config, row, target.matches(*values))
        bank_bits = exact_log2(len(banks))
        bank = register(m, address[:bank_bits], name="bank")
        m.d.comb += [port.address[i].eq(address >> bank_bits) for i in banks]
        return [(chosen & (bank == i), Value.cast(port.data[i])) for i in banks]


def _row_of_word(m: Module, transfer: Transfer, data: Value, row: Value) -> Value:
    """The row of a word, its elements padded."""
    if transfer.element_bits is not None:
        data = Cat(Cat(element, Const(0, transfer.element_bits - len(element))) for element in data)
    if transfer.rows_per_word == 1:
        return Value.cast(data)
    rows = Signal(ArrayLayout(-(-len(data) // transfer.rows_per_word), transfer.rows_per_word))
    m.d.comb += rows.as_value().eq(data)
    return rows[row[: exact_log2(transfer.rows_per_word)]]
