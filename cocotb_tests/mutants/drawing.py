"""Which mutants there are, and a draw of them."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cocotb_tests.mutants.operators import Mutant, mutants
from rtl_gen.errors import UserError

ROOT = Path(__file__).parents[2]

HARDWARE = "rtl_gen"
PACKAGES = (HARDWARE, "model", "sim_models")
"""Of the first one, what makes hardware; of the others, golden model, compiler and cycle model,
every function."""

_NO_SUBJECTS = ("tests", "commands", "command")
"""Folders and modules that hold tests, or the options of commands."""


@dataclass(frozen=True)
class Drawn:
    """A mutant of a module, such as "rtl_gen.pruning.topk"."""

    module: str
    number: int
    """Among all of the module's."""
    mutant: Mutant

    @property
    def package(self) -> str:
        """The folder of its module, by which results are added up."""
        return self.module.rpartition(".")[0]


@cache
def everything() -> tuple[Drawn, ...]:
    """All mutants of all modules, by name and place."""
    return tuple(
        Drawn(name, number, mutant)
        for package in PACKAGES
        for path in sorted(ROOT.joinpath(package).rglob("*.py"))
        if not path.name.startswith(("test_", "conftest"))
        if (name := _name(path)) and not set(name.split(".")) & set(_NO_SUBJECTS)
        for number, mutant in enumerate(mutants(path.read_text(), hardware=package == HARDWARE))
    )


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def draw(unit: str | None, count: int, seed: int) -> list[Drawn]:
    """So many mutants in the order of a seed, or all there are; a smaller draw is its beginning.

    A mutant's place in that order depends on its own lines alone: a change elsewhere in the sources
    takes none of the others out of a draw, but for the last ones.

    `unit`: only of the module of this name, such as "topk" or "pruning.topk", or of a folder.

    Raises:
        UserError: none is of that name.
    """
    chosen = [one for one in everything() if unit is None or _is_called(one.module, unit)]
    if not chosen:
        packages = ", ".join(sorted({one.package for one in everything()}))
        raise UserError(f"nothing to change in {unit!r}: expected a module below one of {packages}")
    again = Counter[str]()
    lots = {}
    for one in chosen:
        text = f"{seed} {one.module} {one.mutant.before} {one.mutant.after}"
        again[text] += 1
        lots[one] = hashlib.sha256(f"{text} {again[text]}".encode()).digest()
    return sorted(chosen, key=lots.__getitem__)[:count]


def _is_called(module: str, name: str) -> bool:
    """Whether a name is that of a module, the end of it, or a folder that the module lies in."""
    return f".{name}." in f".{module}."
