"""Loader and storer on both simulators."""

import pytest

from cocotb_tests.harness.runner import simulate
from rtl_gen.config import get_config
from rtl_gen.transfer.row_loader import RowLoader
from rtl_gen.transfer.row_storer import RowStorer


@pytest.mark.parametrize("preset", ["tiny", "small", "large"])
@pytest.mark.parametrize("unit", [RowLoader, RowStorer])
def test_transfer(simulator, unit, preset):
    config = get_config(preset)
    stem = unit.__module__.rpartition(".")[2]
    simulate(
        unit(config),
        name=f"{stem}_{preset}",
        simulator=simulator,
        bench=f"cocotb_tests.transfer.bench_{stem}",
        parameters={"config": config.as_dict(), "seed": 6},
    )
