"""Decoder: what a command is, for which cores, whether it waits, and whether its fields allow it to
run.

All of it follows from the table of commands. The rows that a command would reach, which depend on
the tokens, are checked beside it, see range_check.py.
"""

from collections.abc import Mapping
from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout, View
from amaranth.lib.wiring import In

from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import COMMANDS, Opcode
from rtl_gen.control.header import first_error
from rtl_gen.interfaces.command import Command
from rtl_gen.interfaces.ports import function
from rtl_gen.interfaces.program import ErrorCode, command_layout


def decoded_layout(config: AcceleratorConfig) -> StructLayout:
    """`runs`: a bit an opcode; `waits`: until all units are idle; `from_host`: its payload is no
    part of the checksum; `error`: why it cannot run; `cores`: which cores get it, if there are
    several.
    """
    cores = {"cores": config.cores} if config.cores > 1 else {}
    return StructLayout(
        {
            "runs": ArrayLayout(1, len(COMMANDS)),
            "waits": 1,
            "from_host": 1,
            "error": ErrorCode,
            **cores,
        }
    )


class Decoder(wiring.Component):
    """
    Attributes
    ----------
    decode : in, from a command and whether there are tokens to what it is
    """

    LATENCY = 1

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        argument = StructLayout({"command": command_layout(config), "no_tokens": 1})
        super().__init__({"decode": In(function(argument, decoded_layout(config)))})

    def elaborate(self, platform):
        m = Module()
        config, command, result = self._config, self.decode.argument.command, self.decode.result
        chosen = {c: command.opcode == Opcode[c.name] for c in COMMANDS}

        conditions = {ErrorCode.ILLEGAL_OPCODE: command.opcode >= len(COMMANDS)}
        for record, is_it in chosen.items():
            errors = record.errors(config, command) if record.errors else {}
            if record.needs_tokens:
                errors[ErrorCode.NO_TOKENS] = self.decode.argument.no_tokens
            for code, condition in errors.items():
                conditions[code] = conditions.get(code, 0) | (is_it & condition)
        waits = (
            is_it & (record.waits(config, command) if record.waits else 1)
            for record, is_it in chosen.items()
        )
        m.d.sync += [
            *(result.runs[Opcode[record.name]].eq(is_it) for record, is_it in chosen.items()),
            result.waits.eq(reduce(or_, waits)),
            result.from_host.eq(_any(chosen, "from_host", command)),
            result.error.eq(first_error(dict(sorted(conditions.items())))),
        ]
        if config.cores > 1:
            alone = _any(chosen, "one_core", command)
            m.d.sync += result.cores.eq(Mux(alone, 1 << command.core, ~0))
        return m


def _any(chosen: Mapping[Command, Value], name: str, command: View) -> Value:
    """Whether the record that is chosen says so of the command."""
    asked = ((getattr(record, name), is_it) for record, is_it in chosen.items())
    return reduce(or_, (is_it & ask(command) for ask, is_it in asked if ask))
