"""The Verilog of presets through five linters, and that they see what is wrong."""

import re
from pathlib import Path

import pytest

from rtl_gen.accelerator import Accelerator
from rtl_gen.emit.verilog import emit
from rtl_gen.emit.waivers import WAIVERS
from rtl_gen.lint import tools
from rtl_gen.lint.tools import FILES, TOOLS, TOP
from rtl_gen.presets import get_config

PRESETS = ("tiny", "small", pytest.param("default", marks=pytest.mark.long))
"""`make lint-rtl CONFIG=large` and so on ask about the others, two minutes each."""


@pytest.fixture(scope="module", params=PRESETS)
def verilog(request, tmp_path_factory) -> Path:
    """A folder with both files of a preset."""
    return _written(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return _written("tiny", tmp_path_factory.mktemp("tiny"))


def _written(preset: str, folder: Path) -> Path:
    design = emit(Accelerator(get_config(preset)), TOP)
    for name, text in zip(FILES, (design.logic, design.srams), strict=True):
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("tool", TOOLS)
def test_no_warning_but_those_explained(verilog, tool):
    assert TOOLS[tool](verilog) == []


def test_every_waiver_is_needed(tiny):
    verilator = "\n".join(tools.verilator(tiny, waived="`verilator_config\n"))
    verible = "\n".join(tools.verible(tiny, waived=""))
    rules = {
        *(("verilator", rule) for rule in re.findall(r"%Warning-(\w+)", verilator)),
        *(("verible", rule) for rule in re.findall(r"\[([a-z-]+)\]$", verible, re.M)),
    }
    assert rules == {(waiver.tool, waiver.rule) for waiver in WAIVERS}


@pytest.mark.parametrize(
    ("tool", "added", "message"),
    [
        ("verilator", "wire a = 2'd2;", "WIDTHTRUNC"),
        ("verilator", "wire [-1:0] a;", "ASCRANGE"),
        ("verilator", "reg a = 0; always @(posedge clk) a <= !a;", "PROCASSINIT"),
        ("icarus", "always_comb begin end", "error"),
        ("icarus", "assign a = clk;", "implicit definition of wire"),
        ("yosys", "always_ff @(posedge clk) begin end", "ERROR"),
        ("yosys", "wire a; assign a = clk; assign a = rst;", "Warning"),
        ("slang", "wire a = b;", "undeclared identifier 'b'"),
        ("verible", "wire a;   ", "no-trailing-spaces"),
    ],
)
def test_linters_see_what_is_wrong(tiny, tmp_path, tool, added, message):
    for name in FILES:
        text = (tiny / name).read_text()
        if name == FILES[0]:
            text = text.replace("\nendmodule\n", f"\n{added}\nendmodule\n", 1)
        (tmp_path / name).write_text(text)
    assert message in "\n".join(TOOLS[tool](tmp_path))
