"""The MAC array and its operands on both simulators."""

import pytest

from cocotb_tests.harness.units import run_unit
from rtl_gen.array.mac_array import MacArray
from rtl_gen.array.operands import OperandRegisters
from rtl_gen.config import get_config


@pytest.mark.parametrize("preset", ["tiny", "small", "wide"])
@pytest.mark.parametrize("unit", [MacArray, OperandRegisters])
def test_array(simulator, preset, unit):
    config = get_config(preset)
    run_unit(simulator, unit(config), config, seed=5)
