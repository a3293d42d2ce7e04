"""Parity of the memories on the chip, a choice of the configuration.

Each separately written part of a word has a bit more, which makes the number of ones even. Memories
ask the platform that they are elaborated for: a `Guard`, to which every memory tells its flag
without a port on the way, or anything else, with which there is no parity. A word is looked at
when it is read, in no cycle of its own; its flag is up FLAG_CYCLES later.

A word of zeros is right. So memories are to begin with zeros, or with other words of even parity,
since units may read what they have not written, and ignore it.
"""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value

from rtl_gen.common.pipeline import register

PIECE_BITS = 64
"""Of a word that are added up between two registers."""

FLAG_CYCLES = 2
"""From a word at a memory's output to its flag."""


class Unguarded:
    """Memories without parity, elaborated for `platform`."""

    def __init__(self, platform: Any):
        self.platform = platform

    def bits(self, parts: int = 1) -> int:
        """That a word of so many parts has more."""
        return 0

    def stored(self, data: Value, parts: int = 1) -> Value:
        """The word of `data`."""
        return data

    def data(self, word: Value, parts: int = 1) -> Value:
        """What `stored` made the word of."""
        return word

    def watch(self, m: Module, word: Value, new, parts: int = 1) -> None:
        """Look at a `word` in the cycle in which it is `new`."""


class Guard(Unguarded):
    """Memories with parity.

    Attributes
    ----------
    flags : of all memories that were elaborated so far, up for a cycle for each wrong word
    """

    def __init__(self, platform: Any):
        super().__init__(platform)
        self.flags: list[Signal] = []

    def bits(self, parts: int = 1) -> int:
        return parts

    def stored(self, data: Value, parts: int = 1) -> Value:
        return Cat(Cat(part, part.xor()) for part in _split(data, parts))

    def data(self, word: Value, parts: int = 1) -> Value:
        return Cat(part[:-1] for part in _split(word, parts))

    def watch(self, m: Module, word: Value, new, parts: int = 1) -> None:
        seen = register(m, new, name="parity_seen", reset_less=False)
        odd = []
        for number, part in enumerate(_split(word, parts)):
            pieces = [part[at : at + PIECE_BITS].xor() for at in range(0, len(part), PIECE_BITS)]
            odd.append(register(m, Cat(pieces), name=f"parity_{number}").xor())
        self.flags.append(register(m, seen & Cat(odd).any(), name="wrong", reset_less=False))


def guard_of(platform: Any) -> Unguarded:
    """The guard that memories of a platform report to."""
    return platform if isinstance(platform, Unguarded) else Unguarded(platform)


def _split(word: Value, parts: int) -> list[Value]:
    size = len(word) // parts
    return [word[i * size : (i + 1) * size] for i in range(parts)]
