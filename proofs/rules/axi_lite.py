"""Rules of AXI4-Lite (ARM IHI 0022, chapter B1), with bounds on how long an answer takes."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring

from proofs.rules.axi4 import EXOKAY, watched
from proofs.rules.side import Rulebook, Side
from rtl_gen.bus import axi

PATIENCE = 8
"""Cycles within which a request is taken and answered while its answers are taken."""


class LiteRules(wiring.Component):
    """
    Parameters
    ----------
    address_bits : of the bus
    held, assumed : the sides whose rules are asserted and assumed
    """

    MOST = 3
    """Requests of a kind that a subordinate may have taken and not answered."""

    def __init__(
        self, address_bits: int, *, held: Side = Side.SUBORDINATE, assumed: Side | None = None
    ):
        self._sides = (held, assumed)
        super().__init__(watched(axi.lite_signature(address_bits)))

    def elaborate(self, platform):
        m = Module()
        book = Rulebook(m, "AXI4-Lite", held=self._sides[0], assumed=self._sides[1])
        channels = {"ar": ("addr", "prot"), "aw": ("addr", "prot"), "w": ("data", "strb")}
        for channel, payload in channels.items():
            self._stable(book, Side.MANAGER, channel, payload)
        self._stable(book, Side.SUBORDINATE, "r", ("data", "resp"))
        self._stable(book, Side.SUBORDINATE, "b", ("resp",))
        reads = self._outstanding(m, book, "ar", "r")
        addresses = self._outstanding(m, book, "aw", "b")
        data = self._outstanding(m, book, "w", "b")
        sub = Side.SUBORDINATE
        book.rule(sub, ~self.rvalid | (reads != 0), "R without its address")
        book.rule(sub, ~self.bvalid | (addresses != 0), "B without its address")
        book.rule(sub, ~self.bvalid | (data != 0), "B without its data")
        book.rule(sub, ~self.rvalid | (self.rresp != EXOKAY), "EXOKAY of a read")
        book.rule(sub, ~self.bvalid | (self.bresp != EXOKAY), "EXOKAY of a write")
        self._answers(m, book, "a read", (reads != 0) | self.arvalid, self.rvalid, self.rready)
        whole = ((addresses != 0) | self.awvalid) & ((data != 0) | self.wvalid)
        self._answers(m, book, "a write", whole, self.bvalid, self.bready)
        return m

    def _stable(self, book: Rulebook, side: Side, channel: str, payload: tuple[str, ...]) -> None:
        valid, ready = (getattr(self, f"{channel}{name}") for name in ("valid", "ready"))
        signals = [getattr(self, f"{channel}{name}") for name in payload]
        book.stable(side, channel.upper(), valid, ready, signals)

    def _outstanding(self, m: Module, book: Rulebook, asks: str, answers: str) -> Signal:
        """How many transfers on the channel `asks` have no answer on the channel `answers`."""

        def transfer(channel: str):
            return getattr(self, f"{channel}valid") & getattr(self, f"{channel}ready")

        count = Signal(range(self.MOST + 1), name=f"{asks}_outstanding")
        asked, answered = transfer(asks), transfer(answers)
        m.d.sync += count.eq(count + asked - (answered & (count != 0)))
        book.rule(
            Side.SUBORDINATE,
            ~asked | (count != self.MOST),
            f"more than {self.MOST} on {asks.upper()} taken and not answered",
        )
        return count

    def _answers(self, m: Module, book: Rulebook, what: str, waits, valid, ready) -> None:
        """A request is answered within PATIENCE cycles in which no answer is kept waiting."""
        cycles = Signal(range(PATIENCE + 1), name=f"cycles_of_{what.split()[-1]}")
        with m.If(~(valid & ~ready)):
            m.d.sync += cycles.eq(Mux(waits & ~valid, cycles + 1, 0))
        book.rule(Side.SUBORDINATE, cycles != PATIENCE, f"{what} is not answered")
