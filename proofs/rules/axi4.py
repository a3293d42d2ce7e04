"""Rules of AXI4 (ARM IHI 0022), and what docs/architecture.md promises beyond them.

Chapter numbers are those of issue H.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from proofs.rules.side import Rulebook, Side
from rtl_gen.bus import axi
from rtl_gen.config import AcceleratorConfig

PAGE_BYTES = 4096
INCR, EXOKAY = 1, 1
READ_CACHE, WRITE_CACHE = 0b0011, 0b0010
"""Normal memory that is not cacheable, bufferable only where it is read."""
NON_SECURE = 0b010

ADDRESS_PAYLOAD = ("id", "addr", "len", "size", "burst", "lock", "cache", "prot", "qos")


def watched(signature: wiring.Signature) -> dict[str, wiring.Member]:
    """Every signal of a bus as an input."""
    return {name: In(member.shape) for name, member in signature.members.items()}


class _Burst:
    """The number of outstanding bursts, and the length of the oldest one."""

    def __init__(self, m: Module, most: int, name: str):
        self._m, self._most = m, most
        self.count = Signal(range(most + 1), name=f"{name}_bursts")
        self.lengths = [Signal(8, name=f"{name}_length_{i}", reset_less=True) for i in range(most)]
        self.beat = Signal(8, name=f"{name}_beat")

    def follow(self, begins, length, beat, ends) -> None:
        """`begins` a burst of `length` + 1 beats; a `beat` of the oldest, with which it `ends`."""
        m = self._m
        m.d.sync += self.count.eq(self.count + begins - ends)
        with m.If(beat):
            m.d.sync += self.beat.eq(Mux(ends, 0, self.beat + 1))
        place = self.count - ends
        for i, kept in enumerate(self.lengths):
            later = self.lengths[i + 1] if i + 1 < self._most else kept
            with m.If(begins & (place == i)):
                m.d.sync += kept.eq(length)
            with m.Elif(ends):
                m.d.sync += kept.eq(later)


class _PortRules(wiring.Component):
    """Half of a memory port.

    Parameters
    ----------
    held, assumed : the sides whose rules are asserted and assumed
    most_bursts : so many may be outstanding; None: how many there are and how long is not followed
    """

    def __init__(
        self,
        signature: wiring.Signature,
        config: AcceleratorConfig,
        *,
        held: Side = Side.MANAGER,
        assumed: Side | None = None,
        most_bursts: int | None,
    ):
        self._config, self._sides, self._most = config, (held, assumed), most_bursts
        super().__init__(watched(signature))


class ReadRules(_PortRules):
    """Channels AR and R; parameters as those of _PortRules."""

    def __init__(self, config: AcceleratorConfig, **choices: Any):
        super().__init__(axi.read_signature(config), config, **choices)

    def elaborate(self, platform):
        m = Module()
        book = Rulebook(m, "AXI4", held=self._sides[0], assumed=self._sides[1])
        address_rules(m, book, self._config, self, "ar", READ_CACHE)
        payload = [self.rdata, self.rresp, self.rlast, self.rid]
        book.stable(Side.SUBORDINATE, "R", self.rvalid, self.rready, payload)
        if self._most is not None:
            self._answers(m, book)
        return m

    def _answers(self, m: Module, book: Rulebook) -> None:
        bursts = _Burst(m, self._most, "read")
        asked = self.arvalid & self.arready
        beat = self.rvalid & self.rready & (bursts.count != 0)
        last = bursts.beat == bursts.lengths[0]
        bursts.follow(asked, self.arlen, beat, beat & last)
        book.rule(
            Side.MANAGER, ~asked | (bursts.count != self._most), "more reads outstanding than said"
        )
        book.rule(Side.SUBORDINATE, ~self.rvalid | (bursts.count != 0), "R that nobody asked for")
        book.rule(Side.SUBORDINATE, ~self.rvalid | (self.rlast == last), "RLAST at another beat")
        book.rule(Side.SUBORDINATE, ~self.rvalid | (self.rresp != EXOKAY), "EXOKAY")


class WriteRules(_PortRules):
    """Channels AW, W and B; parameters as those of _PortRules."""

    def __init__(self, config: AcceleratorConfig, **choices: Any):
        super().__init__(axi.write_signature(config), config, **choices)

    def elaborate(self, platform):
        m = Module()
        book = Rulebook(m, "AXI4", held=self._sides[0], assumed=self._sides[1])
        address_rules(m, book, self._config, self, "aw", WRITE_CACHE)
        book.stable(
            Side.MANAGER, "W", self.wvalid, self.wready, [self.wdata, self.wstrb, self.wlast]
        )
        book.rule(Side.MANAGER, ~self.wvalid | self.wstrb.all(), "WSTRB leaves bytes out")
        book.stable(Side.SUBORDINATE, "B", self.bvalid, self.bready, [self.bresp, self.bid])
        if self._most is not None:
            self._answers(m, book)
        return m

    def _answers(self, m: Module, book: Rulebook) -> None:
        addresses = Signal(range(self._most + 1))
        data = Signal(range(self._most + 1))
        beat = Signal(8)
        sent, moved = self.awvalid & self.awready, self.wvalid & self.wready
        ends = moved & self.wlast
        answered = self.bvalid & self.bready & (addresses != 0) & (data != 0)
        m.d.sync += [
            addresses.eq(addresses + sent - answered),
            data.eq(data + ends - answered),
        ]
        with m.If(moved):
            m.d.sync += beat.eq(Mux(self.wlast, 0, beat + 1))
        length = self._config.row_beats - 1
        manager = (
            (~self.wvalid | (self.wlast == (beat == length)), "WLAST at another beat"),
            (~self.awvalid | (self.awlen == length), "AWLEN is not that of a row"),
            (~sent | (addresses != self._most), "more writes outstanding than said"),
            (~ends | (data != self._most), "more data outstanding than said"),
        )
        for condition, message in manager:
            book.rule(Side.MANAGER, condition, message)
        complete = (addresses != 0) & (data != 0)
        book.rule(Side.SUBORDINATE, ~self.bvalid | complete, "B before its address and last data")
        book.rule(Side.SUBORDINATE, ~self.bvalid | (self.bresp != EXOKAY), "EXOKAY")


def address_rules(
    m: Module, book: Rulebook, config: AcceleratorConfig, bus, channel: str, cache: int
) -> None:
    """Of the channel "ar" or "aw": A3.1.2 (reset), A3.2.1 (handshake), A3.4.1 (burst), A4 to A8
    (attributes).
    """

    def signal(name: str) -> Signal:
        return getattr(bus, f"{channel}{name}")

    valid = signal("valid")
    payload = [signal(name) for name in ADDRESS_PAYLOAD]
    book.stable(Side.MANAGER, channel.upper(), valid, signal("ready"), payload)
    behind_reset = Signal(init=1)
    m.d.sync += behind_reset.eq(0)

    size = exact_log2(config.bus_bytes)
    begin = signal("addr")[: exact_log2(PAGE_BYTES)]
    end = begin + ((signal("len") + 1) << size)
    documented = {
        "id": 0,
        "size": size,
        "burst": INCR,
        "lock": 0,
        "cache": cache,
        "prot": 0 if config.secure else NON_SECURE,
        "qos": 0,
    }
    name = channel.upper()
    book.rule(Side.MANAGER, ~(behind_reset & valid), f"{name}VALID in the cycle behind a reset")
    book.rule(Side.MANAGER, ~valid | (end <= PAGE_BYTES), f"{name}: a burst crosses 4 KB")
    book.rule(Side.MANAGER, ~valid | (begin[:size] == 0), f"{name}: an address within a beat")
    for member, value in documented.items():
        right = ~valid | (signal(member) == value)
        book.rule(Side.MANAGER, right, f"{name}{member.upper()} is not {value}")
