"""Which step of a program wrote what a STORE sends to memory."""

from collections.abc import Iterable

from model.program.memory_image import TOKEN_TARGETS
from model.program.step import Step
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import COMMANDS, Opcode
from rtl_gen.interfaces.program import Destination
from rtl_gen.interfaces.targets import Target, transfers

_OF_DESTINATION: dict[int, tuple[Target, ...]] = {
    Destination.QKV: TOKEN_TARGETS,
    Destination.HIDDEN: (Target.HIDDEN,),
    Destination.LOGITS: (Target.HIDDEN,),
    Destination.RESIDUAL: (Target.RESIDUAL,),
}


def writers(config: AcceleratorConfig, steps: Iterable[Step]) -> dict[str, Step]:
    """For every stored tensor, by name, the last step before its STORE that wrote its memory."""
    last: dict[Target, Step] = {}
    found: dict[str, Step] = {}
    for step in steps:
        if step.stored is not None:
            found.setdefault(step.stored.name, last[step.stored.target])
        else:
            last |= dict.fromkeys(_written(config, step), step)
    return found


def unit_of(step: Step) -> str:
    """The unit of the core that carries a step out, as in the memory plan."""
    return COMMANDS[step.opcode].unit or "dispatcher"


def _written(config: AcceleratorConfig, step: Step) -> tuple[Target, ...]:
    """Targets whose memory a step writes; others of the same memory keep their rows."""
    if step.opcode == Opcode.LOAD:
        return (Target(step.fields["target"]),)
    if step.opcode == Opcode.LINEAR:
        return _OF_DESTINATION[step.fields["destination"]]
    unit = unit_of(step)
    return tuple(
        target
        for target, transfer in transfers(config).items()
        if unit in (*transfer.memory.writers, transfer.memory.holder)
    )
