"""An AXI4 memory in Python that breaks the protocol where a bench tells it to.

A cycle at a time and without stalls of its own, so that a bench knows what is under way. It has a
reset of its own and takes no notice of the design's: what was asked for before is still answered.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

OKAY, EXOKAY, SLVERR, DECERR = range(4)

ATTRIBUTES = ("id", "size", "burst", "lock", "cache", "prot", "qos")


@dataclass(frozen=True)
class Beat:
    """A transfer on R."""

    data: int
    last: bool
    response: int = OKAY


@dataclass(frozen=True)
class Burst:
    """An address transfer; `beats` beats from `address` on."""

    address: int
    beats: int
    attributes: tuple[int, ...]
    """In the order of ATTRIBUTES."""


@dataclass
class Faults:
    """What is wrong. Each function gets what is right, and returns what the memory does."""

    read: Callable[[Burst, list[Beat]], list[Beat]] = lambda _, beats: beats
    respond: Callable[[Burst], list[int]] = lambda _: [OKAY]
    """Responses to a write, sent `latency` cycles after its last beat."""
    early: Callable[[Burst], list[int]] = lambda _: []
    """Responses to a write, sent before its first beat is taken."""


@dataclass
class FaultyMemory:
    """
    Parameters
    ----------
    prefix : of the design's ports, such as "m_axi_"
    size : in bytes; addresses wrap there
    latency : from the transfer of an address, or of a write's last beat, to its answer
    """

    dut: HierarchyObject
    prefix: str
    bus_bytes: int
    size: int
    latency: int = 5
    faults: Faults = field(default_factory=Faults)
    write_ready: bool = True
    """Takes beats of writes."""
    stops_behind: int | None = None
    """Beats of a write that it takes; None: all."""
    address_ready: bool = True
    """Takes addresses."""
    silent: bool = False
    """Answers nothing, until it is so no more."""
    reset: bool = False
    """In every cycle in which it is so, all that was asked for is forgotten."""

    def __post_init__(self):
        self.contents = bytearray(self.size)
        self.reads: list[Burst] = []
        self.writes: list[Burst] = []
        self._beats: deque[tuple[int, Beat]] = deque()
        self._addresses: deque[Burst] = deque()
        self._collected: list[tuple[int, int]] = []
        self._responses: deque[tuple[int, int]] = deque()

    def start(self, *, read: bool = True, write: bool = True) -> None:
        """Drive the read channels, the write channels or both from now on."""
        for channels, drive in ((read, self._read), (write, self._write)):
            if channels:
                cocotb.start_soon(drive())

    @property
    def outstanding(self) -> bool:
        """Something was asked for and is not answered."""
        return bool(self._beats or self._responses or self.half_written)

    @property
    def half_written(self) -> bool:
        """A write has come in part: its address or some of its beats."""
        return bool(self._addresses or self._collected)

    @property
    def beats_of_row(self) -> int:
        """Beats that have come of a write that is not complete."""
        return len(self._collected)

    def stray(self, beats: Sequence[Beat] = (), responses: Sequence[int] = ()) -> None:
        """Send what nobody asked for."""
        self._beats.extend((0, beat) for beat in beats)
        self._responses.extend((0, response) for response in responses)

    def _port(self, name: str):
        return self.dut[f"{self.prefix}{name}"]

    def _up(self, *names: str) -> bool:
        return all(int(self._port(name).value) for name in names)

    def _burst(self, channel: str) -> Burst:
        values = [int(self._port(f"{channel}{name}").value) for name in ATTRIBUTES]
        address, length = (int(self._port(f"{channel}{name}").value) for name in ("addr", "len"))
        return Burst(address, length + 1, tuple(values))

    async def _read(self) -> None:
        cycle = 0
        while True:
            self._port("arready").value = self.address_ready and not self.reset
            await RisingEdge(self.dut.clk)
            cycle += 1
            if self.reset:
                self._beats.clear()
                self._port("rvalid").value = 0
                continue
            if self._up("rvalid", "rready"):
                self._beats.popleft()
            if self._up("arvalid", "arready"):
                burst = self._burst("ar")
                self.reads.append(burst)
                due = cycle + self.latency
                answer = self.faults.read(burst, self._answer(burst))
                self._beats.extend((due, beat) for beat in answer)
            offered = self._is_due(self._beats, cycle, "rvalid")
            self._port("rvalid").value = offered
            if offered:
                beat = self._beats[0][1]
                self._port("rdata").value = beat.data
                self._port("rlast").value = beat.last
                self._port("rresp").value = beat.response

    def _is_due(self, answers: deque[tuple[int, Any]], cycle: int, valid: str) -> bool:
        """The first is due; what was offered stays, also when the memory falls silent."""
        offered = self._up(valid) and not self._up(valid.replace("valid", "ready"))
        return bool(answers) and answers[0][0] <= cycle and (offered or not self.silent)

    def _answer(self, burst: Burst) -> list[Beat]:
        step = self.bus_bytes
        places = [(burst.address + i * step) % self.size for i in range(burst.beats)]
        words = [int.from_bytes(self.contents[at : at + step], "little") for at in places]
        return [Beat(word, i == burst.beats - 1) for i, word in enumerate(words)]

    async def _write(self) -> None:
        cycle = 0
        while True:
            self._port("awready").value = self.address_ready and not self.reset
            await RisingEdge(self.dut.clk)
            cycle += 1
            if self.reset:
                for queue in (self._addresses, self._collected, self._responses):
                    queue.clear()
                self._port("wready").value = self._port("bvalid").value = 0
                continue
            if self._up("bvalid", "bready"):
                self._responses.popleft()
            if self._up("wvalid", "wready"):
                word, last = (int(self._port(name).value) for name in ("wdata", "wlast"))
                self._collected.append((word, last))
            if self._up("awvalid", "awready"):
                burst = self._burst("aw")
                self.writes.append(burst)
                self._addresses.append(burst)
                self._responses.extend((cycle, early) for early in self.faults.early(burst))
            if self._addresses and self._collected and self._collected[-1][1]:
                self._finish(cycle)
            # A beat follows its address, so that a response can come before it.
            goes_on = self.write_ready and self.beats_of_row != self.stops_behind
            self._port("wready").value = goes_on and bool(self._addresses)
            offered = self._is_due(self._responses, cycle, "bvalid")
            self._port("bvalid").value = offered
            if offered:
                self._port("bresp").value = self._responses[0][1]

    def _finish(self, cycle: int) -> None:
        burst = self._addresses.popleft()
        for i, (word, _) in enumerate(self._collected):
            at = (burst.address + i * self.bus_bytes) % self.size
            self.contents[at : at + self.bus_bytes] = word.to_bytes(self.bus_bytes, "little")
        self._collected.clear()
        due = cycle + self.latency
        self._responses.extend((due, response) for response in self.faults.respond(burst))


def with_response(beats: list[Beat], index: int, response: int) -> list[Beat]:
    """The same beats, one of them with another response."""
    return [replace(b, response=response) if i == index else b for i, b in enumerate(beats)]


def cut_short(beats: list[Beat], length: int) -> list[Beat]:
    """The first `length` beats, the last of them marked so."""
    return [replace(b, last=i == length - 1) for i, b in enumerate(beats[:length])]


def without_last(beats: list[Beat]) -> list[Beat]:
    """The same beats, none of them marked as the last."""
    return [replace(b, last=False) for b in beats]
