"""A row memory with parity, and its flag as a port."""

from functools import reduce
from operator import or_

from amaranth.hdl import Fragment, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen.interfaces.ports import read_port, write_port
from rtl_gen.memory.parity import Guard
from rtl_gen.memory.row_memory import RowMemory


class GuardedMemory(wiring.Component):
    """
    Parameters
    ----------
    depth, shape, chunks : those of the RowMemory

    Attributes
    ----------
    read, write : in, its ports
    wrong : out, its flag
    """

    def __init__(self, *, depth: int, shape, chunks: int = 1):
        self._memory = RowMemory(depth=depth, shape=shape, chunks=chunks)
        read, write = read_port(depth, shape), write_port(depth, shape, chunks)
        super().__init__({"read": In(read), "write": In(write), "wrong": Out(1)})

    def elaborate(self, platform):
        m = Module()
        guard = Guard(platform)
        m.submodules.memory = Fragment.get(self._memory, guard)
        connect(m, flipped(self.read), self._memory.read)
        connect(m, flipped(self.write), self._memory.write)
        m.d.comb += self.wrong.eq(reduce(or_, guard.flags))
        return m
