"""Loader and storer on both simulators."""

import pytest

from cocotb_tests.harness.units import run_unit
from rtl_gen.presets import get_config
from rtl_gen.transfer.row_loader import RowLoader
from rtl_gen.transfer.row_storer import RowStorer


@pytest.mark.parametrize("preset", ["tiny", "small", "large"])
@pytest.mark.parametrize("unit", [RowLoader, RowStorer])
def test_transfer(simulator, unit, preset):
    config = get_config(preset)
    run_unit(simulator, unit(config), config, seed=6)
