"""The command table: every opcode's record, in the order of the opcodes.

Commands run in order, and wait until all units are idle unless their record says otherwise.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import SimpleNamespace

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout, View
from amaranth.lib.wiring import Out, PureInterface

from rtl_gen.attention.attention import ATTEND
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import Command, payload_port
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.linear.command import LINEAR
from rtl_gen.norm.layer_norm import NORM
from rtl_gen.pooling.pool import POOL
from rtl_gen.pruning.pruning import PRUNE, SET_TOKENS
from rtl_gen.transfer.row_loader import LOAD
from rtl_gen.transfer.row_storer import STORE

HALT = Command(name="HALT", does="done, interrupt")

COMMANDS = (HALT, SET_TOKENS, LOAD, LINEAR, NORM, ATTEND, PRUNE, STORE, POOL)

Opcode = IntEnum("Opcode", {command.name: number for number, command in enumerate(COMMANDS)})
"""The number of a command, its place in the table."""

SENT = [command for command in COMMANDS if command.unit]
"""Commands that a unit gets."""


def commands_port(config: AcceleratorConfig) -> wiring.Signature:
    """The dispatcher's side of the units' commands, a stream each."""
    return wiring.Signature({command.port: Out(command.signature(config)) for command in SENT})


def failures(config: AcceleratorConfig) -> dict[str, ErrorCode]:
    """What stops a program at once, by flag of `units_layout`; of several the last one counts."""
    parity = {"wrong_word": ErrorCode.BAD_PARITY} if config.parity else {}
    return {**parity, "write_failed": ErrorCode.WRITE_FAILED}


def units_layout(config: AcceleratorConfig) -> StructLayout:
    """What the dispatcher sees of the units. `idle`: none is busy and nothing is on its way to
    memory; `wrong_word`, with parity: a memory on the chip has read one; `write_failed`: memory
    did not take a row.
    """
    return StructLayout({"idle": 1, **dict.fromkeys(failures(config), 1)})


def give_fields(m: Module, ports: PureInterface, command: View, address: Value) -> None:
    """What every unit gets of a command; `address` goes to those that write to memory."""
    for record in SENT:
        fields = {name: command[name] for name in record.fields}
        if record.to_memory:
            fields["address"] = address
        payload = getattr(ports, record.port).payload
        m.d.comb += [payload[name].eq(value) for name, value in fields.items()]


def payload_is_from_host(command: Mapping[str, int]) -> bool:
    """Whether a command's payload is no part of the checksum; fields that are missing are 0."""
    asks = COMMANDS[command["opcode"]].from_host
    return asks is not None and bool(asks(SimpleNamespace(**{"input": 0, **command})))


def payloads_port(config: AcceleratorConfig) -> wiring.Signature:
    """The dispatcher's side of the units whose commands have a payload."""
    units = (command.unit for command in SENT if command.payload)
    return wiring.Signature({unit: Out(payload_port(config)) for unit in units})
