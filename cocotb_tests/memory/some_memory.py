"""A memory like those of the plan, of any size."""

from amaranth.hdl import unsigned

from rtl_gen.interfaces.memory import Memory

READERS = ("first", "second", "third")
WRITERS = ("first", "second")


def some_memory(*, words: int, bits: int, banks: int, chunks: int) -> Memory:
    """Several banks are read together, each at an address of its own."""
    return Memory(
        name="some",
        holds="anything",
        words=words,
        shape=unsigned(bits),
        banks=banks,
        chunks=chunks,
        readers=READERS,
        writers=WRITERS,
        lanes_apart=banks > 1,
    )
