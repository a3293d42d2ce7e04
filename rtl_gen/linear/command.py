"""The command LINEAR: which layers a program may ask for."""

from amaranth.hdl import Mux, Value
from amaranth.lib.data import View
from amaranth.utils import exact_log2

from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import Command, Reach
from rtl_gen.interfaces.memories import words
from rtl_gen.interfaces.program import Destination, ErrorCode, Source

WIDE = (Destination.LOGITS, Destination.RESIDUAL)
"""Destinations of int16."""


def _errors(config: AcceleratorConfig, command: View) -> dict[ErrorCode, Value]:
    illegal = (
        (command.slices == 0)
        | (command.slices > config.hidden_dim // config.width)
        | (command.tiles == 0)
        | (command.tiles > config.hidden_dim // config.lanes)
        | ((command.destination == Destination.QKV) & (command.tiles > 3 * config.chunks))
    )
    return {ErrorCode.ILLEGAL_FIELD: illegal}


def _reaches(config: AcceleratorConfig, command: View) -> tuple[Reach, Reach]:
    """It reads rows token * slices + 0 .. slices - 1 of its source and writes token * pitch + 0 ..
    rows of its tiles of its destination, none of them for QKV.
    """
    last = {name: words(config, name) - 1 for name in ("activation", "hidden", "residual")}
    to, part_bits = command.destination, exact_log2(config.chunks)
    last_tile = (command.tiles - 1)[: len(command.tiles)]
    return (
        Reach(
            kind="read",
            pitch="slices",
            offset=(command.slices - 1)[: len(command.slices)],
            limit=Mux(command.source == Source.HIDDEN, last["hidden"], last["activation"]),
            first_only=command.only_cls,
        ),
        Reach(
            kind="written",
            pitch="pitch",
            offset=Mux(to.matches(*WIDE), last_tile >> part_bits - 1, last_tile >> part_bits),
            limit=Mux(to == Destination.RESIDUAL, last["residual"], last["hidden"]),
            first_only=command.only_cls,
            applies=to != Destination.QKV,
        ),
    )


LINEAR = Command(
    name="LINEAR",
    does="a linear layer over the live tokens, or the first of them alone (`only_cls`): `slices` "
    "rows of a source token, `tiles` groups of outputs, `pitch` rows of a destination token",
    fields=("source", "destination", "only_cls", "slices", "tiles", "pitch"),
    unit="linear",
    payload=True,
    needs_tokens=True,
    waits=lambda _config, _command: 0,
    errors=_errors,
    reaches=_reaches,
)
