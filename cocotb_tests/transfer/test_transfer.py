"""Loader and storer alone, on both simulators."""

import pytest

from cocotb_tests.harness.runner import simulate
from rtl_gen.config import get_config
from rtl_gen.transfer.row_loader import RowLoader
from rtl_gen.transfer.row_storer import RowStorer

UNITS = {"row_loader": RowLoader, "row_storer": RowStorer}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("preset", ["tiny", "small", "double"])
def test_unit(simulator, preset, unit):
    config = get_config(preset)
    simulate(
        UNITS[unit](config),
        name=f"{unit}_{preset}",
        simulator=simulator,
        bench=f"cocotb_tests.transfer.bench_{unit}",
        parameters={"config": config.as_dict(), "seed": 5},
    )
