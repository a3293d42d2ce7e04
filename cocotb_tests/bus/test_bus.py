"""The streaming memory system on both simulators: each unit alone, then all together."""

import pytest

from cocotb_tests.bus.simulated_memory import VERILOG
from cocotb_tests.bus.streaming import Streaming
from cocotb_tests.harness.runner import simulate
from rtl_gen.bus.row_packer import RowPacker
from rtl_gen.bus.row_writer import RowWriter
from rtl_gen.bus.stream_reader import StreamReader
from rtl_gen.config import get_config
from rtl_gen.control.registers import Access, RegisterMap, Registers

PRESETS = ("tiny", "small", "default")

UNITS = {"stream_reader": StreamReader, "row_packer": RowPacker, "row_writer": RowWriter}

COUNTERS = {
    "cycles": (48, "cycles from start to done"),
    "read_beats": (32, "beats read"),
    "flags": (5, "five events"),
    "both": (64, "a full counter"),
}

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


def test_registers(simulator):
    config = get_config("default")
    simulate(
        Registers(config, COUNTERS),
        name="registers",
        simulator=simulator,
        bench="cocotb_tests.bus.bench_registers",
        parameters={"config": config.as_dict(), "counters": [*COUNTERS.items()], "seed": 3},
    )


def test_map_of_registers():
    entries = RegisterMap(COUNTERS).as_list()
    offsets = [entry["offset"] for entry in entries]
    assert offsets == sorted(set(offsets))
    assert all(offset % 4 == 0 for offset in offsets)
    names = [entry["name"] for entry in entries]
    counters = ["cycles", "cycles_high", "read_beats", "flags", "both", "both_high"]
    assert names[-len(counters) :] == counters
    assert all(entry["access"] == Access.READ_ONLY for entry in entries[-len(counters) :])
    with pytest.raises(ValueError, match="named status"):
        RegisterMap({"status": (1, "taken")})
    with pytest.raises(ValueError, match="1000 counters"):
        RegisterMap({f"counter_{i}": (32, "too many") for i in range(1000)})


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
