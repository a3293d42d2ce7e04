"""Which commands may run, by the text of the format alone, apart from the hardware's checks.

Benches of the checks and the fuzzer compare with it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.memories import words
from rtl_gen.interfaces.program import Destination, ErrorCode, Source
from rtl_gen.interfaces.targets import Target, transfers

NEEDS_TOKENS = ("LINEAR", "NORM", "ATTEND", "PRUNE", "POOL")


@dataclass(frozen=True)
class Bounds:
    """What of memory is a program's, in bytes."""

    reads: range
    writes: range
    results: int = 0
    """Where the address 0 of STOREs is."""

    @classmethod
    def all_of(cls, config: AcceleratorConfig) -> "Bounds":
        """Every address that there is."""
        everything = range(1 << config.address_bits)
        return cls(everything, everything)

    def stored(self, config: AcceleratorConfig, command: Mapping[str, int]) -> range:
        """The addresses that a STORE names."""
        first = self.results + command["address"]
        return range(first, first + command["count"] * config.width)

    def refuse(self, config: AcceleratorConfig, command: Mapping[str, int]) -> bool:
        """Whether a command whose fields are good names what it may not write."""
        if command["opcode"] != Opcode.STORE:
            return False
        return not lies_within(self.stored(config, command), self.writes)


def lies_within(one: range, other: range) -> bool:
    """Both are not empty."""
    return other.start <= one.start and one.stop <= other.stop


def field_errors(
    config: AcceleratorConfig, command: Mapping[str, int], tokens: int
) -> Iterator[ErrorCode]:
    """Every reason to refuse a command for its fields, the one that is reported first."""
    if command["opcode"] > max(Opcode):
        yield ErrorCode.ILLEGAL_OPCODE
        return
    name, count = Opcode(command["opcode"]).name, command["count"]
    target = transfers(config).get(command["target"])
    if name in ("LOAD", "STORE"):
        reached = target and (target.loads if name == "LOAD" else target.stores)
        if not reached or count == 0:
            yield ErrorCode.ILLEGAL_FIELD
    if name == "LINEAR":
        most = 3 * config.width if command["destination"] == Destination.QKV else 4 * config.max_dim
        slices_fit = 1 <= command["slices"] <= 4 * config.max_dim // config.width
        if not slices_fit or not 1 <= command["tiles"] <= most // config.lanes:
            yield ErrorCode.ILLEGAL_FIELD
    if name in ("NORM", "POOL") and not 1 <= command["dim"] <= config.max_dim:
        yield ErrorCode.ILLEGAL_FIELD
    if name == "PRUNE" and command["prefix"] > count:
        yield ErrorCode.ILLEGAL_FIELD
    if name in ("SET_TOKENS", "PRUNE") and not 1 <= count <= config.max_tokens:
        yield ErrorCode.COUNT_OUT_OF_RANGE
    if name == "POOL" and command["first"] >= config.max_tokens:
        yield ErrorCode.COUNT_OUT_OF_RANGE
    if name == "STORE" and command["address"] % config.width:
        yield ErrorCode.NOT_ALIGNED
    if name in NEEDS_TOKENS and not tokens:
        yield ErrorCode.NO_TOKENS


def goes_beyond(
    config: AcceleratorConfig, command: Mapping[str, int], tokens: int, *, first_stays: bool
) -> bool:
    """Whether a command whose fields are good leaves a memory on the chip.

    With `first_stays` the first live token is token 0, without any of them.
    """
    opcode, last = command["opcode"], tokens - 1
    if opcode in (Opcode.LOAD, Opcode.STORE):
        return command["first"] + command["count"] > transfers(config)[command["target"]].rows
    if opcode == Opcode.ATTEND:
        return last * command["pitch"] + command["first"] >= words(config, "hidden")
    if opcode != Opcode.LINEAR:
        return False
    last = 0 if command["only_cls"] and first_stays else last
    hidden = command["source"] == Source.HIDDEN
    readable = words(config, "hidden") if hidden else words(config, "activation")
    if (last + 1) * command["slices"] > readable:
        return True
    to = command["destination"]
    if to == Destination.QKV:
        return False
    channel_bytes = 1 if to == Destination.HIDDEN else 2
    last_row = (command["tiles"] - 1) * config.lanes * channel_bytes // config.width
    writable = words(config, "residual") if to == Destination.RESIDUAL else words(config, "hidden")
    return last * command["pitch"] + last_row >= writable


def cores_of(config: AcceleratorConfig, command: Mapping[str, int]) -> int:
    """A bit for every core that gets a command: of a STORE the one that it names, of a LOAD that
    one if it says so.
    """
    stores, loads = (command["opcode"] == opcode for opcode in (Opcode.STORE, Opcode.LOAD))
    if config.cores > 1 and (stores or (loads and command["one_core"])):
        return 1 << command["core"]
    return (1 << config.cores) - 1


def waits(command: Mapping[str, int]) -> bool:
    """Whether a command starts only when the units are idle: all but LINEAR, and a LOAD into a
    memory that nothing else writes, if it does not ask for it.
    """
    if command["opcode"] == Opcode.LOAD:
        alone = command["target"] in (Target.MASK, Target.GELU, Target.CHANNEL_SHIFT)
        return bool(command["barrier"]) or not alone
    return command["opcode"] != Opcode.LINEAR
