"""Yosys (the `pyosys` package) in a process of its own.

It ends the process on an error, and its counters, from which it makes names, are global.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rtl_gen.extras import require

require("pyosys")

_RUN = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""


def run_yosys(name: str, commands: Sequence[str], folder: Path) -> str:
    """Run `commands` in `folder`; the log. Raises RuntimeError with it if they fail on `name`."""
    yosys = subprocess.run(
        [sys.executable, "-c", _RUN, *commands],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if yosys.returncode:
        raise RuntimeError(f"Yosys failed on {name}:\n{yosys.stdout[-4000:]}")
    return yosys.stdout
