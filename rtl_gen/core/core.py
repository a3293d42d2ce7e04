"""Core: every unit between the dispatcher and the rows that go back to memory, connected.

It works on one image. See docs/architecture.md for the dataflow. Units meet by name: a command goes
to the unit that its record names, a memory of the plan to the units that read and write it.
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
from rtl_gen.control.commands import SENT, commands_port, payloads_port
from rtl_gen.core.memories import connect_memories
from rtl_gen.interfaces.layouts import stored_row_layout
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
    commands, payloads : in, see Dispatcher
    stored : out, rows for memory
    control : in, `go`: a waiting linear layer may start; `clear`: the units forget what they were
        doing; back `idle` of the units SIDE_BY_SIDE (`beside`) and of the others, and `events`, one
        bit an event of EVENTS
    """

    EVENTS = (
        *(f"{unit}_cycles" for unit in UNITS),
        *("linear_beats", "qk_beats", "pv_beats", "weight_stalls"),
    )
    """What counters count: cycles in which a unit is at work, steps of the array, waiting."""

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "commands": In(commands_port(config)),
                "payloads": In(payloads_port(config)),
                "stored": Out(stream.Signature(stored_row_layout(config))),
                "control": In(self._control_port()),
            }
        )

    def _control_port(self) -> wiring.Signature:
        return wiring.Signature(
            {
                "go": Out(1),
                "clear": Out(1),
                "idle": In(StructLayout({"others": 1, "beside": 1})),
                "events": In(StructLayout(dict.fromkeys(self.EVENTS, 1))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        cleared = ResetInserter(self.control.clear)
        units = {name: unit(config) for name, unit in UNITS.items()}
        for name, unit in units.items():
            m.submodules[name] = cleared(unit)
        self._control(m, units)
        connect_memories(m, config, units)
        self._tokens(m, units)
        self._array(m, units["linear"], units["attention"])
        sources = [units["linear"].updates, units["pool"].updates]
        share_stream(m, "residual updates", sources, units["norm"].updates)
        self._count(m, units)
        return m

    def _control(self, m: Module, units: dict) -> None:
        """Commands and payloads to the units, their state back."""
        commands, payloads = flipped(self.commands), flipped(self.payloads)
        for command in SENT:
            unit = units[command.unit]
            connect(m, getattr(commands, command.port), getattr(unit, command.port))
        for name in self.payloads.signature.members:
            connect(m, getattr(payloads, name), units[name].payload)
        connect(m, units["store"].rows, flipped(self.stored))
        beside = (units[name].idle for name in SIDE_BY_SIDE)
        others = (unit.idle for name, unit in units.items() if name not in SIDE_BY_SIDE)
        m.d.comb += [
            units["linear"].go.eq(self.control.go),
            self.control.idle.beside.eq(reduce(and_, beside)),
            self.control.idle.others.eq(reduce(and_, others)),
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
        """Events: a unit at work, a step of the array."""
        linear, attention = units["linear"].events, units["attention"].events
        busy = {f"{name}_cycles": ~unit.idle for name, unit in units.items()}
        events = busy | {
            "linear_cycles": linear.running,
            "linear_beats": linear.beat,
            "qk_beats": attention.qk_beat,
            "pv_beats": attention.pv_beat,
            "weight_stalls": linear.stalled,
        }
        m.d.comb += [self.control.events[name].eq(events[name]) for name in self.EVENTS]
