"""Draws mutants and runs their units' benches on them."""

import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cocotb_tests.mutants.operators import Mutant, mutants
from proofs.altered import source_of
from rtl_gen.errors import UserError

BENCHES = Path(__file__).parents[1]
PASSED, FAILED, NOTHING_RAN = 0, 1, 5
"""What pytest ends with."""

SECONDS = 600
"""After which a bench on a mutant counts as hanging."""


@dataclass(frozen=True)
class Drawn:
    """A mutant of a unit."""

    unit: str
    number: int
    """Among all of the unit's."""
    mutant: Mutant

    @property
    def module(self) -> str:
        return f"rtl_gen.{self.unit}"


def units() -> list[str]:
    """Modules of rtl_gen with a bench of their own, such as "pruning.topk"."""
    paths = sorted(BENCHES.glob("*/bench_*.py"))
    names = (f"{path.parent.name}.{path.stem.removeprefix('bench_')}" for path in paths)
    rtl = BENCHES.parent / "rtl_gen"
    return [name for name in names if rtl.joinpath(*name.split(".")).with_suffix(".py").exists()]


def draw(unit: str | None, count: int, seed: int) -> list[Drawn]:
    """So many mutants, all different, of one unit or of any; fewer if there are no more.

    Raises:
        UserError: no such unit.
    """
    named = [name for name in units() if unit in (None, name, name.rpartition(".")[2])]
    if not named:
        raise UserError(f"no bench of {unit!r}: expected one of {', '.join(units())}")
    everything = [
        Drawn(name, number, mutant)
        for name in named
        for number, mutant in enumerate(mutants(source_of(f"rtl_gen.{name}").read_text()))
    ]
    chosen = random.Random(seed).sample(everything, min(count, len(everything)))
    return sorted(chosen, key=lambda one: (one.unit, one.number))


def survives(drawn: Drawn) -> bool:
    """Whether every test of the unit's bench passes on the mutant.

    Raises RuntimeError if pytest does not run.
    """
    folder, _, name = drawn.unit.rpartition(".")
    words = [str(BENCHES / folder), "-x", "-q", "-p", "no:cacheprovider", "--sim", "icarus"]
    # The unit's tests have its name or that of its class, whatever the case.
    status = _run(drawn, [*words, "-k", f"{name} or {name.replace('_', '')}"])
    if status == NOTHING_RAN:
        status = _run(drawn, words)
    if status not in (PASSED, FAILED):
        raise RuntimeError(f"pytest ends with {status} on {drawn.unit}")
    return status == PASSED


def _run(drawn: Drawn, words: list[str]) -> int:
    """Status of pytest; one that takes too long has failed."""
    worker = [sys.executable, "-m", "cocotb_tests.mutants.worker", drawn.module]
    run = subprocess.Popen(
        [*worker, str(drawn.number), *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=BENCHES.parent,
        start_new_session=True,
    )
    try:
        return run.wait(SECONDS)
    except subprocess.TimeoutExpired:
        return FAILED
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
