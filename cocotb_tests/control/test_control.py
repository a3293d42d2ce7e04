"""Dispatcher and its checks on both simulators."""

import pytest

from cocotb_tests.harness.units import run_unit
from rtl_gen.config import get_config
from rtl_gen.control.decode import Decoder
from rtl_gen.control.dispatcher import Dispatcher
from rtl_gen.control.range_check import RangeCheck


@pytest.mark.parametrize("preset", ["tiny", "default"])
@pytest.mark.parametrize("unit", [Decoder, RangeCheck, Dispatcher])
def test_control(simulator, unit, preset):
    config = get_config(preset)
    run_unit(simulator, unit(config), config, seed=3)


def test_decoder_of_several_cores(simulator):
    config = get_config("tiny", cores=8)
    run_unit(simulator, Decoder(config), config, seed=4)
