"""Mutants that make no difference, and why: `equivalent.yaml`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from cocotb_tests.mutants.drawing import Drawn, everything
from rtl_gen.errors import UserError

FILE = Path(__file__).with_name("equivalent.yaml")


class Reason(BaseModel):
    """Why what a line of a module becomes is the same; the line is named by its text."""

    model_config = ConfigDict(extra="forbid")

    module: str
    before: str
    after: str
    reason: str


@dataclass(frozen=True)
class Equivalents:
    """All reasons by what they are about."""

    reasons: dict[tuple[str, str, str], str]

    @classmethod
    def read(cls, path: Path = FILE) -> Self:
        """Raises UserError if the file does not hold reasons, or one is about no mutant."""
        try:
            read = TypeAdapter(list[Reason]).validate_python(yaml.safe_load(path.read_text()) or [])
        except (ValidationError, yaml.YAMLError) as error:
            raise UserError(f"{path}: expected a list of mutants and reasons: {error}") from None
        reasons = {(one.module, one.before, one.after): one.reason for one in read}
        stale = reasons.keys() - set(map(_about, everything()))
        if stale:
            module, before, after = min(stale)
            raise UserError(
                f"{path}: {before!r} does not become {after!r} in {module}: take its entry away"
            )
        return cls(reasons)

    def reason(self, drawn: Drawn) -> str | None:
        """Why a mutant makes no difference, if that is known."""
        return self.reasons.get(_about(drawn))


def _about(drawn: Drawn) -> tuple[str, str, str]:
    return drawn.module, drawn.mutant.before, drawn.mutant.after
