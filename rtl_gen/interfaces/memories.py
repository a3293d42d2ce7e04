"""The memory plan: every memory on the chip, who reads and writes it, and what it holds.

From it come the units' ports (`reads`, `writes`, `held`), the memories and multiplexers of the core
(rtl_gen/memory/bank.py), what LOAD and STORE reach (rtl_gen/interfaces/targets.py), the manifest
and the capacities of sim_models/on_chip.py.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from amaranth.hdl import Cat, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces import layouts
from rtl_gen.interfaces.memory import Memory

READ_LATENCY = 1
"""From an address to the word: the memory's own latch."""

LIST_LATENCY = 3
"""The same of the list of live tokens: bank, bank output register, selection of the bank."""

OUTPUT_ROWS = 8
"""Finished rows of a head that may wait for the hidden memory."""


@cache
def memory_plan(
    config: AcceleratorConfig, *, tokens: int | None = None, dim: int | None = None
) -> Mapping[str, Memory]:
    """Every memory by name: as built, or with the words that a network of so many tokens and
    channels uses. Queues of a few narrow items and pipeline registers are none.

    Made once: units, programs and the cycle model of every command ask for it.
    """
    tokens, dim = tokens or config.max_tokens, dim or config.max_dim
    memories = (
        *_shared(config, tokens, dim),
        *_of_tokens(config, tokens),
        *_private(config, tokens),
    )
    return MappingProxyType({memory.name: memory for memory in memories})


def plan_bits(config: AcceleratorConfig, plan: Mapping[str, Memory]) -> int:
    """Of all memories of a plan, in all cores."""
    return sum(m.total_bits * (config.cores if m.of_core else 1) for m in plan.values())


def words(config: AcceleratorConfig, memory: str) -> int:
    """Of a bank of the memory, as built."""
    return memory_plan(config)[memory].words


def reads(config: AcceleratorConfig, unit: str) -> wiring.Signature:
    """The read ports of a unit, by memory."""
    plan = memory_plan(config).values()
    return wiring.Signature(
        {memory.name: Out(memory.read_signature()) for memory in plan if unit in memory.readers}
    )


def writes(config: AcceleratorConfig, unit: str) -> wiring.Signature:
    """The write ports of a unit, by memory."""
    plan = memory_plan(config).values()
    return wiring.Signature(
        {memory.name: Out(memory.write_signature()) for memory in plan if unit in memory.writers}
    )


def held(config: AcceleratorConfig, unit: str) -> wiring.Signature:
    """The ports, seen from outside, of the memories that a unit holds for others."""
    members = {}
    for memory in memory_plan(config).values():
        if memory.holder == unit and memory.readers:
            members[memory.name] = Out(memory.read_signature())
        elif memory.holder == unit and memory.writers:
            members[memory.name] = Out(memory.write_signature())
    return wiring.Signature(members)


def kv_address(config: AcceleratorConfig, token: Value, is_value: Value) -> Value:
    """Where the kv memory keeps the key or the value of a token: bank token mod lanes."""
    bank_bits = (config.lanes - 1).bit_length()
    return Cat(token[:bank_bits], is_value, token[bank_bits:])


