"""A memory of the plan with a port for every unit that reads or writes it.

One unit at a time reads, one writes; reading and writing go on side by side, at different words.
Banks are memories of their own, which a read with an address a bank (`lanes_apart`) reaches
together.
"""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.interfaces.memory import Memory
from rtl_gen.memory.row_memory import RowMemory
from rtl_gen.memory.share import share_read, share_write


class Bank(wiring.Component):
    """
    Parameters
    ----------
    memory : the row of the plan

    Attributes
    ----------
    reads, writes : in, a port each of the plan's readers and writers, by unit; data follow an
        enabled address by READ_LATENCY cycles
    """

    def __init__(self, memory: Memory):
        self._memory = memory
        read, write = memory.read_signature(), memory.write_signature()
        super().__init__(
            {
                "reads": In(wiring.Signature({unit: Out(read) for unit in memory.readers})),
                "writes": In(wiring.Signature({unit: Out(write) for unit in memory.writers})),
            }
        )

    def elaborate(self, platform):
        m = Module()
        memory = self._memory
        read = memory.read_signature().create(path=("read",))
        write = memory.write_signature().create(path=("write",))
        share_read(m, memory.name, {u: getattr(self.reads, u) for u in memory.readers}, read)
        share_write(m, memory.name, {u: getattr(self.writes, u) for u in memory.writers}, write)
        for bank in range(memory.banks):
            words = RowMemory(depth=memory.words, shape=memory.shape, chunks=memory.chunks)
            m.submodules[f"bank_{bank}" if memory.banks > 1 else "words"] = words
            chosen = write.address[: memory.bank_bits] == bank
            if memory.chunks > 1:
                m.d.comb += words.write.chunks.eq(write.chunks)
            m.d.comb += [
                words.write.enable.eq(write.enable & chosen),
                words.write.address.eq(write.address >> memory.bank_bits),
                words.write.data.eq(write.data),
                words.read.enable.eq(read.enable),
                words.read.address.eq(read.address[bank] if memory.lanes_apart else read.address),
                (read.data[bank] if memory.lanes_apart else read.data).eq(words.read.data),
            ]
        return m
