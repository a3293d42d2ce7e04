"""Registers and their map, on both simulators."""

import pytest

from cocotb_tests.harness.units import run_unit
from rtl_gen.config import get_config
from rtl_gen.control.register_map import Access, RegisterMap
from rtl_gen.control.registers import Registers

COUNTERS = {
    "cycles": (48, "cycles from start to done"),
    "read_beats": (32, "beats read"),
    "flags": (5, "five events"),
    "both": (64, "a full counter"),
}


def test_registers(simulator):
    config = get_config("default")
    unit = Registers(config, COUNTERS)
    run_unit(simulator, unit, config, counters=[*COUNTERS.items()], seed=3)


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
