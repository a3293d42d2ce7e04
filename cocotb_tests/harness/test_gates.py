"""A unit's bench on its netlist: `make gates` runs all of them so."""

import pytest

from cocotb_tests.harness import runner
from cocotb_tests.harness.runner import SimulationError
from cocotb_tests.harness.units import run_unit
from rtl_gen.common.requantize import Requantizer
from rtl_gen.synthesis import gates

SIZES = {"elements": 1, "input_bits": 20, "output_bits": 8}


def run() -> None:
    run_unit("icarus", Requantizer(**SIZES), **SIZES, seed=3)


@pytest.mark.parametrize("technology", gates.TECHNOLOGIES)
def test_requantizer(monkeypatch, technology):
    monkeypatch.setattr(runner, "technology", technology)
    run()


def test_a_wrong_cell_is_seen(monkeypatch):
    monkeypatch.setattr(runner, "technology", "ecp5")
    wrong = gates.TECHNOLOGIES["ecp5"].own.replace("a * b", "a * b + 1")
    changed = gates.Cells("synth_ecp5 -nobram", gates.TECHNOLOGIES["ecp5"].models, wrong)
    monkeypatch.setitem(gates.TECHNOLOGIES, "ecp5", changed)
    monkeypatch.setattr(runner, "_gates", {})
    with pytest.raises(SimulationError):
        run()
