"""The ports to memory on both simulators: each unit alone, then all together."""

import pytest

from cocotb_tests.bus.simulated_memory import VERILOG
from cocotb_tests.bus.streaming import Streaming
from cocotb_tests.harness.units import run_unit
from rtl_gen.bus.row_packer import RowPacker
from rtl_gen.bus.row_writer import RowWriter
from rtl_gen.bus.stream_reader import StreamReader
from rtl_gen.presets import get_config

DEFAULT = pytest.param("default", marks=pytest.mark.long)
PRESETS = ("tiny", "small", DEFAULT)

MEMORY_BEATS = 1024


@pytest.mark.parametrize("unit", [StreamReader, RowPacker, RowWriter])
@pytest.mark.parametrize("preset", PRESETS)
def test_unit(simulator, preset, unit):
    config = get_config(preset)
    run_unit(simulator, unit(config), config, seed=5)


@pytest.mark.parametrize(
    ("unit", "bench"), [(StreamReader, "reader_faults"), (RowWriter, "writer_faults")]
)
@pytest.mark.parametrize("preset", ["tiny", DEFAULT])
def test_faults(simulator, preset, unit, bench):
    config = get_config(preset)
    run_unit(simulator, unit(config), config, bench=bench, seed=7)


@pytest.mark.parametrize("preset", PRESETS)
def test_streaming(simulator, preset):
    config = get_config(preset)
    unit = Streaming(config, MEMORY_BEATS)
    run_unit(simulator, unit, config, models=[VERILOG], beats=MEMORY_BEATS, seed=11)
