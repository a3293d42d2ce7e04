"""Proofs of the units on the buses."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Out

from proofs.harness import Harness, assume
from proofs.proof import Proof
from proofs.rules.axi4 import ReadRules, WriteRules
from proofs.rules.axi_lite import LiteRules
from proofs.rules.side import Side
from proofs.rules.streams import stable
from proofs.watch import watch
from rtl_gen.bus.row_writer import RowWriter
from rtl_gen.bus.stream_reader import StreamReader
from rtl_gen.config import get_config

SMALL = get_config("tiny", stream_beats=16, bus_bytes=4)


class ReaderHarness(Harness):
    """A reader whose memory does what it wants."""

    assumed: Side | None = None
    most_bursts: int | None = None

    def claim(self, m: Module) -> None:
        m.submodules.unit = self.unit = unit = StreamReader(SMALL)
        m.submodules.rules = rules = ReadRules(
            SMALL, held=Side.MANAGER, assumed=self.assumed, most_bursts=self.most_bursts
        )
        self.feed(m, unit)
        watch(m, rules, unit.axi)


class ReaderKeepsCount(ReaderHarness):
    """Its memory keeps the rules."""

    assumed = Side.SUBORDINATE
    most_bursts = 16


class WriterHarness(Harness):
    """A writer whose memory does what it wants."""

    assumed: Side | None = None
    most_bursts: int | None = None

    def claim(self, m: Module) -> None:
        m.submodules.unit = self.unit = unit = RowWriter(SMALL)
        m.submodules.rules = rules = WriteRules(
            SMALL, held=Side.MANAGER, assumed=self.assumed, most_bursts=self.most_bursts
        )
        self.feed(m, unit)
        watch(m, rules, unit.axi)


class WriterKeepsCount(WriterHarness):
    assumed = Side.SUBORDINATE
    most_bursts = 16


PROOFS = (
    Proof(unit="bus.stream_reader", name="axi4", claim="", harness=ReaderHarness),
    Proof(unit="bus.stream_reader", name="count", claim="", harness=ReaderKeepsCount),
    Proof(unit="bus.row_writer", name="axi4", claim="", harness=WriterHarness),
    Proof(unit="bus.row_writer", name="count", claim="", harness=WriterKeepsCount),
)
