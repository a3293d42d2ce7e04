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
"""Of the first one, what makes hardware; of the others every function."""

EXACT = (
    HARDWARE,
    *(
        f"model.{folder}"
        for folder in (
            "integer", "masks", "network", "program", "pruning", "quantisation", "reference",
            "weights",
        )
    ),
    *(
        f"sim_models.{module}"
        for module in (
            "activity", "attention", "macs", "memory", "network", "on_chip", "program", "sources",
            "workload",
        )
    ),
)  # fmt: skip
"""What decides on a bit or a cycle: the hardware, the golden model from the files of weights on,
the compiler and the cycle model. The rest of Python's packages trains, evaluates, sweeps and
draws, as do all modules named `random_`, where another constant is no fault that a test could tell:
it is drawn from by name."""

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
    """So many mutants of a seed's order, or all; a smaller draw is the beginning of a larger one.

    A mutant's place in that order depends on its own lines alone: a change elsewhere in the sources
    takes none of the others out of a draw, but for the last ones.

    `unit`: only of the module of this name, such as "topk" or "pruning.topk", or of a folder; None:
    of what is EXACT.

    Raises:
        UserError: none is of that name.
    """
    chosen = [one for one in everything() if _is_chosen(one.module, unit)]
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


def _is_chosen(module: str, unit: str | None) -> bool:
    """Whether `unit` is a module's name, the end of it, or a folder that the module lies in."""
    if unit is None:
        exact = f"{module}.".startswith(tuple(f"{name}." for name in EXACT))
        return exact and not module.rpartition(".")[2].startswith("random_")
    return f".{unit}." in f".{module}."
