"""Programs before they are damaged, on the preset `tiny`: a whole network's, and random ones.

What does not depend on the number of cores is that of CONFIG. Of several cores, which one a LOAD or
STORE is for is random, as all bits are that nothing is said of.
"""

from collections.abc import Callable, Mapping
from functools import cache
from random import Random

from cocotb_tests.control.commands import build_program
from cocotb_tests.network.good_program import GoodProgram, good_program
from cocotb_tests.network.run import LEAST_MEMORY
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.memories import words
from rtl_gen.interfaces.packing import unpack
from rtl_gen.interfaces.program import Destination, Source, command_layout, record_bytes
from rtl_gen.interfaces.targets import transfers
from rtl_gen.linear.weight_buffer import parameter_rows
from rtl_gen.presets import get_config

PRESET = "tiny"
CONFIG = get_config(PRESET)
RECORD = record_bytes(CONFIG)
RANGES = transfers(CONFIG)
MEMORY_END = LEAST_MEMORY[CONFIG.width]
SLOT = 1 << 16
"""Where damaged programs lie; the good one lies at 0."""
SLOT_BYTES = 1 << 15
"""All of it is written for each: zeros, which are HALTs, behind a program."""
FREE = 1 << 17
"""From here to the end of memory STOREs do no harm."""

COMMAND = command_layout(CONFIG)


@cache
def good(config: AcceleratorConfig) -> GoodProgram:
    """The program that must still be right behind every other one; it lies at 0."""
    return good_program(config)


def legal_program(config: AcceleratorConfig, rng: Random) -> bytes:
    """Random legal commands with random payload; bits that an opcode ignores are random, too."""
    tokens = rng.randint(1, CONFIG.max_tokens)
    parts = [_command(config, rng, opcode=Opcode.SET_TOKENS, count=tokens)]
    for _ in range(rng.randint(1, 8)):
        opcode, fields = legal_command(rng, tokens)
        tokens = fields["count"] if opcode == Opcode.SET_TOKENS else tokens
        parts += _with_payload(config, rng, opcode, fields)
    return build_program(config, *parts, _command(config, rng, opcode=Opcode.HALT))


def legal_command(rng: Random, tokens: int) -> tuple[Opcode, dict[str, int]]:
    """An opcode and the fields that matter to it, legal for so many tokens."""
    opcode = rng.choice([*_LEGAL, Opcode.LINEAR, Opcode.LINEAR, Opcode.ATTEND])
    return opcode, _LEGAL[opcode](rng, tokens)


def command_program(
    config: AcceleratorConfig, rng: Random, tokens: int, opcode: Opcode, fields: Mapping[str, int]
) -> bytes:
    """SET_TOKENS, one command with its payload, HALT."""
    start = _command(config, rng, opcode=Opcode.SET_TOKENS, count=tokens)
    parts = _with_payload(config, rng, opcode, fields)
    return build_program(config, start, *parts, _command(config, rng, opcode=Opcode.HALT))


def wild_program(config: AcceleratorConfig, rng: Random) -> bytes:
    """Commands whose every field may be at its limit or beyond; the first ones are legal."""
    tokens = rng.randint(1, CONFIG.max_tokens)
    parts = [_command(config, rng, opcode=Opcode.SET_TOKENS, count=tokens)]
    for _ in range(rng.randint(1, 4)):
        opcode = rng.choice([*Opcode, *Opcode, max(Opcode) + 1, 255])
        fields = {
            name: rng.choice([*limits, rng.getrandbits(32)]) & largest(name)
            for name, limits in _LIMITS.items()
        }
        parts.append(_command(config, rng, opcode=opcode, **fields))
        parts.append(rng.randbytes(CONFIG.width * rng.randrange(40)))
    return build_program(config, *parts, _command(config, rng, opcode=Opcode.HALT))


def noise_program(config: AcceleratorConfig, rng: Random) -> bytes:
    """Random bytes behind a right header, or behind one of noise."""
    body = rng.randbytes(CONFIG.width * rng.randrange(100))
    return build_program(config, body) if rng.random() < 0.8 else body.ljust(RECORD, b"\0")


def free_address(rng: Random, count: int) -> int:
    """Where `count` rows can be stored."""
    return rng.randrange(FREE, MEMORY_END - count * CONFIG.width, CONFIG.width)


def far_address(rng: Random) -> int:
    """At an end of memory or of all addresses, or anywhere, aligned or not."""
    end = rng.choice([MEMORY_END, 1 << 32, FREE, SLOT, 0])
    step = rng.choice([1, CONFIG.bus_bytes, CONFIG.width, CONFIG.width])
    address = end + rng.randint(-40, 40) * step
    return address % (1 << 32)


def largest(name: str) -> int:
    """What a field of a command can hold."""
    return (1 << COMMAND[name].width) - 1


def _command(config: AcceleratorConfig, rng: Random, **fields: int) -> dict[str, int]:
    """A command; what `fields` leave out is random."""
    layout = command_layout(config)
    return unpack(layout, rng.getrandbits(layout.size)) | fields


