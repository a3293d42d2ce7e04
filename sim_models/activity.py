"""What the hardware does for one image, as far as it costs energy.

Counts follow the RTL: what an enabled port reads or writes in the cycles in which its data are
used, whole words where words are whole. With W bits a row, L lanes, N live tokens, and per linear
layer K -> M: G = ceil(M / L) groups, S = K / width slices, G S N steps, G N results:

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
    port               every row passes the read-ahead memory; loads are written where they belong

Arithmetic outside the array: a multiplication for each requantised value, normalised channel,
squared residual and importance term; an addition for each accumulated, residual, statistics,
exponential and importance term. Multiplexers, control, clock and leakage are not counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from model.network import Network
from model.schedule import LayerTokens
from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import Memory
from sim_models.on_chip import on_chip_memories


@dataclass
class Activity:
    """Counts of one image."""

    macs: int = 0
    """Of the array: all its multipliers in every beat, those of idle lanes too."""
    multiplications: int = 0
    additions: int = 0
    read_bytes: int = 0
    """Over the memory port."""
    written_bytes: int = 0
    memory_bits: dict[str, list[int]] = field(default_factory=dict)
    """[bits read, bits written] of every memory on the chip."""

    def read(self, memory: str, bits: int) -> None:
        self.memory_bits[memory][0] += bits

    def write(self, memory: str, bits: int) -> None:
        self.memory_bits[memory][1] += bits


def network_activity(
    config: AcceleratorConfig,
    network: Network,
    layer_tokens: Sequence[LayerTokens],
    counters: Mapping[str, int],
) -> Activity:
    """Activity of one image; `counters` are those of its program, which hold all beats."""
    beats = counters["linear_beats"] + counters["qk_beats"] + counters["pv_beats"]
    memories = on_chip_memories(config)
    activity = Activity(
        macs=beats * config.macs,
        read_bytes=counters["rows_read"] * config.width,
        written_bytes=counters["rows_written"] * config.width,
        memory_bits={name: [0, 0] for name in memories},
    )
    count = _Counter(config, network, activity, memories)
    count.inputs()
    count.linear(network.tokens, network.patch_inputs, network.dim, "hidden", "residual")
    entering = network.tokens
    for layer in layer_tokens:
        count.norm(layer.attention)
        for _ in range(network.heads):
            count.linear(
                layer.attention, network.dim, 3 * network.head_dim, "activation", "attention"
            )
        count.attention_rows(layer.attention * network.heads)
        count.linear(layer.projection, network.dim, network.dim, "hidden", "residual")
        count.norm(layer.projection)
        count.linear(layer.projection, network.dim, network.hidden, "activation", "hidden")
        count.linear(layer.projection, network.hidden, network.dim, "hidden", "residual")
        if layer.leaving < entering:
            count.selection(layer.leaving)
        entering = layer.leaving
    count.norm(1)
    count.linear(1, network.dim, network.classes, "activation", "logits")
    count.attention_beats(counters["qk_beats"])
    activity.write("stream", 8 * activity.read_bytes)
    activity.read("stream", 8 * activity.read_bytes)
    activity.read("hidden", 8 * activity.written_bytes)
    return activity


@dataclass
class _Counter:
    """Adds the parts of the module's docstring to `activity`."""

    config: AcceleratorConfig
    network: Network
    activity: Activity
    memories: Mapping[str, Memory]

    def linear(self, tokens: int, inputs: int, outputs: int, source: str, destination: str) -> None:
        config, activity, lanes = self.config, self.activity, self.config.lanes
        groups, slices = -(-outputs // lanes), inputs // config.width
        steps, results = groups * slices * tokens, groups * tokens
        between = (steps - results) * self._word("accumulators")
        activity.read(source, steps * config.row_bits)
        activity.read("live_list", steps * self._all_banks("live_list"))
        activity.read("accumulators", between)
        activity.write("accumulators", between)
        activity.write("weights", groups * slices * self._word("weights"))
        activity.read("weights", groups * slices * self._word("weights"))
        activity.multiplications += results * lanes
        activity.additions += steps * lanes
        match destination:
            case "residual":
                self._to_residual(results)
            case "attention":
                activity.write("query", tokens * config.row_bits)
                activity.write("kv", 2 * tokens * config.row_bits)
            case "hidden":
                activity.read("gelu", results * self._all_banks("gelu"))
                activity.write("hidden", results * 8 * lanes)
            case "logits":
                activity.write("hidden", results * numerics.LOGIT_BITS * lanes)

    def _to_residual(self, results: int) -> None:
        activity, lanes = self.activity, self.config.lanes
        activity.read("residual", results * self.config.row_bits)
        activity.write("residual", results * numerics.RESIDUAL_BITS * lanes)
        activity.read("statistics", results * self._word("statistics"))
        activity.write("statistics", results * self._word("statistics"))
        activity.multiplications += results * lanes
        activity.additions += 3 * results * lanes

    def norm(self, tokens: int) -> None:
        activity, channels = self.activity, tokens * self.network.dim
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
        words = -(-self.network.tokens // config.lanes)
        passes = config.importance_bits // numerics.SORT_DIGIT_BITS + 1
        activity.read("importance", passes * words * self._all_banks("importance"))
        activity.write("importance", words * self._all_banks("importance"))
        activity.write("live_list", leaving * config.token_bits)

    def inputs(self) -> None:
        """Everything that LOAD brings; weights are counted with their layers."""
        config, network, activity = self.config, self.network, self.activity
        tokens, dim = network.tokens, network.dim
        activity.write("residual", tokens * dim * numerics.RESIDUAL_BITS)
        activity.write("hidden", tokens * network.patch_inputs * 8)
        heads = network.layers * network.heads
        activity.write("mask", heads * tokens * config.mask_bytes * 8)
        activity.write("gelu", network.layers * self.memories["gelu"].total_bits)
        shifts = (2 * network.layers + 1) * dim * numerics.NORM_CHANNEL_SHIFT_BITS
        activity.write("channel_shifts", shifts)
        activity.write("live_list", tokens * config.token_bits)

    def _word(self, memory: str) -> int:
        return self.memories[memory].bits

    def _all_banks(self, memory: str) -> int:
        return self.memories[memory].bits * self.memories[memory].banks
