"""Range check of the rows that a command addresses, which may depend on the tokens.

A live token is at most the last one of SET_TOKENS, so that this one's last row decides; so it does
for a command of the first live token alone, once pruning may have dropped token 0. Commands
say what they reach (`Reach`); those of one kind share an adder and a comparison, those with the
same pitch a multiplier too.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Const, Module, Mux, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In

from rtl_gen.common.pipeline import register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import COMMANDS, Opcode
from rtl_gen.interfaces.command import Reach
from rtl_gen.interfaces.ports import function
from rtl_gen.interfaces.program import command_layout


class RangeCheck(wiring.Component):
    """
    Attributes
    ----------
    check : in, from a command, the last token of SET_TOKENS and whether token 0 is still live for
        sure to whether the command would leave a memory on the chip; a register follows the
        products and the end of a transfer, one the comparisons
    """

    LATENCY = 2

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        argument = StructLayout(
            {
                "command": command_layout(config),
                "last_token": unsigned(config.token_bits),
                "first_stays": 1,
            }
        )
        super().__init__({"check": In(function(argument, 1))})

    def elaborate(self, platform):
        m = Module()
        command = self.check.argument.command
        kinds: dict[str, list[tuple[Value, Reach]]] = {}
        for record in COMMANDS:
            for reach in record.reaches(self._config, command) if record.reaches else ():
                is_it = command.opcode == Opcode[record.name]
                kinds.setdefault(reach.kind, []).append((is_it, reach))
        beyond = [self._beyond(m, kind, reaches) for kind, reaches in kinds.items()]
        m.d.sync += self.check.result.eq(reduce(or_, beyond))
        return m

    def _beyond(self, m: Module, kind: str, reaches: list[tuple[Value, Reach]]) -> Value:
        """Whether the command that has a reach of this kind goes too far; combinational, a cycle
        behind it.
        """

        def chosen(what: str) -> Value:
            if len(reaches) == 1:
                return Value.cast(getattr(reaches[0][1], what))
            return reduce(or_, (Mux(is_it, getattr(reach, what), 0) for is_it, reach in reaches))

        applies = reduce(or_, (is_it & reach.applies for is_it, reach in reaches))
        last = register(m, chosen("offset"), name=f"{kind}_offset")
        (pitch,) = {reach.pitch for _, reach in reaches}
        if pitch is not None:
            argument = self.check.argument
            base = register(m, argument.last_token * argument.command[pitch], name=f"{kind}_base")
            first_only = reduce(or_, (is_it & reach.first_only for is_it, reach in reaches))
            first_only &= argument.first_stays
            last = last + Mux(register(m, first_only, name=f"{kind}_first_only"), 0, base)
        limit = chosen("limit")
        if not isinstance(limit, Const):
            limit = register(m, limit, name=f"{kind}_limit")
        return register(m, applies, name=f"{kind}_applies") & (last > limit)
