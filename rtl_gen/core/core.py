"""Core: every unit between the program stream and the rows that go back to memory, connected.

See docs/architecture.md for the dataflow. Units meet by name: a command goes to the unit that its
record names, a memory of the plan to the units that read and write it.
"""

from functools import reduce
from operator import and_

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen.array.mac_array import MacArray
from rtl_gen.array.operands import OperandRegisters
from rtl_gen.attention.attention import Attention
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.dispatcher import SENT, Dispatcher
from rtl_gen.core.memories import connect_memories
from rtl_gen.interfaces.layouts import stored_row_layout
from rtl_gen.interfaces.program import host_port, program_port
from rtl_gen.linear.engine import LinearEngine
from rtl_gen.memory.share import share_stream
from rtl_gen.norm.layer_norm import LayerNorm
from rtl_gen.pooling.pool import Pool
from rtl_gen.pruning.pruning import Pruning
from rtl_gen.transfer.row_loader import RowLoader
from rtl_gen.transfer.row_storer import RowStorer

UNITS = {
    "load": RowLoader,
    "store": RowStorer,
    "linear": LinearEngine,
    "attention": Attention,
    "norm": LayerNorm,
    "prune": Pruning,
    "pool": Pool,
}
"""Units with commands of their own, by the names that records and the memory plan use."""

SIDE_BY_SIDE = ("load", "linear")
"""Units that take a command while others run: a linear layer then waits for these."""


class Core(wiring.Component):
    """
    Attributes
    ----------
    host : in, see Dispatcher
    program : out, the program stream
    stored : out, rows for memory
    memory : in, `idle`: all rows have arrived; `failed`: one was refused
    clear : out, see Dispatcher
    events : out, one bit an event that a counter counts, in the order of EVENTS
    """

    IDLE_CYCLES = 1
    """From an idle flag to what the dispatcher, or a waiting linear layer, sees of it."""

    EVENTS = {
        "cycles": "cycles from start to done",
        "linear_cycles": "cycles in which a linear layer runs",
        "attention_cycles": "cycles in which a head runs",
        "norm_cycles": "cycles in which a norm runs",
        "prune_cycles": "cycles in which tokens are selected",
        "load_cycles": "cycles in which a LOAD runs, whatever else does",
        "store_cycles": "cycles in which a STORE runs",
        "linear_beats": "array cycles of linear layers",
        "qk_beats": "array cycles of QK^T",
        "pv_beats": "array cycles of PV",
        "weight_stalls": "cycles in which a linear layer waits for weights",
        "rows_read": "rows of the program taken",
        "rows_written": "rows sent to memory",
        "pool_cycles": "cycles in which tokens are averaged",
    }

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "host": In(host_port(config)),
                "program": Out(program_port(config)),
                "stored": Out(stream.Signature(stored_row_layout(config))),
                "memory": In(StructLayout({"idle": 1, "failed": 1})),
                "clear": Out(1),
                "events": Out(StructLayout(dict.fromkeys(self.EVENTS, 1))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.dispatcher = dispatcher = Dispatcher(config)
        cleared = ResetInserter(dispatcher.clear)
        units = {name: unit(config) for name, unit in UNITS.items()}
        for name, unit in units.items():
            m.submodules[name] = cleared(unit)
        self._control(m, dispatcher, units)
        connect_memories(m, config, units)
        self._tokens(m, units)
        self._array(m, units["linear"], units["attention"])
        sources = [units["linear"].updates, units["pool"].updates]
        share_stream(m, "residual updates", sources, units["norm"].updates)
        self._count(m, units)
        return m

    def _control(self, m: Module, dispatcher: Dispatcher, units: dict) -> None:
        """Host and program to the dispatcher, its commands to the units, their state back.

        A unit's start is IDLE_CYCLES behind the idle flags that it waits for. A flag falls in the
        cycle after a command; the next command takes longer than that.
        """
        connect(m, flipped(self.host), dispatcher.host)
        connect(m, dispatcher.program, flipped(self.program))
        connect(m, units["store"].rows, flipped(self.stored))
        for command in SENT:
            unit = units[command.unit]
            connect(m, getattr(dispatcher.commands, command.port), getattr(unit, command.port))
        for name in dispatcher.payloads.signature.members:
            connect(m, getattr(dispatcher.payloads, name), units[name].payload)
        others_idle = _all(unit.idle for name, unit in units.items() if name not in SIDE_BY_SIDE)
        beside_idle = _all(units[name].idle for name in SIDE_BY_SIDE)
        m.d.comb += [
            self.clear.eq(dispatcher.clear),
            dispatcher.units.write_failed.eq(self.memory.failed),
        ]
        m.d.sync += [
            dispatcher.units.idle.eq(others_idle & beside_idle & self.memory.idle),
            units["linear"].go.eq(others_idle),
        ]

    def _tokens(self, m: Module, units: dict) -> None:
        """The live tokens to whom it concerns."""
        prune = units["prune"]
        for name in ("linear", "attention", "norm", "pool"):
            m.d.comb += units[name].count.eq(prune.count)
        m.d.comb += units["attention"].live.eq(prune.live)
        connect(m, prune.clear, units["attention"].clear)

    def _array(self, m: Module, linear: LinearEngine, attention: Attention) -> None:
        """One array for linear layers, QK^T and PV."""
        m.submodules.operands = operands = OperandRegisters(self._config)
        m.submodules.array = array = MacArray(self._config)
        connect(m, linear.operands, operands.linear)
        connect(m, attention.operands, operands.attention)
        connect(m, operands.array, array.compute)

    def _count(self, m: Module, units: dict) -> None:
        """Events: a unit at work, a step of the array, a row."""
        linear, attention = units["linear"].events, units["attention"].events
        busy = {f"{name}_cycles": ~unit.idle for name, unit in units.items()}
        events = busy | {
            "linear_cycles": linear.running,
            "cycles": self.host.busy,
            "linear_beats": linear.beat,
            "qk_beats": attention.qk_beat,
            "pv_beats": attention.pv_beat,
            "weight_stalls": linear.stalled,
            "rows_read": self.program.rows.valid & self.program.rows.ready,
            "rows_written": self.stored.valid & self.stored.ready,
        }
        m.d.comb += [self.events[name].eq(events[name]) for name in self.EVENTS]


def _all(flags):
    return reduce(and_, flags)
