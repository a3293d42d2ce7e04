"""Every counter of a compiled attention program, equal to the RTL with an ideal memory.

Commands run one after the other, so that their cycles add up. A unit's counter includes the cycle
in which its command transfers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from model.layers import AttentionLayer, LayerTrace
from model.program import Program
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.command import Opcode, command_beats
from rtl_gen.control.sequencer import Sequencer
from rtl_gen.memory.writer import RowWriter
from sim_models.attention import AttentionCycles, attend_cycles, beats_of
from sim_models.memory import fetch_cycles, load_beats, load_cycles
from sim_models.pruning import fill_cycles, prune_cycles


@dataclass(frozen=True)
class ProgramCycles:
    """Where the cycles of a program go, and the beats of its memory port."""

    fetch: int = 0
    fill: int = 0
    load: int = 0
    attend: AttentionCycles = field(default_factory=AttentionCycles)
    prune: int = 0
    read_beats: int = 0
    write_beats: int = 0

    @property
    def total(self) -> int:
        return self.fetch + self.fill + self.load + self.attend.total + self.prune

    def __add__(self, other: "ProgramCycles") -> "ProgramCycles":
        return ProgramCycles(
            fetch=self.fetch + other.fetch,
            fill=self.fill + other.fill,
            load=self.load + other.load,
            attend=self.attend + other.attend,
            prune=self.prune + other.prune,
            read_beats=self.read_beats + other.read_beats,
            write_beats=self.write_beats + other.write_beats,
        )

    def counters(self) -> dict[str, int]:
        """The counters of `Accelerator.COUNTERS` by name."""
        return {
            "cycles": self.total,
            "load_cycles": self.load,
            "attend_cycles": self.attend.total,
            "prune_cycles": self.prune,
            "qk_beats": self.attend.qk,
            "pv_beats": self.attend.pv,
            "read_beats": self.read_beats,
            "write_beats": self.write_beats,
        }


def predict(
    config: AcceleratorConfig,
    program: Program,
    layers: Sequence[AttentionLayer],
    traces: Sequence[LayerTrace],
    *,
    latency: int,
) -> ProgramCycles:
    """Cycles of a program compiled from `layers`; `traces` tell which tokens each layer has.

    latency: cycles from a read request to its first beat, at least 1.
    """
    beats = [
        head
        for layer, trace in zip(layers, traces, strict=True)
        for head in beats_of(layer.mask.numpy(), trace.live.numpy(), config.lanes)
    ]
    return program_cycles(config, program.commands, beats, latency=latency)


def program_cycles(
    config: AcceleratorConfig,
    commands: Sequence[dict],
    beats: Sequence[np.ndarray],
    *,
    latency: int,
) -> ProgramCycles:
    """Cycles of `commands`; `beats` holds the beats (rows,) of each ATTEND in turn."""
    heads = iter(beats)
    tokens = 0
    total = ProgramCycles()
    for command in commands:
        total += ProgramCycles(
            fetch=fetch_cycles(config, latency), read_beats=command_beats(config)
        )
        match command["opcode"]:
            case Opcode.SET_TOKENS:
                tokens = command["count"]
                total += ProgramCycles(fill=Sequencer.START_CYCLES + fill_cycles(config))
            case Opcode.LOAD:
                words = load_beats(config, command["target"], command["count"])
                cycles = Sequencer.START_CYCLES + load_cycles(words, latency)
                total += ProgramCycles(load=cycles, read_beats=words)
            case Opcode.ATTEND:
                rows = next(heads)
                total += ProgramCycles(
                    attend=attend_cycles(config, rows),
                    write_beats=len(rows) * RowWriter.row_beats(config),
                )
            case Opcode.PRUNE:
                cycles = Sequencer.START_CYCLES + prune_cycles(config, tokens)
                total += ProgramCycles(prune=cycles)
    return total
