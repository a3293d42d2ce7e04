"""What the hardware does for a batch, an image a core, as far as it costs energy.

Counts follow the RTL: what an enabled port reads or writes in the cycles in which its data are
used, whole words where words are whole. With W bits a row, L lanes, N live tokens, and per linear
layer K -> M: G = ceil(M / L) groups, S = ceil(K / width) slices, G S N steps, G N results:

    linear step        source row W; list of live tokens L words; accumulators L sums, read and
                       written, but for the first (read) and last (write) slice of a group
    linear tile        weights L W written and read, once a pass (G S of them)
    linear result      residual: row W read, L channels written, statistics read and written;
                       query and K/V banks, hidden: L channels written; GELU: L entries
    norm               residual rows and a statistics word read, activation rows written, a token
    attention row      list, mask word, query row read; W bits through the output queue into hidden
    attention beat     K row and V row of every lane; scores, exponentials and addresses written
                       and read; exponential table; importance sums read and written
    selection          importance sums once a digit and once more, cleared; list written
    mean               list and residual row for every L channels of a token; residual written
    port               every row passes the read-ahead memory; loads are written where they belong

Arithmetic outside the array: a multiplication for each requantised value, normalised channel,
squared residual and importance term; an addition for each accumulated, residual, statistics,
exponential and importance term. Multiplexers, control, clock and leakage are not counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from model.program.step import Step
from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.memory import Memory
from rtl_gen.interfaces.program import Destination
from rtl_gen.interfaces.targets import Target
from sim_models.on_chip import on_chip_memories


@dataclass
class Activity:
    """Counts of all cores, of the program stream once."""

    macs: int = 0
    """Of the array: all its multipliers in every beat, those of idle lanes too."""
    multiplications: int = 0
    additions: int = 0
    read_bytes: int = 0
    """Over the memory port."""
    written_bytes: int = 0
    memory_bits: dict[str, list[int]] = field(default_factory=dict)
    """[bits read, bits written] of every memory on the chip."""

    def repeat(self, times: int) -> None:
        """So often what was counted so far inside a core, the array apart."""
        self.multiplications *= times
        self.additions *= times
        for bits in self.memory_bits.values():
            bits[:] = [times * number for number in bits]

    def read(self, memory: str, bits: int) -> None:
        self.memory_bits[memory][0] += bits

    def write(self, memory: str, bits: int) -> None:
        self.memory_bits[memory][1] += bits


def network_activity(
    config: AcceleratorConfig, steps: Sequence[Step], counters: Mapping[str, int]
) -> Activity:
    """Activity of a batch; `counters` are those of its program, which hold all beats.

    What one core does, all do, but for the beats of attention.
    """
    beats = counters["linear_beats"] + counters["qk_beats"] + counters["pv_beats"]
    memories = on_chip_memories(config)
    activity = Activity(
        macs=beats * config.macs,
        read_bytes=counters["rows_read"] * config.width,
        written_bytes=counters["rows_written"] * config.width,
        memory_bits={name: [0, 0] for name in memories},
    )
    count = _Counter(config, activity, memories)
    for step in steps:
        if not step.fields.get("core"):
            count.step(step.opcode, SimpleNamespace(**step.fields))
    activity.repeat(config.cores)
    count.attention_beats(counters["qk_beats"])
    activity.write("stream", 8 * activity.read_bytes)
    activity.read("stream", 8 * activity.read_bytes)
    activity.read("hidden", 8 * activity.written_bytes)
    return activity


@dataclass
class _Counter:
    """Adds the parts of the module's docstring to `activity`, command by command."""

    config: AcceleratorConfig
    activity: Activity
    memories: Mapping[str, Memory]
    tokens: int = 0
    """Of the sequence, with those that were dropped."""
    live: int = 0

    def step(self, opcode: Opcode, fields: Any) -> None:
        match opcode:
            case Opcode.SET_TOKENS:
                self.tokens = self.live = fields.count
                self.activity.write("live_list", fields.count * self.config.token_bits)
            case Opcode.LOAD:
                self.load(fields.target, fields.count)
            case Opcode.LINEAR:
                self.linear(1 if fields.only_cls else self.live, fields)
            case Opcode.NORM:
                self.norm(1 if fields.only_cls else self.live, fields.dim)
            case Opcode.ATTEND:
                self.attention_rows(self.live)
            case Opcode.PRUNE:
                self.live = fields.count
                self.selection(fields.count)
            case Opcode.POOL:
                self.pool(self.live - fields.prefix, fields.dim)

    def load(self, target: Target, rows: int) -> None:
        """Everything but weights, which are counted with their layers."""
        config, activity = self.config, self.activity
        match target:
            case Target.MASK:
                activity.write("mask", self.tokens * config.mask_bytes * 8)
            case Target.GELU:
                activity.write("gelu", self.memories["gelu"].total_bits)
            case Target.CHANNEL_SHIFT:
                bits = numerics.NORM_CHANNEL_SHIFT_BITS
                activity.write("channel_shifts", rows * config.norm_channels * bits)
            case _:
                activity.write(target.name.lower(), rows * config.row_bits)

    def linear(self, tokens: int, fields: Any) -> None:
        config, activity, lanes = self.config, self.activity, self.config.lanes
        groups, slices = fields.tiles, fields.slices
        steps, results = groups * slices * tokens, groups * tokens
        between = (steps - results) * self._word("accumulators")
        activity.read(fields.source.name.lower(), steps * config.row_bits)
        activity.read("live_list", steps * self._all_banks("live_list"))
        activity.read("accumulators", between)
        activity.write("accumulators", between)
        activity.write("weights", groups * slices * self._word("weights"))
        activity.read("weights", groups * slices * self._word("weights"))
        activity.multiplications += results * lanes
        activity.additions += steps * lanes
        match fields.destination:
            case Destination.RESIDUAL:
                self._to_residual(results)
            case Destination.QKV:
                activity.write("query", tokens * config.row_bits)
                activity.write("kv", 2 * tokens * config.row_bits)
            case Destination.HIDDEN:
                activity.read("gelu", results * self._all_banks("gelu"))
                activity.write("hidden", results * 8 * lanes)
            case Destination.LOGITS:
                activity.write("hidden", results * numerics.LOGIT_BITS * lanes)

    def _to_residual(self, results: int) -> None:
        activity, lanes = self.activity, self.config.lanes
        activity.read("residual", results * self.config.row_bits)
        activity.write("residual", results * numerics.RESIDUAL_BITS * lanes)
        activity.read("statistics", results * self._word("statistics"))
        activity.write("statistics", results * self._word("statistics"))
        activity.multiplications += results * lanes
        activity.additions += 3 * results * lanes

    def norm(self, tokens: int, dim: int) -> None:
        activity, channels = self.activity, tokens * self._channels(dim)
        activity.read("live_list", tokens * self._all_banks("live_list"))
        activity.read("residual", channels * numerics.RESIDUAL_BITS)
        activity.read("statistics", tokens * self._word("statistics"))
        activity.read("channel_shifts", channels * numerics.NORM_CHANNEL_SHIFT_BITS)
        activity.write("activation", channels * 8)
        activity.multiplications += channels

    def attention_rows(self, rows: int) -> None:
        config, activity = self.config, self.activity
        activity.read("live_list", rows * self._all_banks("live_list"))
        activity.read("mask", rows * config.mask_word_bits)
        activity.read("query", rows * config.row_bits)
        activity.write("output_rows", rows * self._word("output_rows"))
        activity.read("output_rows", rows * self._word("output_rows"))
        activity.write("hidden", rows * config.row_bits)
        activity.multiplications += rows * config.width

    def attention_beats(self, beats: int) -> None:
        activity, lanes = self.activity, self.config.lanes
        activity.read("kv", 2 * beats * self._all_banks("kv"))
        for name in ("scores", "exponentials", "addresses"):
            activity.write(name, beats * self._word(name))
            activity.read(name, beats * self._word(name))
        activity.read("exp_table", beats * self._all_banks("exp_table"))
        activity.read("importance", beats * self._all_banks("importance"))
        activity.write("importance", beats * self._all_banks("importance"))
        activity.multiplications += 2 * beats * lanes
        activity.additions += 2 * beats * lanes

    def selection(self, leaving: int) -> None:
        config, activity = self.config, self.activity
        words = -(-self.tokens // config.lanes)
        passes = config.importance_bits // numerics.SORT_DIGIT_BITS + 1
        activity.read("importance", passes * words * self._all_banks("importance"))
        activity.write("importance", words * self._all_banks("importance"))
        activity.write("live_list", leaving * config.token_bits)

    def pool(self, tokens: int, dim: int) -> None:
        """Every part of `lanes` channels of a token takes a step that reads the part's row."""
        config, activity, channels = self.config, self.activity, self._channels(dim)
        steps = tokens * channels // config.lanes
        activity.read("live_list", steps * self._all_banks("live_list"))
        activity.read("residual", steps * config.row_bits)
        activity.write("residual", channels * numerics.RESIDUAL_BITS)
        activity.write("statistics", channels // config.lanes * self._word("statistics"))
        activity.read("statistics", channels // config.lanes * self._word("statistics"))
        activity.multiplications += 2 * channels
        activity.additions += (tokens + 2) * channels

    def _channels(self, dim: int) -> int:
        """Of a token, with those that fill its rows."""
        return self.config.channel_rows(dim) * self.config.width

    def _word(self, memory: str) -> int:
        return self.memories[memory].bits

    def _all_banks(self, memory: str) -> int:
        return self.memories[memory].bits * self.memories[memory].banks
