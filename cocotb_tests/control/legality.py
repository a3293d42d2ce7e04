"""Which commands may run, by the text of the format alone, apart from the hardware's checks.

Benches of the checks and the fuzzer compare with it.
"""

from collections.abc import Iterator, Mapping

from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.layouts import ADDRESS_BITS
from rtl_gen.interfaces.memories import words
from rtl_gen.interfaces.program import Destination, ErrorCode, Source
from rtl_gen.interfaces.targets import Target, transfers

ADDRESS_END = 1 << ADDRESS_BITS

NEEDS_TOKENS = ("LINEAR", "NORM", "ATTEND", "PRUNE", "POOL")


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
    """Whether a command whose fields are good leaves a memory, on chip or behind the port.

    With `first_stays` the first live token is token 0, without any of them.
    """
    opcode, last = command["opcode"], tokens - 1
    if opcode in (Opcode.LOAD, Opcode.STORE):
        rows = transfers(config)[command["target"]].rows
        end = command["address"] + command["count"] * config.width
        too_far = opcode == Opcode.STORE and end > ADDRESS_END
        return command["first"] + command["count"] > rows or too_far
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


def waits(command: Mapping[str, int]) -> bool:
    """Whether a command starts only when the units are idle: all but LINEAR, and a LOAD into a
    memory that nothing else writes, if it does not ask for it.
    """
    if command["opcode"] == Opcode.LOAD:
        alone = command["target"] in (Target.MASK, Target.GELU, Target.CHANNEL_SHIFT)
        return bool(command["barrier"]) or not alone
    return command["opcode"] != Opcode.LINEAR
