"""The MAC array and its operands on both simulators."""

import pytest

from cocotb_tests.harness.units import run_unit
from rtl_gen.array.mac_array import MacArray
from rtl_gen.array.operands import OperandRegisters
from rtl_gen.presets import get_config

CONFIGS = {
    "tiny": get_config("tiny"),
    "small": get_config("small"),
    # The widest lanes, and as few as there may be.
    "wide": get_config("wide", lanes=2),
}


@pytest.mark.parametrize("preset", ["tiny", "small", pytest.param("wide", marks=pytest.mark.long)])
@pytest.mark.parametrize("unit", [MacArray, OperandRegisters])
def test_array(simulator, preset, unit):
    config = CONFIGS[preset]
    run_unit(simulator, unit(config), config, seed=5)
