"""Which side of a bus a rule binds, and what a watching module makes of it."""

import enum

from amaranth.hdl import Module, ValueLike

from proofs.harness import assume
from proofs.rules.streams import previous
from rtl_gen.common.contract import require


class Side(enum.Enum):
    """Of a transfer of addresses and data on a bus."""

    MANAGER = "manager"
    SUBORDINATE = "subordinate"


class Rulebook:
    """Collects rules in a module: asserts those of the side `held`, assumes those of `assumed`.

    Parameters
    ----------
    bus : begins every message
    """

    def __init__(self, m: Module, bus: str, *, held: Side, assumed: Side | None = None):
        self._m, self._bus, self._held, self._assumed = m, bus, held, assumed

    def rule(self, side: Side, condition: ValueLike, message: str) -> None:
        """`condition` binds `side` in every cycle without reset."""
        if side is self._held:
            require(self._m, condition, f"{self._bus}: {message}")
        elif side is self._assumed:
            assume(self._m, condition, message)

    def stable(self, side: Side, name: str, valid, ready, payload: list) -> None:
        """Once `valid` is up it stays, and so does each of `payload`, until `ready`."""
        waiting = previous(self._m, valid & ~ready, f"{name}_waiting", resets=True)
        self.rule(side, ~waiting | valid, f"{name}VALID fell before its transfer")
        for i, signal in enumerate(payload):
            before = previous(self._m, signal, f"{name}_{i}_before")
            label = getattr(signal, "name", name).upper()
            self.rule(side, ~waiting | (signal == before), f"{label} changed before its transfer")
