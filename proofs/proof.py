"""What a proof is, and what comes of one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from proofs.harness import Harness


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A claim about a unit."""

    unit: str
    """Module of rtl_gen, such as "bus.row_writer"."""
    name: str
    """Of the claim among those of the unit."""
    claim: str
    """One sentence: what holds, and of which size of the unit."""
    harness: Callable[[], Harness]
    broken: tuple[str, str, str]
    """A module, what stands once in its text, and instead of it what makes the claim untrue."""
    depth: int | None = None
    """The claim holds in the first so many cycles after a reset; None: in all."""

    @property
    def identity(self) -> str:
        return f"{self.unit}:{self.name}"

    @property
    def method(self) -> str:
        """As tables say it."""
        return "induction" if self.depth is None else f"{self.depth} cycles"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the solver says of a proof."""

    holds: bool | None
    """None: not within the time that it had."""
    seconds: float
    """Of one core."""
    broken: str = ""
    """Message of the assertion that does not hold."""
    cycles: list[dict[str, Any]] = field(default_factory=list)
    """The inputs, cycle by cycle, with which it does not: a counterexample."""
