"""Row loader: the payload of LOAD into the memories on the chip.

A row a cycle, a cycle after it was taken; a row that makes up several words (the GELU table) takes
a cycle for each. Idle again the cycle after the last write.
"""

from collections.abc import Iterable
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import View
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import Command, Reach, is_one_of, payload_port
from rtl_gen.interfaces.memories import kv_address, writes
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.interfaces.targets import Target, transfers


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
    """Only if other units write the memory too, or if the program asks for it."""
    shared = (target for target, transfer in transfers(config).items() if not transfer.alone)
    return command.barrier | is_one_of(command.target, shared)


LOAD = Command(
    name="LOAD",
    does="fills `target` from its row `first` on with `count` rows",
    fields=("target", "first", "count", "barrier"),
    unit="load",
    payload=True,
    from_host=lambda command: command.input,
    one_core=lambda command: command.one_core,
    waits=_waits,
    errors=_errors,
    reaches=lambda config, command: (transfer_reach(config, command),),
)


class RowLoader(wiring.Component):
    """
    Attributes
    ----------
    load : in, command; taken while idle
    payload : in, its rows
    writes : out, the memories that LOAD fills
    idle : out, nothing under way
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "load": In(LOAD.signature(config)),
                "payload": In(payload_port(config)),
                "writes": Out(writes(config, "load")),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        targets = transfers(self._config)
        split = {t: transfer for t, transfer in targets.items() if transfer.words_per_row > 1}
        ((words, word_bits),) = {(x.words_per_row, x.memory.bits) for x in split.values()}
        row_bits = max((x.rows * x.words_per_row - 1).bit_length() for x in targets.values())

        rows, command = self.payload.rows, self.load.payload
        write, target = Signal(), Signal(Target)
        row, data = Signal(row_bits), Signal(self._config.row_bits, reset_less=True)
        left, words_left = Signal(len(command.count)), Signal(range(words + 1))
        more_rows, more_words = Signal(), Signal()
        m.d.comb += [
            self.idle.eq(~more_rows & ~write),
            self.load.ready.eq(self.idle),
            self.payload.feeding.eq(~self.idle),
            self.payload.expects.eq(rows.ready),
            rows.ready.eq(more_rows & ~more_words),
        ]
        with m.If(self.load.valid & self.load.ready):
            m.d.sync += [
                target.eq(command.target),
                row.eq(command.first - 1),
                left.eq(command.count),
                more_rows.eq(command.count != 0),
            ]
        accept = rows.valid & rows.ready
        m.d.sync += write.eq(accept | more_words)
        with m.If(accept):
            m.d.sync += [
                data.eq(rows.payload),
                row.eq(row + 1),
                left.eq(left - 1),
                more_rows.eq(left != 1),
                words_left.eq(words),
                more_words.eq(target.matches(*split)),
            ]
        with m.Elif(more_words):
            m.d.sync += [
                data.eq(data >> word_bits),
                row.eq(row + 1),
                words_left.eq(words_left - 1),
                more_words.eq(words_left != 2),
            ]
        for name in writes(self._config, "load").members:
            goals = {t: x for t, x in targets.items() if x.memory.name == name}
            self._write(m, name, goals, write & target.matches(*goals), target, row, data)
        return m

    def _write(self, m: Module, name: str, goals: dict, chosen, target, row, data) -> None:
        """A row at its place in the memory `name`, for the targets `goals` that lie there."""
        port, (goal, *_) = getattr(self.writes, name), goals.values()
        memory, parts = goal.memory, goal.rows_per_word
        part = row[: exact_log2(parts)]
        word = row >> exact_log2(parts)
        if goal.half is not None:
            values = [t for t, transfer in goals.items() if transfer.half == 1]
            word = kv_address(self._config, word, target.matches(*values))
        if goal.element_bits is not None:
            element = memory.shape.elem_shape.width
            count = memory.bits // element
            data = Cat(data.word_select(i, goal.element_bits)[:element] for i in range(count))
        m.d.comb += [
            port.address.eq(word),
            Value.cast(port.data).eq(data[: memory.bits // parts].replicate(parts)),
            port.enable.eq(chosen),
        ]
        if memory.chunks > 1:
            size = memory.chunks // parts
            m.d.comb += port.chunks.eq(Cat((part == i).replicate(size) for i in range(parts)))
