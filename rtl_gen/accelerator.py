"""Top level: the cores behind AXI4 for memory and AXI4-Lite for control.

    s_axil_*    registers: program address, start, done, error code, counters (registers.py)
    irq         a program is done, until acknowledged
    m_axi_*     memory: the program is read ahead, stored rows are written

The host puts an image into memory, writes its address to `program_address` and starts. A program is
read from there on, and its STOREs go to addresses behind `result_base`, all within bounds that the
host may set and lock. A program that cannot go on stops with an error code; counters stay readable,
and the next start begins afresh. After an error or a soft reset, bursts that were asked for before
may still be on their way: what the program used of memory is the host's again when `status` shows
`quiet`. A start needs not wait for that, the program does.

`rst` forgets bursts that are outstanding. The interconnect at m_axi must be reset with it, or else
have answered everything before; late answers that reach the next program end it with an error code
or, for results, may let it end before these are in memory. Nothing hangs.
"""

from operator import or_

from amaranth.hdl import Fragment, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect

from rtl_gen.bus import axi
from rtl_gen.bus.row_packer import RowPacker
from rtl_gen.bus.row_writer import RowWriter
from rtl_gen.bus.stream_reader import StreamReader
from rtl_gen.common.pipeline import reduce_tree, register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.register_map import MAP_ADDRESS_BITS
from rtl_gen.control.registers import Registers
from rtl_gen.core.cluster import Cluster
from rtl_gen.memory.parity import Guard

COUNTER_BITS = 32


class Accelerator(wiring.Component):
    """See the module's docstring; `COUNTERS` tells what each counter register counts."""

    COUNTERS = {name: (COUNTER_BITS, text) for name, text in Cluster.EVENTS.items()}

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        self.registers = Registers(config, self.COUNTERS)
        lite = axi.lite_signature(MAP_ADDRESS_BITS).flip()
        super().__init__(
            {
                "irq": Out(1),
                **axi.flat_ports("s_axil", lite),
                **axi.flat_ports("m_axi", axi.read_signature(config)),
                **axi.flat_ports("m_axi", axi.write_signature(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.registers = registers = self.registers
        # The net that reaches everything begins at a register.
        reset = register(m, registers.core.reset, name="soft_reset", reset_less=False)
        cluster, reader = ResetInserter(reset)(Cluster(config)), StreamReader(config)
        guard = Guard(platform) if config.parity else platform
        m.submodules.cluster = Fragment.get(cluster, guard)
        m.submodules.reader = Fragment.get(reader, guard)
        m.submodules.packer = packer = RowPacker(config)
        m.submodules.writer = writer = RowWriter(config)
        axi.connect_flat(m, self, "s_axil", registers.bus)
        axi.connect_flat(m, self, "m_axi", reader.axi)
        axi.connect_flat(m, self, "m_axi", writer.axi)

        stop = cluster.clear | reset
        fetch = cluster.program.fetch
        m.d.comb += [
            *(unit.clear.eq(stop) for unit in (reader, packer, writer)),
            reader.start.valid.eq(fetch.valid),
            fetch.ready.eq(reader.start.ready),
            cluster.memory.eq(writer.status),
            reader.start.payload.address.eq(fetch.payload.address),
            reader.start.payload.beats.eq(fetch.payload.rows * config.row_beats),
        ]
        if config.parity:
            wrong = reduce_tree(m, guard.flags, or_, name="wrong_word")
            m.d.comb += cluster.wrong_word.eq(wrong)
        connect(m, reader.out, packer.beats)
        connect(m, packer.rows, cluster.program.rows)
        connect(m, cluster.stored, writer.rows)

        # Up to the cycle before `done` shows. A soft reset ends a program, but does not finish it.
        running = register(m, cluster.host.busy & ~reset, name="running", reset_less=False)
        bus_idle = register(m, reader.idle & writer.status.idle, name="bus_idle", reset_less=False)
        m.d.comb += [
            cluster.host.start.valid.eq(registers.core.start.valid),
            cluster.host.start.payload.eq(registers.core.start.payload),
            cluster.host.bounds.eq(registers.core.bounds),
            registers.core.busy.eq(cluster.host.busy | running),
            registers.core.finished.eq(running & ~cluster.host.busy & ~reset),
            registers.core.quiet.eq(bus_idle & ~registers.core.busy),
            registers.core.error.eq(cluster.host.error),
            self.irq.eq(registers.irq),
        ]
        for name in self.COUNTERS:
            counter = Signal(COUNTER_BITS, name=f"count_{name}")
            m.d.comb += getattr(registers.counters, name).eq(counter)
            with m.If(registers.core.start.valid):
                m.d.sync += counter.eq(0)
            with m.Else():
                m.d.sync += counter.eq(counter + cluster.events[name])
        return m
