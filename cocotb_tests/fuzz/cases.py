"""Cases of the hardware's half: a program, its damage, where it lies and what memory does."""

from dataclasses import dataclass, replace

from cocotb_tests.fuzz.foresight import Decoder, Foreseen, Memory
from cocotb_tests.fuzz.programs import CONFIG, MEMORY_END, SLOT, SLOT_BYTES, good
from rtl_gen.config import AcceleratorConfig


@dataclass(frozen=True)
class Splice:
    """`length` bytes from `offset` on become `data`."""

    offset: int
    length: int
    data: bytes

    def apply(self, program: bytes) -> bytes:
        return program[: self.offset] + self.data + program[self.offset + self.length :]


@dataclass(frozen=True)
class Behaviour:
    """Of the memory, and which of it answers with errors."""

    latency: int = 2
    rate: int = CONFIG.bus_bytes
    stall: float = 0.0
    faults: range = range(0)
    response: int = 0

    @property
    def row_cycles(self) -> int:
        """More than a row takes."""
        beats = CONFIG.row_beats * CONFIG.bus_bytes / self.rate
        return round(4 + beats / (1 - self.stall) ** 2)


@dataclass(frozen=True)
class Case:
    """One damaged program."""

    number: int
    kind: str
    base: bytes
    splices: tuple[Splice, ...] = ()
    address: int = SLOT
    behaviour: Behaviour = Behaviour()
    reset_before_end: int | None = None
    """Cycles before a program's end, as far as it had come without, at which a reset is asked."""
    config: AcceleratorConfig = CONFIG
    """The preset `tiny`, on any number of cores."""

    @property
    def data(self) -> bytes:
        """The damaged program."""
        program = self.base
        for splice in self.splices:
            program = splice.apply(program)
        return program[:SLOT_BYTES]

    @property
    def place(self) -> int:
        """Where its bytes lie: from the beat of the address on, as far as there is any."""
        return min(self.address // CONFIG.bus_bytes * CONFIG.bus_bytes, MEMORY_END)

    def without(self, first: int, count: int) -> "Case":
        """The same with `count` of its splices, from `first` on, left out."""
        return replace(self, splices=self.splices[:first] + self.splices[first + count :])

    def contents(self) -> bytes:
        """All bytes from `place` on that are written for it."""
        room = min(SLOT_BYTES, MEMORY_END - self.place)
        return self.data[:room].ljust(room, b"\0")

    def foresee(self) -> Foreseen:
        """What may come of it."""
        memory = bytearray(MEMORY_END)
        right = good(self.config).data.tobytes()
        memory[: len(right)] = right
        memory[self.place : self.place + len(self.contents())] = self.contents()
        behaviour = self.behaviour
        seen = Memory(bytes(memory), behaviour.faults, behaviour.latency, behaviour.row_cycles)
        return Decoder(self.config, seen, self.address).run()