def _with_payload(
    config: AcceleratorConfig, rng: Random, opcode: Opcode, fields: Mapping[str, int]
) -> list[dict[str, int] | bytes]:
    """A command and random payload of the right length."""
    payload = rng.randbytes(_payload_rows(opcode, fields) * CONFIG.width)
    return [_command(config, rng, opcode=opcode, **fields), payload]


def _transfer(rng: Random, opcode: Opcode) -> dict[str, int]:
    loads = opcode == Opcode.LOAD
    reached = [t for t, allowed in RANGES.items() if (allowed.loads if loads else allowed.stores)]
    target = rng.choice(reached)
    rows = RANGES[target].rows
    count = rng.randint(1, rows)
    return {"target": target, "count": count, "first": rng.randint(0, rows - count)}


def _store(rng: Random) -> dict[str, int]:
    fields = _transfer(rng, Opcode.STORE)
    return fields | {"address": free_address(rng, fields["count"])}


def _linear(rng: Random, tokens: int) -> dict[str, int]:
    source, to = rng.choice(list(Source)), rng.choice(list(Destination))
    alone = rng.random() < 0.2
    last = 0 if alone else tokens - 1
    most_slices = 4 * CONFIG.max_dim // CONFIG.width
    readable = words(CONFIG, "hidden") if source == Source.HIDDEN else words(CONFIG, "activation")
    slices = rng.randint(1, min(most_slices, readable // (last + 1)))
    if to == Destination.QKV:
        tiles, pitch = rng.randint(1, 3 * CONFIG.chunks), rng.randint(0, largest("pitch"))
    else:
        writable = words(CONFIG, "residual" if to == Destination.RESIDUAL else "hidden")
        pitch = rng.randint(0, min(writable // (last + 1), largest("pitch")))
        room = (writable - last * pitch) * CONFIG.chunks // (1 if to == Destination.HIDDEN else 2)
        tiles = rng.randint(1, min(4 * CONFIG.max_dim // CONFIG.lanes, room, 64 // slices + 1))
    return {
        "source": source,
        "destination": to,
        "only_cls": int(alone),
        "slices": slices,
        "tiles": tiles,
        "pitch": pitch,
    }


def _norm(rng: Random) -> dict[str, int]:
    return {"dim": rng.randint(1, CONFIG.max_dim)}


def _pool(rng: Random) -> dict[str, int]:
    prefix = rng.randint(0, CONFIG.max_tokens + 1)
    return _norm(rng) | {"first": rng.randrange(CONFIG.max_tokens), "prefix": prefix}


def _attend(rng: Random, tokens: int) -> dict[str, int]:
    rows = words(CONFIG, "hidden")
    pitch = rng.randint(0, min(largest("pitch"), (rows - 1) // max(1, tokens - 1)))
    return {"pitch": pitch, "first": rng.randrange(rows - (tokens - 1) * pitch)}


def _count(rng: Random) -> dict[str, int]:
    return {"count": rng.randint(1, CONFIG.max_tokens)}


def _prune(rng: Random) -> dict[str, int]:
    fields = _count(rng)
    return fields | {"prefix": rng.randint(0, min(fields["count"], 5))}


def _payload_rows(opcode: Opcode, fields: Mapping[str, int]) -> int:
    if opcode == Opcode.LINEAR:
        group = parameter_rows(CONFIG) + fields["slices"] * CONFIG.lanes
        return fields["tiles"] * group
    return fields["count"] if opcode == Opcode.LOAD else 0


_LEGAL: dict[Opcode, Callable[[Random, int], dict[str, int]]] = {
    Opcode.SET_TOKENS: lambda rng, _: _count(rng),
    Opcode.LOAD: lambda rng, _: _transfer(rng, Opcode.LOAD),
    Opcode.LINEAR: _linear,
    Opcode.NORM: lambda rng, _: _norm(rng),
    Opcode.ATTEND: _attend,
    Opcode.PRUNE: lambda rng, _: _prune(rng),
    Opcode.STORE: lambda rng, _: _store(rng),
    Opcode.POOL: lambda rng, _: _pool(rng),
}
"""Fields of each opcode, for so many tokens of the last SET_TOKENS."""

_LIMITS = {
    "target": range(16),
    "count": [0, 1, CONFIG.max_tokens, CONFIG.max_tokens + 1, words(CONFIG, "hidden"), 1 << 23],
    "first": [0, 1, CONFIG.max_tokens - 1, words(CONFIG, "hidden") - 1, words(CONFIG, "hidden")],
    "address": [0, FREE, MEMORY_END, MEMORY_END - CONFIG.width, (1 << 32) - CONFIG.width],
    "pitch": [0, 1, CONFIG.chunks, 8, 9],
    "slices": [0, 1, 2, 8, 9],
    "tiles": [0, 1, 2, 3 * CONFIG.chunks, 3 * CONFIG.chunks + 1, 32, 33],
    "dim": [0, 1, CONFIG.max_dim, CONFIG.max_dim + 1],
    "prefix": [0, 1, 2, 5, CONFIG.max_tokens],
}
"""Values at which something changes, by field."""
