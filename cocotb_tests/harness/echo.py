"""A small design for the harness's own tests: a stream through a memory, one item at a time."""

from amaranth.hdl import Assert, Module, signed, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

ITEM = data.StructLayout({"score": signed(6), "token": unsigned(10)})

FORBIDDEN_TOKEN = 1023
"""The design asserts that this token never enters."""


class Echo(wiring.Component):
    """Items leave as they entered. Each takes three cycles at least: write, read, offer.

    `word` reads word 7 of the memory continuously (its contents at power-up until it is written).
    """

    source: In(stream.Signature(ITEM))
    sink: Out(stream.Signature(ITEM))
    word: Out(ITEM)

    def elaborate(self, platform):
        m = Module()
        m.submodules.storage = storage = memory.Memory(shape=ITEM, depth=8, init=[])
        write, read, probe = storage.write_port(), storage.read_port(), storage.read_port()
        m.d.comb += [
            write.data.eq(self.source.p),
            read.addr.eq(write.addr),
            probe.addr.eq(7),
            self.word.eq(probe.data),
            self.sink.p.eq(read.data),
        ]
        with m.FSM():
            with m.State("WRITE"):
                m.d.comb += self.source.ready.eq(1)
                with m.If(self.source.valid):
                    m.d.comb += write.en.eq(1)
                    m.d.sync += Assert(self.source.p.token != FORBIDDEN_TOKEN, "forbidden token")
                    m.next = "READ"
            with m.State("READ"):
                m.next = "OFFER"
            with m.State("OFFER"):
                m.d.comb += self.sink.valid.eq(1)
                with m.If(self.sink.ready):
                    m.d.sync += write.addr.eq(write.addr + 1)
                    m.next = "WRITE"
        return m
