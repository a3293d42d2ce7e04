"""Every way to stop a program early, and the largest programs that are legal."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from cocotb_tests.control.commands import build_program
from cocotb_tests.network.run import LEAST_MEMORY
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.memories import words
from rtl_gen.interfaces.program import MAGIC, VERSION, Destination, ErrorCode, Source, record_bytes
from rtl_gen.interfaces.targets import Target, row_count_bits, transfers
from rtl_gen.linear.weight_buffer import parameter_rows
from rtl_gen.presets import get_config

CONFIG = get_config("tiny")
RECORD = record_bytes(CONFIG)
MEMORY_END = LEAST_MEMORY[CONFIG.width]
RANGES = transfers(CONFIG)
build = partial(build_program, CONFIG)
ADDRESS_END = 1 << CONFIG.address_bits
LARGEST_COUNT = (1 << row_count_bits(CONFIG)) - 1
LARGEST_PREFIX = (1 << CONFIG.count_bits) - 1

SET_TOKENS = {"opcode": Opcode.SET_TOKENS, "count": 2}
HALT = {"opcode": Opcode.HALT}
LINEAR = {"opcode": Opcode.LINEAR, "slices": 1, "tiles": 2}
NORM = {"opcode": Opcode.NORM, "dim": 1}
POOL = {"opcode": Opcode.POOL, "dim": 1}
PRUNE = {"opcode": Opcode.PRUNE, "count": 1}


class Program(NamedTuple):
    """A program and how it ends. Addresses of STOREs are those of memory."""

    name: str
    error: ErrorCode
    data: bytes
    recovers: bool = False
    """The good program follows in any case."""
    address: int | None = None
    """Where it must lie; None: anywhere."""


def rows(count: int) -> bytes:
    return bytes(range(1, CONFIG.width + 1)) * count


def load(target: int, count: int, **fields: int) -> dict[str, int]:
    return {"opcode": Opcode.LOAD, "target": target, "count": count, "barrier": 1} | fields


def store(target: int, count: int, **fields: int) -> dict[str, int]:
    free = {"address": MEMORY_END // 2}
    return {"opcode": Opcode.STORE, "target": target, "count": count} | free | fields


def bad_headers() -> Iterator[Program]:
    digest = int(CONFIG.digest(), 16)
    yield Program("zeros", ErrorCode.BAD_MAGIC, bytes(RECORD))
    yield Program("another magic", ErrorCode.BAD_MAGIC, build(HALT, magic=MAGIC ^ 1 << 31))
    yield Program("next version", ErrorCode.BAD_VERSION, build(HALT, version=VERSION + 1))
    for bit in (0, 63):
        data = build(HALT, digest=digest ^ 1 << bit)
        yield Program(f"digest bit {bit}", ErrorCode.BAD_CONFIG, data)
    other = int(get_config("small").digest(), 16)
    yield Program("another preset", ErrorCode.BAD_CONFIG, build(HALT, digest=other))
    beyond = ADDRESS_END // CONFIG.width
    for count in (beyond, (1 << 32) - 1):
        data = build(HALT, rows=count)
        yield Program(f"{count} rows", ErrorCode.OUT_OF_BOUNDS, data)


def bad_opcodes() -> Iterator[Program]:
    for opcode in (max(Opcode) + 1, 255):
        data = build(SET_TOKENS, {"opcode": opcode}, HALT)
        yield Program(f"opcode {opcode}", ErrorCode.ILLEGAL_OPCODE, data)


def bad_fields() -> Iterator[Program]:
    """What no opcode takes, before anything that depends on how many there are."""
    unknown = [max(Target) + 1, 15]
    commands = {
        **{
            f"{name} of target {int(target)}": (transfer(target, 1), rows(1))
            for name, transfer, refused in (
                ("load", load, [t for t, r in RANGES.items() if not r.loads]),
                ("store", store, [t for t, r in RANGES.items() if not r.stores]),
            )
            for target in refused + unknown
        },
        "load of nothing": (load(Target.KEY, 0),),
        "store of nothing": (store(Target.KEY, 0),),
        "no slices": (LINEAR | {"slices": 0},),
        "no tiles": (LINEAR | {"tiles": 0},),
        "too many slices": (LINEAR | {"slices": 4 * CONFIG.max_dim // CONFIG.width + 1},),
        "too many tiles": (LINEAR | {"tiles": 4 * CONFIG.max_dim // CONFIG.lanes + 1},),
        "more than q, k and v": (LINEAR | {"tiles": 3 * CONFIG.chunks + 1},),
        "norm of nothing": (NORM | {"dim": 0},),
        "norm of too much": (NORM | {"dim": CONFIG.max_dim + 1},),
        "mean of nothing": (POOL | {"dim": 0},),
        "mean of too much": (POOL | {"dim": CONFIG.max_dim + 1},),
        "more first tokens than stay": (PRUNE | {"prefix": 2},),
    }
    for name, parts in commands.items():
        yield Program(name, ErrorCode.ILLEGAL_FIELD, build(SET_TOKENS, *parts, HALT))


def bad_counts() -> Iterator[Program]:
    beyond = CONFIG.max_tokens + 1
    commands = {
        f"{opcode.name} {count}": {"opcode": opcode, "count": count}
        for opcode in (Opcode.SET_TOKENS, Opcode.PRUNE)
        for count in (0, beyond)
    }
    commands["mean beyond the last token"] = POOL | {"first": CONFIG.max_tokens}
    for target, allowed in RANGES.items():
        transfers = [load] * allowed.loads + [store] * allowed.stores
        for transfer in transfers:
            name = f"{transfer.__name__} beyond {target.name}"
            commands[name] = transfer(target, allowed.rows + 1)
            commands[f"{name}, from its end"] = transfer(target, 1, first=allowed.rows)
    largest = load(Target.HIDDEN, LARGEST_COUNT, first=LARGEST_COUNT)
    commands["largest count and first"] = largest
    for name, command in commands.items():
        data = build(SET_TOKENS, command, HALT)
        yield Program(name, ErrorCode.COUNT_OUT_OF_RANGE, data)


def layers(destination: int, pitch: int, tiles: int, **fields: int) -> tuple:
    """A LINEAR over the hidden memory, with any payload."""
    command = LINEAR | {"source": Source.HIDDEN, "destination": destination, "tiles": tiles}
    payload = rows(tiles * (parameter_rows(CONFIG) + CONFIG.lanes))
    return (command | {"pitch": pitch} | fields, payload)


def row_limits() -> Iterator[tuple[str, int, tuple, tuple]]:
    """Tokens, the command that reaches the last row of a memory, and one that goes beyond.

    17 tokens have 136 hidden, 34 activation and 68 residual rows; a row is written in 4 parts of
    int8 channels, 2 of int16.
    """
    assert (CONFIG.max_tokens, words(CONFIG, "hidden"), CONFIG.chunks) == (17, 136, 4)
    hidden, logits, residual = Destination.HIDDEN, Destination.LOGITS, Destination.RESIDUAL
    attend = {"opcode": Opcode.ATTEND, "pitch": 8}
    yield "head", 17, (attend | {"first": 7},), (attend | {"first": 8},)
    yield "head of 16", 16, (attend | {"first": 15},), (attend | {"first": 16},)
    yield "far head", 1, (attend | {"first": 135},), (attend | {"first": LARGEST_COUNT},)
    yield "hidden pitch", 17, layers(hidden, 8, 32), layers(hidden, 9, 1)
    yield "hidden part", 16, layers(hidden, 9, 4), layers(hidden, 9, 5)
    yield "logits", 16, layers(logits, 9, 2), layers(logits, 9, 3)
    yield "residual", 17, layers(residual, 4, 8), layers(residual, 4, 9)
    yield "one token", 17, layers(hidden, 15, 32, only_cls=1), layers(hidden, 15, 1)
    yield "slices", 17, from_activation(2), from_activation(3)
    yield "slices, a row beyond", 5, from_activation(6), from_activation(7)


def from_activation(slices: int) -> tuple:
    """A LINEAR of one tile over the activation memory, with any payload."""
    command = LINEAR | {"source": Source.ACTIVATION, "tiles": 1, "slices": slices}
    return command, rows(parameter_rows(CONFIG) + slices * CONFIG.lanes)


def bad_rows() -> Iterator[Program]:
    for name, count, _, bad in row_limits():
        data = build(SET_TOKENS | {"count": count}, *bad, HALT)
        yield Program(f"beyond: {name}", ErrorCode.COUNT_OUT_OF_RANGE, data)


def other_refusals() -> Iterator[Program]:
    for offset in (1, CONFIG.width // 2):
        command = store(Target.KEY, 1, address=MEMORY_END // 2 + offset)
        data = build(SET_TOKENS, command, HALT)
        yield Program(f"store to {offset} behind a row", ErrorCode.NOT_ALIGNED, data)
    # Behind the last address, where it would wrap to the first.
    for rows_there, count in ((1, 2), (3, 5)):
        address = ADDRESS_END - rows_there * CONFIG.width
        data = build(SET_TOKENS, store(Target.HIDDEN, count, address=address), HALT)
        yield Program(f"store {count} behind {rows_there}", ErrorCode.OUT_OF_BOUNDS, data)
    # The first live token may be the last of the sequence when no prefix keeps token 0.
    for prefix, error in ((0, ErrorCode.COUNT_OUT_OF_RANGE), (1, ErrorCode.NONE)):
        prune = PRUNE | {"prefix": prefix}
        layer = layers(Destination.HIDDEN, 15, 1, only_cls=1)
        data = build(SET_TOKENS | {"count": 17}, prune, *layer, HALT)
        yield Program(f"one token behind PRUNE with prefix {prefix}", error, data)
    needy = [LINEAR, NORM, POOL, {"opcode": Opcode.ATTEND}, PRUNE]
    for command in needy:
        data = build(command, HALT)
        yield Program(f"{command['opcode'].name} first", ErrorCode.NO_TOKENS, data)


def bad_places() -> Iterator[Program]:
    """Program addresses within a beat, and programs that pass the last address."""
    for address in (1, CONFIG.bus_bytes // 2, ADDRESS_END - 1):
        yield Program(f"program at {address:#x}", ErrorCode.NOT_ALIGNED, b"", address=address)
    beyond = ErrorCode.OUT_OF_BOUNDS
    last = ADDRESS_END - RECORD
    for address in (last + CONFIG.bus_bytes, ADDRESS_END - CONFIG.bus_bytes):
        yield Program(f"header at {address:#x}", beyond, b"", address=address)
    yield Program("header in the last place", ErrorCode.READ_FAILED, b"", address=last)
    for more, error in ((0, ErrorCode.NONE), (1, beyond)):
        address = MEMORY_END - (8 + 8 * more) * RECORD
        count = (ADDRESS_END - RECORD - address) // CONFIG.width + more
        data = build(HALT, rows=count)
        yield Program(f"{more} rows behind the last address", error, data, address=address)


def short_programs() -> Iterator[Program]:
    """The stream ends in every kind of place; units are at work when it does."""
    tile = parameter_rows(CONFIG) + CONFIG.lanes
    parts = {
        "nothing": [],
        "in a command": [SET_TOKENS, rows(1)],
        "behind a command": [SET_TOKENS],
        "behind an attention": [SET_TOKENS, {"opcode": Opcode.ATTEND, "accumulate": 1}],
        "behind a norm": [SET_TOKENS, NORM],
        "behind a mean": [SET_TOKENS, POOL],
        "behind a selection": [SET_TOKENS, PRUNE],
        "behind a store": [store(Target.KEY, 1)],
        "before a payload": [SET_TOKENS, load(Target.HIDDEN, 3)],
        "in a payload": [SET_TOKENS, load(Target.HIDDEN, 3), rows(2)],
        "in a table": [SET_TOKENS, load(Target.GELU, 2), rows(1)],
        "before a layer": [SET_TOKENS, LINEAR],
        "in parameters": [SET_TOKENS, LINEAR, rows(1)],
        "between tiles": [SET_TOKENS, LINEAR, rows(tile)],
        "in a tile": [SET_TOKENS, LINEAR, rows(2 * tile - 1)],
    }
    far = {"behind an attention", "in a table", "between tiles", "in a tile"}
    for name, commands in parts.items():
        yield Program(f"end: {name}", ErrorCode.ENDED_EARLY, build(*commands), name in far)


def memory_errors() -> Iterator[Program]:
    read, write = ErrorCode.READ_FAILED, ErrorCode.WRITE_FAILED
    yield Program("program beyond memory", read, b"", address=MEMORY_END)
    data = build(SET_TOKENS, load(Target.HIDDEN, 3), rows(3), HALT)
    yield Program("payload beyond memory", read, data, True, MEMORY_END - 3 * RECORD)
    # The payload up to the end of memory is what other programs have there.
    far = LINEAR | {"tiles": 12, "slices": 4}
    data = build(SET_TOKENS, far, rows=1000)
    yield Program("layer beyond memory", read, data, True, MEMORY_END - 13 * RECORD)
    data = build(load(Target.HIDDEN, 8 * RECORD // CONFIG.width), rows=1000)
    yield Program("command beyond memory", read, data, address=MEMORY_END - 10 * RECORD)
    for count in (1, CONFIG.max_tokens):
        command = store(Target.KEY, count, address=MEMORY_END - CONFIG.width * (count // 2))
        data = build(SET_TOKENS, command, HALT)
        yield Program(f"store {count} beyond memory", write, data, recovers=True)


def legal_programs() -> Iterator[Program]:
    """The largest that each command takes, and rows behind the end."""
    loads = [
        part
        for target, allowed in RANGES.items()
        if allowed.loads
        for part in (load(target, allowed.rows), rows(allowed.rows))
    ]
    stores = [store(target, allowed.rows) for target, allowed in RANGES.items() if allowed.stores]
    all_tokens = {"opcode": Opcode.SET_TOKENS, "count": CONFIG.max_tokens}
    prune = PRUNE | dict.fromkeys(("count", "prefix"), CONFIG.max_tokens)
    ends = NORM | {"dim": CONFIG.max_dim - 1}, POOL | {"prefix": LARGEST_PREFIX}
    none = ErrorCode.NONE
    yield Program("halt", none, build(HALT))
    largest = build(*loads, *stores, all_tokens, prune, *ends, HALT)
    yield Program("largest", none, largest, recovers=True)
    for name, count, good, _ in row_limits():
        yield Program(f"last row: {name}", none, build(SET_TOKENS | {"count": count}, *good, HALT))
    yield Program("rows behind the end", none, build(HALT, rows(40)), recovers=True)


def damaged_programs() -> Iterator[Program]:
    """A wrong bit of anything that was compiled shows at the end; one of the host's does not."""
    command = load(Target.GELU, RANGES[Target.GELU].rows)
    payload = rows(command["count"])
    whole = build(SET_TOKENS, command, payload, HALT)
    parts = {
        "reserved header": 6,
        "padding of a record": 2 * RECORD - 1,
        "first of a table": 3 * RECORD,
        "last of a table": len(whole) - RECORD - 1,
        "padding of HALT": len(whole) - RECORD + 1,
        "checksum": len(whole) - 1,
    }
    for name, at in parts.items():
        for bit in (0, 7):
            data = bytearray(whole)
            data[at] ^= 1 << bit
            yield Program(f"bit {bit}: {name}", ErrorCode.BAD_CHECKSUM, bytes(data), at == 6)
    hosts = bytearray(build(SET_TOKENS, command | {"input": 1}, payload, HALT))
    for at in range(3 * RECORD, len(hosts) - RECORD):
        hosts[at] ^= 0xFF
    yield Program("another picture", ErrorCode.NONE, bytes(hosts))
    hosts[2 * RECORD + 9] ^= 1
    yield Program("another picture, a wrong bit", ErrorCode.BAD_CHECKSUM, bytes(hosts))


def all_programs() -> list[Program]:
    kinds = (
        bad_headers,
        bad_opcodes,
        bad_fields,
        bad_counts,
        bad_rows,
        other_refusals,
        bad_places,
        short_programs,
        memory_errors,
        legal_programs,
        damaged_programs,
    )
    return [program for kind in kinds for program in kind()]
