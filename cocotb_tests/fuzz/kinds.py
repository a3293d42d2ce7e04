"""Kinds of damage to programs, and cases of them: each follows from a seed and a number."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from random import Random

from cocotb_tests.fuzz.cases import Behaviour, Case, Splice
from cocotb_tests.fuzz.foresight import Decoder, Memory
from cocotb_tests.fuzz.programs import (
    COMMAND,
    CONFIG,
    PRESET,
    RECORD,
    SLOT,
    command_program,
    far_address,
    good,
    largest,
    legal_command,
    legal_program,
    noise_program,
    wild_program,
)
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import HEADER, ErrorCode
from rtl_gen.presets import get_config

RESPONSES = (1, 2, 3)
"""EXOKAY, SLVERR, DECERR: none of them is what the accelerator asked for."""

BATCHES = {"verilator": 130, "icarus": 13}
"""Cases of one simulation; Icarus takes as long for its few."""

TURN = sum(BATCHES.values())
"""Cases one behind the other that have as many cores."""

CORES = (1, 2, 4)

_NUMBERS = ("count", "first", "slices", "tiles", "pitch", "dim", "prefix")
"""Fields that count something."""


def draw_case(seed: int, number: int) -> Case:
    """The case `number` of a seed; kinds take turns, numbers of cores take longer ones."""
    rng = Random(f"{seed} {number}")
    config = get_config(PRESET, cores=CORES[number // TURN % len(CORES)])
    kind = list(KINDS)[number % len(KINDS)]
    case = replace(KINDS[kind](config, rng), number=number, kind=kind)
    pace = Behaviour(
        latency=rng.choice([2, 3, 5, 20, 60]),
        rate=rng.choice([1, 3, CONFIG.bus_bytes, CONFIG.bus_bytes]),
        stall=rng.choice([0, 0, 0.1, 0.4]),
    )
    behaviour = replace(case.behaviour, latency=pace.latency, rate=pace.rate, stall=pace.stall)
    return replace(case, behaviour=behaviour)


def _case(config: AcceleratorConfig, base: bytes, splices: Sequence[Splice] = (), **fields) -> Case:
    return Case(number=0, kind="", base=base, splices=tuple(splices), config=config, **fields)


def _base(config: AcceleratorConfig, rng: Random) -> bytes:
    """A program worth damaging."""
    return good(config).data.tobytes() if rng.random() < 0.5 else legal_program(config, rng)


@cache
def _parts(config: AcceleratorConfig, program: bytes) -> list[range]:
    """Header, and every command with its payload, as offsets."""
    starts = Decoder(config, Memory(program), 0).run().records
    return [range(*pair) for pair in zip([0, *starts], [*starts, len(program)], strict=True)]


def _bits(config: AcceleratorConfig, rng: Random) -> Case:
    """Bits of records and payload; those of records count most."""
    base = _base(config, rng)
    splices = []
    for _ in range(rng.choice([1, 1, 2, 8])):
        part = rng.choice(_parts(config, base))
        where = part.start + rng.randrange(RECORD) if rng.random() < 0.8 else rng.choice(part)
        splices.append(Splice(where, 1, bytes([base[where] ^ 1 << rng.randrange(8)])))
    return _case(config, base, splices)


def _bytes(config: AcceleratorConfig, rng: Random) -> Case:
    """Runs of bytes become others, or are gone, or come on top."""
    base = _base(config, rng)
    splices = []
    for _ in range(rng.randint(1, 4)):
        length, where = rng.choice([1, 4, 32, 200]), rng.randrange(len(base))
        data = rng.choice([rng.randbytes(length), bytes(length), b"\xff" * length, b""])
        splices.append(Splice(where, rng.choice([length, length, 0]), data))
    return _case(config, base, splices)


def _shuffled(config: AcceleratorConfig, rng: Random, base: bytes, parts: Sequence[range]) -> Case:
    """Two parts change places, or one is lost or stands twice."""
    splices = []
    for _ in range(rng.choice([1, 1, 3])):
        one, other = sorted(rng.sample(parts, 2), key=lambda part: part.start)
        first, second = base[one.start : one.stop], base[other.start : other.stop]
        between = base[one.stop : other.start]
        splices.append(
            rng.choice(
                [
                    Splice(one.start, other.stop - one.start, second + between + first),
                    Splice(one.start, len(first), b""),
                    Splice(one.start, 0, first),
                    Splice(other.start, 0, first),
                ]
            )
        )
    # From the last to the first, so that each is where it was meant to be.
    splices.sort(key=lambda splice: -splice.offset)
    if rng.random() < 0.5:
        size = len(_case(config, base, splices).data)
        splices.append(_rows(max(0, size - RECORD) // CONFIG.width))
    return _case(config, base, splices)


def _row_order(config: AcceleratorConfig, rng: Random) -> Case:
    """Rows of `width` bytes."""
    base = _base(config, rng)
    width = CONFIG.width
    return _shuffled(
        config, rng, base, [range(at, at + width) for at in range(0, len(base), width)]
    )


def _command_order(config: AcceleratorConfig, rng: Random) -> Case:
    """Commands with their payload."""
    base = _base(config, rng)
    return _shuffled(config, rng, base, _parts(config, base))


def _fields(config: AcceleratorConfig, rng: Random) -> Case:
    """Commands with any fields, those that matter at their limits and beyond."""
    return _case(config, wild_program(config, rng))


def _limits(config: AcceleratorConfig, rng: Random) -> Case:
    """A command with one field at the last legal number, or at the next one."""
    tokens = rng.randint(1, CONFIG.max_tokens)
    opcode, fields = legal_command(rng, tokens)
    name = rng.choice([name for name in _NUMBERS if name in fields])
    filler = rng.getrandbits(32)

    def program(value: int) -> bytes:
        return command_program(config, Random(filler), tokens, opcode, fields | {name: value})

    def refused(value: int) -> bool:
        codes = Decoder(config, Memory(program(value)), 0).run().codes
        return not codes <= {ErrorCode.NONE, ErrorCode.WRITE_FAILED}

    first_refused = bisect_left(range(largest(name) + 1), True, lo=fields[name], key=refused)
    return _case(config, program(min(first_refused - rng.randint(0, 1), largest(name))))


def _legal(config: AcceleratorConfig, rng: Random) -> Case:
    """Nothing is wrong with it."""
    return _case(config, legal_program(config, rng))


def _noise(config: AcceleratorConfig, rng: Random) -> Case:
    """Random bytes."""
    return _case(config, noise_program(config, rng))


def _truncated(config: AcceleratorConfig, rng: Random) -> Case:
    """The header says fewer rows than there are, or the rest is gone."""
    base = _base(config, rng)
    rows = rng.randrange((len(base) - RECORD) // CONFIG.width)
    cut = Splice(RECORD + rows * CONFIG.width, len(base), b"")
    return _case(config, base, rng.choice([[_rows(rows)], [cut], [_rows(rows), cut]]))


def _counts(config: AcceleratorConfig, rng: Random) -> Case:
    """Numbers of rows, tokens and tiles that are not those of the payload."""
    base = _base(config, rng)
    splices = []
    for part in rng.sample(_parts(config, base)[1:], 1):
        name = rng.choice(_NUMBERS)
        member = COMMAND[name]
        bits = int.from_bytes(base[part.start : part.start + RECORD], "little")
        old = bits >> member.offset & (1 << member.width) - 1
        new = rng.choice([old + 1, old - 1, 0, 2 * old, -1, rng.getrandbits(member.width)])
        new &= (1 << member.width) - 1
        bits ^= (old ^ new) << member.offset
        splices.append(Splice(part.start, RECORD, bits.to_bytes(RECORD, "little")))
    if rng.random() < 0.3:
        size = (len(base) - RECORD) // CONFIG.width
        splices.append(_rows(rng.choice([size + 1, size + 500, (1 << 29) - 1, (1 << 32) - 1])))
    return _case(config, base, splices)


def _addresses(config: AcceleratorConfig, rng: Random) -> Case:
    """The program or its STOREs at ends of memory, at those of all addresses, or within a row."""
    base = legal_program(config, rng)
    splices = []
    member = COMMAND["address"]
    for part in _parts(config, base)[1:]:
        if base[part.start] == Opcode.STORE:
            bits = int.from_bytes(base[part.start : part.start + RECORD], "little")
            bits &= ~(((1 << member.width) - 1) << member.offset)
            bits |= far_address(rng) << member.offset
            splices.append(Splice(part.start, RECORD, bits.to_bytes(RECORD, "little")))
    moved = not splices or rng.random() < 0.4
    return _case(config, base, splices, address=far_address(rng) if moved else SLOT)


def _faults(config: AcceleratorConfig, rng: Random) -> Case:
    """Memory answers with errors within the program or where it stores."""
    base = _base(config, rng)
    stores = _case(config, base).foresee().stores
    area = rng.choice([range(SLOT, SLOT + len(base) + 256), *stores])
    beat = CONFIG.bus_bytes
    first = rng.randrange(area.start, area.stop, beat)
    faults = range(first, first + beat * rng.choice([1, 1, 2, 16, 100]))
    return _case(config, base, behaviour=Behaviour(faults=faults, response=rng.choice(RESPONSES)))


def _resets(config: AcceleratorConfig, rng: Random) -> Case:
    """A soft reset somewhere in a program, often near its end."""
    before_end = rng.choice([rng.randint(0, 10), rng.randint(0, 10), rng.randint(0, 2_000)])
    kind = rng.choice([_bits, _legal, _fields, _faults])
    return replace(kind(config, rng), reset_before_end=before_end)


def _rows(count: int) -> Splice:
    """The header's number of rows."""
    member = HEADER["rows"]
    return Splice(member.offset // 8, member.width // 8, count.to_bytes(4, "little"))


KINDS: dict[str, Callable[[AcceleratorConfig, Random], Case]] = {
    "bits": _bits,
    "bytes": _bytes,
    "rows": _row_order,
    "commands": _command_order,
    "fields": _fields,
    "limits": _limits,
    "legal": _legal,
    "noise": _noise,
    "truncated": _truncated,
    "counts": _counts,
    "addresses": _addresses,
    "faults": _faults,
    "resets": _resets,
}
