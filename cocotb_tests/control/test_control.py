"""Dispatcher and its checks on both simulators."""

import pytest

from cocotb_tests.harness.runner import simulate
from rtl_gen.config import get_config
from rtl_gen.control.decode import Decoder
from rtl_gen.control.dispatcher import Dispatcher
from rtl_gen.control.range_check import RangeCheck


@pytest.mark.parametrize("preset", ["tiny", "default"])
@pytest.mark.parametrize("unit", [Decoder, RangeCheck, Dispatcher])
def test_control(simulator, unit, preset):
    config = get_config(preset)
    stem = unit.__module__.rpartition(".")[2]
    simulate(
        unit(config),
        name=f"{stem}_{preset}",
        simulator=simulator,
        bench=f"cocotb_tests.control.bench_{stem}",
        parameters={"config": config.as_dict(), "seed": 3},
    )
