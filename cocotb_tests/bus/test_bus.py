"""The ports to memory on both simulators: each unit alone, then all together."""

import pytest

from cocotb_tests.bus.simulated_memory import VERILOG
from cocotb_tests.bus.streaming import Streaming
from cocotb_tests.harness.runner import simulate
from rtl_gen.bus.row_packer import RowPacker
from rtl_gen.bus.row_writer import RowWriter
from rtl_gen.bus.stream_reader import StreamReader
from rtl_gen.config import get_config

PRESETS = ("tiny", "small", "default")

UNITS = {"stream_reader": StreamReader, "row_packer": RowPacker, "row_writer": RowWriter}

MEMORY_BEATS = 1024


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("preset", PRESETS)
def test_unit(simulator, preset, unit):
    config = get_config(preset)
    simulate(
        UNITS[unit](config),
        name=f"{unit}_{preset}",
        simulator=simulator,
        bench=f"cocotb_tests.bus.bench_{unit}",
        parameters={"config": config.as_dict(), "seed": 5},
    )


FAULTS = {"reader": StreamReader, "writer": RowWriter}


@pytest.mark.parametrize("unit", FAULTS)
@pytest.mark.parametrize("preset", ["tiny", "default"])
def test_faults(simulator, preset, unit):
    config = get_config(preset)
    simulate(
        FAULTS[unit](config),
        name=f"{unit}_faults_{preset}",
        simulator=simulator,
        bench=f"cocotb_tests.bus.bench_{unit}_faults",
        parameters={"config": config.as_dict(), "seed": 7},
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_streaming(simulator, preset):
    config = get_config(preset)
    simulate(
        Streaming(config, MEMORY_BEATS),
        name=f"streaming_{preset}",
        simulator=simulator,
        bench="cocotb_tests.bus.bench_streaming",
        models=[VERILOG],
        parameters={"config": config.as_dict(), "beats": MEMORY_BEATS, "seed": 11},
    )
