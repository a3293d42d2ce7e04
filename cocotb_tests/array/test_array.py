"""The MAC array and its operands on both simulators."""

import pytest

from cocotb_tests.harness.runner import simulate
from rtl_gen.array.mac_array import MacArray
from rtl_gen.array.operands import OperandRegisters
from rtl_gen.config import get_config


@pytest.mark.parametrize("preset", ["tiny", "small"])
@pytest.mark.parametrize("unit", [MacArray, OperandRegisters])
def test_array(simulator, preset, unit):
    config, name = get_config(preset), unit.__module__.rpartition(".")[2]
    simulate(
        unit(config),
        name=f"{name}_{preset}",
        simulator=simulator,
        bench=f"cocotb_tests.array.bench_{name}",
        parameters={"config": config.as_dict(), "seed": 5},
    )
