"""Proofs of the units on the buses."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.utils import exact_log2

from proofs.harness import Harness
from proofs.proof import Proof
from proofs.rules.axi4 import ReadRules, WriteRules
from proofs.rules.side import Side
from proofs.rules.streams import stable
from proofs.watch import watch
from rtl_gen.bus.row_packer import RowPacker
from rtl_gen.bus.row_writer import RowWriter
from rtl_gen.bus.stream_reader import StreamReader
from rtl_gen.common.contract import require
from rtl_gen.presets import get_config

SMALL = get_config("tiny", stream_beats=16)


class ReaderHarness(Harness):
    """A reader whose memory does what it wants."""

    def claim(self, m: Module) -> None:
        m.submodules.unit = unit = StreamReader(SMALL)
        m.submodules.rules = rules = ReadRules(SMALL, held=Side.MANAGER, most_bursts=None)
        self.feed(m, unit)
        watch(m, rules, unit.axi)


class WriterHarness(Harness):
    """A writer whose memory does what it wants."""

    assumed: Side | None = None
    most_bursts: int | None = None

    def claim(self, m: Module) -> None:
        m.submodules.unit = unit = RowWriter(SMALL)
        m.submodules.rules = rules = WriteRules(
            SMALL, held=Side.MANAGER, assumed=self.assumed, most_bursts=self.most_bursts
        )
        self.feed(m, unit)
        watch(m, rules, unit.axi)


class WriterKeepsCount(WriterHarness):
    """Its memory keeps the rules."""

    assumed = Side.SUBORDINATE
    most_bursts = 16


class RowsInBeats(Harness):
    """Any rows, a memory that does what it wants."""

    def claim(self, m: Module) -> None:
        m.submodules.unit = unit = RowWriter(SMALL)
        self.feed(m, unit)
        bus, rows = unit.axi, unit.rows
        row, address = Signal(SMALL.row_bits), Signal(SMALL.address_bits)
        place = Signal(range(SMALL.row_beats))
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += place.eq(Mux(bus.wlast, 0, place + 1))
        with m.If(rows.valid & rows.ready):
            m.d.sync += [row.eq(rows.payload.data), address.eq(rows.payload.address)]
        beat = row.word_select(place, len(bus.wdata))
        require(m, ~bus.wvalid | (bus.wdata == beat), "a beat is not the row's next part")
        start = Cat(Const(0, exact_log2(SMALL.width)), address[exact_log2(SMALL.width) :])
        require(m, ~bus.awvalid | (bus.awaddr == start), "an address is not the row's")


class RowsOfBeats(Harness):
    """Any beats, a consumer that takes rows when it wants; cleared at any time."""

    def claim(self, m: Module) -> None:
        m.submodules.unit = unit = RowPacker(SMALL)
        self.feed(m, unit)
        beats, rows, last = unit.beats, unit.rows, SMALL.row_beats - 1
        history = [Signal(len(beats.payload.data), name=f"beat_{i}") for i in range(last + 1)]
        place, full, lost = Signal(range(last + 1)), Signal(), Signal()
        enters = beats.valid & beats.ready
        with m.If(rows.valid & rows.ready):
            m.d.sync += full.eq(0)
        with m.If(enters):
            m.d.sync += [
                Cat(history).eq(Cat(*history[1:], beats.payload.data)),
                place.eq(Mux(place == last, 0, place + 1)),
                full.eq(place == last),
                lost.eq(lost | beats.payload.lost),
            ]
        with m.If(unit.clear):
            m.d.sync += [full.eq(0), place.eq(0), lost.eq(0)]
        require(
            m, rows.valid == full, "a row is not offered when its last beat is in, or too early"
        )
        require(m, ~full | (rows.payload.data == Cat(history)), "a row is not its beats in order")
        require(m, ~full | (rows.payload.lost == lost), "`lost` is not that of a beat so far")
        require(m, beats.ready | (full & ~rows.ready), "a beat waits for nothing")
        stable(m, "rows", rows, clear=unit.clear)


PROOFS = (
    Proof(
        unit="bus.stream_reader",
        name="AXI4",
        claim="requests keep every rule of the manager on AR, whatever memory, consumer and "
        "`clear` do, and behind a reset in mid-burst",
        harness=ReaderHarness,
        broken=("rtl_gen.bus.stream_reader", "bus.arlen.eq(burst - 1)", "bus.arlen.eq(burst)"),
    ),
    Proof(
        unit="bus.row_writer",
        name="AXI4",
        claim="rows keep every rule of the manager on AW and W, whatever memory and `clear` do, "
        "and behind a reset in mid-burst",
        harness=WriterHarness,
        broken=("rtl_gen.bus.row_writer", "~bus.wvalid | bus.wready", "~bus.wvalid | ~bus.wready"),
    ),
    Proof(
        unit="bus.row_writer",
        name="count",
        claim=f"at most {RowWriter.ROWS_IN_FLIGHT} rows without an answer, WLAST with the last "
        "beat, if memory keeps its rules",
        harness=WriterKeepsCount,
        broken=("rtl_gen.bus.row_writer", "bus.wlast.eq(beat == beats - 1)", "bus.wlast.eq(1)"),
    ),
    Proof(
        unit="bus.row_writer",
        name="rows",
        claim="a row leaves at its address, in order and as it was taken, whatever memory does",
        harness=RowsInBeats,
        broken=("rtl_gen.bus.row_writer", "~bus.wvalid | bus.wlast, self", "bus.wlast, self"),
        depth=40,
    ),
    Proof(
        unit="bus.row_packer",
        name="rows",
        claim="every row is its beats in order, none is lost or doubled, also by `clear`",
        harness=RowsOfBeats,
        broken=("rtl_gen.bus.row_packer", "lost | self.beats.payload.lost", "lost"),
    ),
)
