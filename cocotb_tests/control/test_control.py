"""Dispatcher and its checks on both simulators."""

import pytest

from cocotb_tests.harness.units import run_unit
from rtl_gen.control.checksum import Checksum
from rtl_gen.control.decode import Decoder
from rtl_gen.control.dispatcher import Dispatcher
from rtl_gen.control.range_check import RangeCheck
from rtl_gen.control.store_check import StoreCheck
from rtl_gen.presets import get_config

PRESETS = ("tiny", pytest.param("default", marks=pytest.mark.long))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("unit", [Decoder, RangeCheck, Dispatcher, Checksum])
def test_control(simulator, unit, preset):
    config = get_config(preset)
    run_unit(simulator, unit(config), config, seed=3)


@pytest.mark.parametrize("address_bits", [32, 40])
def test_store_check(simulator, address_bits):
    config = get_config("tiny", address_bits=address_bits)
    run_unit(simulator, StoreCheck(config), config, seed=3)


@pytest.mark.parametrize("preset", PRESETS)
def test_dispatcher_faults(simulator, preset):
    config = get_config(preset)
    run_unit(simulator, Dispatcher(config), config, bench="dispatcher_faults", seed=3)


def test_decoder_of_several_cores(simulator):
    config = get_config("tiny", cores=8)
    run_unit(simulator, Decoder(config), config, seed=4)
