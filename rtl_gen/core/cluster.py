"""Cluster: the cores of an accelerator on one program stream, each with an image of its own.

The dispatcher reads the program once. Commands, weights, masks and tables go to all cores, which
take each of them in the same cycle; a LOAD may be, and a STORE always is, for one core alone.

Pruning leaves as many tokens of every image, so that whatever takes time without looking at data
takes the same time on all cores. Linear layers even run in step to the cycle: they begin when
the other units of all cores are idle, and get their weights together. Heads alone differ: a core's
surviving tokens decide how long its ATTEND takes, and the next command waits for the slowest.
"""

from collections.abc import Iterable
from functools import reduce
from operator import and_, or_

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen.common.contract import require
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import SENT
from rtl_gen.control.dispatcher import Dispatcher
from rtl_gen.core.broadcast import broadcast
from rtl_gen.core.core import Core
from rtl_gen.interfaces.layouts import memory_status_layout, stored_row_layout
from rtl_gen.interfaces.program import host_port, program_port
from rtl_gen.memory.share import share_stream

BEATS = ("linear_beats", "qk_beats", "pv_beats")
"""Events that are counted once for every core; the others, once however many cores have them."""


class Cluster(wiring.Component):
    """
    Attributes
    ----------
    host : in, see Dispatcher
    program : out, the program stream
    stored : out, rows for memory
    memory : in, `idle`: all rows have arrived; `failed`: one was refused
    wrong_word : in, with parity: a memory on the chip has read one
    clear : out, see Dispatcher
    events : out, for every event of EVENTS how often it happens in this cycle: 0 or 1, or in how
        many cores
    cores : the cores
    """

    IDLE_CYCLES = 1
    """From an idle flag to what the dispatcher, or a waiting linear layer, sees of it."""

    EVENTS = {
        "cycles": "cycles from start to done",
        "linear_cycles": "cycles in which a linear layer runs",
        "attention_cycles": "cycles in which a head runs, in any core",
        "norm_cycles": "cycles in which a norm runs",
        "prune_cycles": "cycles in which tokens are selected",
        "load_cycles": "cycles in which a LOAD runs, whatever else does",
        "store_cycles": "cycles in which a STORE runs",
        "linear_beats": "array cycles of linear layers, of all cores",
        "qk_beats": "array cycles of QK^T, of all cores",
        "pv_beats": "array cycles of PV, of all cores",
        "weight_stalls": "cycles in which a linear layer waits for weights",
        "rows_read": "rows of the program taken",
        "rows_written": "rows sent to memory",
        "pool_cycles": "cycles in which tokens are averaged",
    }

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        widths = {name: config.cores.bit_length() if name in BEATS else 1 for name in self.EVENTS}
        parity = {"wrong_word": In(1)} if config.parity else {}
        super().__init__(
            {
                **parity,
                "host": In(host_port(config)),
                "program": Out(program_port(config)),
                "stored": Out(stream.Signature(stored_row_layout(config))),
                "memory": In(memory_status_layout()),
                "clear": Out(1),
                "events": Out(StructLayout(widths)),
            }
        )
        self.cores = [Core(config) for _ in range(config.cores)]

    def elaborate(self, platform):
        m = Module()
        m.submodules.dispatcher = dispatcher = Dispatcher(self._config)
        for index, core in enumerate(self.cores):
            m.submodules[f"core_{index}"] = core
        connect(m, flipped(self.host), dispatcher.host)
        connect(m, dispatcher.program, flipped(self.program))
        share_stream(m, "rows for memory", [core.stored for core in self.cores], self.stored)
        self._send(m, dispatcher)
        self._wait(m, dispatcher)
        self._count(m)
        self._keep_step(m)
        return m

    def _send(self, m: Module, dispatcher: Dispatcher) -> None:
        """Commands and payloads to the cores that they are for."""
        chosen = dispatcher.cores
        for command in SENT:
            sinks = [getattr(core.commands, command.port) for core in self.cores]
            source = getattr(dispatcher.commands, command.port)
            broadcast(m, f"command {command.name}", source, chosen, sinks)
        for unit in dispatcher.payloads.signature.members:
            port = getattr(dispatcher.payloads, unit)
            ports = [getattr(core.payloads, unit) for core in self.cores]
            broadcast(m, f"payload of {unit}", port.rows, chosen, [one.rows for one in ports])
            m.d.comb += [
                port.feeding.eq(_any(one.feeding for one in ports)),
                port.expects.eq(_any(one.expects for one in ports)),
            ]

    def _wait(self, m: Module, dispatcher: Dispatcher) -> None:
        """What commands and linear layers wait for.

        A unit's start is IDLE_CYCLES behind the idle flags that it waits for. A flag falls in the
        cycle after a command; the next command takes longer than that.
        """
        others_idle = _all(core.control.idle.others for core in self.cores)
        beside_idle = _all(core.control.idle.beside for core in self.cores)
        m.d.comb += [
            self.clear.eq(dispatcher.clear),
            dispatcher.units.write_failed.eq(self.memory.failed),
            *(core.control.clear.eq(dispatcher.clear) for core in self.cores),
        ]
        if self._config.parity:
            m.d.comb += dispatcher.units.wrong_word.eq(self.wrong_word)
        m.d.sync += [
            dispatcher.units.idle.eq(others_idle & beside_idle & self.memory.idle),
            *(core.control.go.eq(others_idle) for core in self.cores),
        ]

    def _count(self, m: Module) -> None:
        """Events of the cores, and rows."""
        own = {
            "cycles": self.host.busy,
            "rows_read": self.program.rows.valid & self.program.rows.ready,
            "rows_written": self.stored.valid & self.stored.ready,
        }
        m.d.comb += [self.events[name].eq(event) for name, event in own.items()]
        for name in Core.EVENTS:
            happen = [core.control.events[name] for core in self.cores]
            m.d.comb += self.events[name].eq(sum(happen) if name in BEATS else _any(happen))

    def _keep_step(self, m: Module) -> None:
        """Linear layers of all cores do the same in every cycle."""
        first, *others = (_linear_state(core) for core in self.cores)
        for other in others:
            require(m, other == first, "cluster: linear layers out of step")


def _linear_state(core: Core) -> Value:
    events = ("linear_cycles", "linear_beats", "weight_stalls")
    payload = core.payloads.linear
    return Cat(payload.rows.ready, payload.feeding, *(core.control.events[name] for name in events))


def _all(flags: Iterable[Value]) -> Value:
    return reduce(and_, flags)


def _any(flags: Iterable[Value]) -> Value:
    return reduce(or_, flags)