def _shared(config: AcceleratorConfig, tokens: int, dim: int) -> tuple[Memory, ...]:
    """Memories between the units, which the core builds."""
    row, chunks = layouts.row_layout(config), config.chunks
    rows = tokens * dim // config.width
    return (
        Memory(
            name="residual",
            holds="residual stream, int16",
            words=2 * rows,
            shape=layouts.residual_row_layout(config),
            chunks=chunks,
            readers=("linear", "norm", "store", "pool"),
            writers=("linear", "load", "pool"),
        ),
        Memory(
            name="activation",
            holds="LayerNorm output, int8",
            words=rows,
            shape=row,
            chunks=2,
            readers=("linear", "store"),
            writers=("norm",),
        ),
        Memory(
            name="hidden",
            holds="patches; attention output; FFN hidden; logits, int8",
            words=4 * rows,
            shape=row,
            chunks=chunks,
            readers=("linear", "store"),
            writers=("linear", "load", "attention"),
        ),
        Memory(
            name="query",
            holds="Q of one head, int8",
            words=tokens,
            shape=row,
            chunks=chunks,
            readers=("attention", "store"),
            writers=("linear", "load"),
        ),
        Memory(
            name="kv",
            holds="K and V of one head, int8",
            words=2 * -(-tokens // config.lanes),
            shape=row,
            banks=config.lanes,
            chunks=chunks,
            readers=("attention", "store"),
            writers=("linear", "load"),
            lanes_apart=True,
        ),
        Memory(
            name="mask",
            holds="kept bits of one head",
            words=-(-tokens // config.rows_per_mask_word),
            shape=unsigned(config.mask_word_bits),
            chunks=config.mask_word_bytes // config.width,
            readers=("attention",),
            writers=("load",),
        ),
        Memory(
            name="channel_shifts",
            holds="LayerNorm's step of each channel",
            words=-(-dim // config.norm_channels),
            shape=layouts.channel_shifts_layout(config),
            readers=("norm",),
            writers=("load",),
        ),
        Memory(
            name="gelu",
            holds="GELU of every int8, a copy a lane",
            words=numerics.GELU_ENTRIES,
            shape=unsigned(8),
            banks=config.lanes,
            copies=True,
            writers=("load",),
            holder="linear",
        ),
    )


def _of_tokens(config: AcceleratorConfig, tokens: int) -> tuple[Memory, ...]:
    """What the units know of the tokens."""
    words = -(-tokens // config.lanes)
    return (
        Memory(
            name="importance",
            holds="importance sum of each token",
            words=words,
            shape=unsigned(config.importance_bits),
            banks=config.lanes,
            lockstep=True,
            readers=("prune", "store"),
            holder="attention",
        ),
        Memory(
            name="live_list",
            holds="the live tokens, ascending",
            words=words,
            shape=unsigned(config.token_bits),
            banks=config.lanes,
            readers=("attention", "linear", "norm", "pool"),
            holder="prune",
        ),
        Memory(
            name="live",
            holds="a bit a token: live or dropped (registers)",
            words=-(-words * config.lanes // config.row_bits),
            shape=unsigned(config.row_bits),
            readers=("store",),
            holder="prune",
        ),
    )


def _private(config: AcceleratorConfig, tokens: int) -> tuple[Memory, ...]:
    """Memories that only the unit around them sees."""
    lanes, row = config.lanes, config.row_bits

    def memory(name: str, holder: str, holds: str, words: int, bits: int, banks: int = 1) -> Memory:
        return Memory(
            name=name, holder=holder, holds=holds, words=words, shape=unsigned(bits), banks=banks
        )

    accumulator, statistics = lanes * numerics.ACCUMULATOR_BITS, layouts.statistics_layout(config)
    slots = 1 << layouts.slot_address_bits(config)
    score, address = lanes * (1 + numerics.SCORE_BITS), lanes * (1 + config.word_bits)
    beat = 8 * config.bus_bytes
    return (
        memory("weights", "linear", "a tile in use, one loading (registers)", 2, lanes * row),
        memory("accumulators", "linear", "partial sums, int32 a lane", tokens, accumulator),
        memory("statistics", "norm", "sum, sum of squares a token", tokens, statistics.size),
        memory("scores", "attention", "scores of rows in flight", slots, score),
        memory("exponentials", "attention", "their exponentials", slots, lanes * numerics.EXP_BITS),
        memory("addresses", "attention", "their keys", slots, address),
        Memory(
            name="exp_table",
            holder="attention",
            holds="2^-x (logic)",
            words=len(numerics.exp_table()),
            shape=unsigned(numerics.EXP_TABLE_BITS),
            banks=lanes,
            constant=True,
        ),
        memory(
            "output_rows",
            "attention",
            "rows before hidden",
            OUTPUT_ROWS - 1,
            row + config.token_bits,
        ),
        memory("stream", "reader", "the program, read ahead", config.stream_beats, beat),
    )
