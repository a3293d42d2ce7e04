"""What the memory plan (memories.py) says of a memory."""

from dataclasses import dataclass

from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout

from rtl_gen.interfaces.ports import banks_read_port, read_port, write_port


@dataclass(frozen=True, kw_only=True)
class Memory:
    """One memory. Word w of bank b has the address w * banks + b, where one address is enough."""

    name: str
    holds: str
    words: int
    """Of a bank."""
    shape: ShapeLike
    """Of a word."""
    banks: int = 1
    chunks: int = 1
    """Equal parts of a word that are written separately."""
    readers: tuple[str, ...] = ()
    """Units of the core with a read port. The first has the longest path and is not kept waiting
    by the choice of a reader."""
    writers: tuple[str, ...] = ()
    """Units of the core with a write port, likewise."""
    holder: str | None = None
    """The unit inside which it lies; None: the core builds it."""
    lockstep: bool = False
    """A read takes the same word of all banks."""
    lanes_apart: bool = False
    """A read takes a word of each bank, every one at its own address."""
    copies: bool = False
    """All banks hold the same, for readers of their own."""
    constant: bool = False
    """A table that logic holds."""

    @property
    def bits(self) -> int:
        """Of a word."""
        return Shape.cast(self.shape).width

    @property
    def bank_bytes(self) -> float:
        return self.words * self.bits / 8

    @property
    def total_bits(self) -> int:
        return self.banks * self.words * self.bits

    @property
    def of_core(self) -> bool:
        """Each core has one, while all of them read the program ahead in the same."""
        return self.holder != "reader"

    @property
    def bank_bits(self) -> int:
        """Of an address, those that choose the bank: the lowest."""
        return 0 if self.copies else (self.banks - 1).bit_length()

    def read_signature(self) -> wiring.Signature:
        """A reader's side."""
        if self.lanes_apart:
            return banks_read_port(self.words, self.shape, self.banks)
        if self.lockstep:
            return read_port(self.words, ArrayLayout(self.shape, self.banks))
        return read_port(self.words << self.bank_bits, self.shape)

    def write_signature(self) -> wiring.Signature:
        """A writer's side."""
        return write_port(self.words << self.bank_bits, self.shape, self.chunks)
