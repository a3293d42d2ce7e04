"""Registers and their map, on both simulators."""

import pytest

from cocotb_tests.harness.units import run_unit
from rtl_gen.control.register_map import Access, RegisterMap
from rtl_gen.control.registers import Registers
from rtl_gen.presets import get_config

COUNTERS = {
    "cycles": (48, "cycles from start to done"),
    "read_beats": (32, "beats read"),
    "flags": (5, "five events"),
    "both": (64, "a full counter"),
}


@pytest.mark.parametrize("address_bits", [32, 40])
def test_registers(simulator, address_bits):
    config = get_config("default", address_bits=address_bits)
    unit = Registers(config, COUNTERS)
    for bench in ("registers", "register_bounds"):
        run_unit(simulator, unit, config, bench=bench, counters=[*COUNTERS.items()], seed=3)


def test_map_of_registers():
    config = get_config("default")
    entries = RegisterMap(config, COUNTERS).as_list()
    offsets = [entry["offset"] for entry in entries]
    assert offsets == sorted(set(offsets))
    assert all(offset % 4 == 0 for offset in offsets)
    names = [entry["name"] for entry in entries]
    counters = ["cycles", "cycles_high", "read_beats", "flags", "both", "both_high"]
    assert names[-len(counters) :] == counters
    assert all(entry["access"] == Access.READ_ONLY for entry in entries[-len(counters) :])
    with pytest.raises(ValueError, match="named status"):
        RegisterMap(config, {"status": (1, "taken")})
    with pytest.raises(ValueError, match="1000 counters"):
        RegisterMap(config, {f"counter_{i}": (32, "too many") for i in range(1000)})


def test_wider_addresses_move_no_register():
    """They have upper halves besides, whatever else there is."""
    narrow, wide = (
        {one.name: one.offset for one in RegisterMap(config, COUNTERS)}
        for config in (get_config("tiny"), get_config("tiny", address_bits=40))
    )
    more = {name: offset for name, offset in wide.items() if name not in narrow}
    assert wide == narrow | more
    assert len(more) == 6
    assert all(name.endswith("_high") for name in more)
    assert sorted(wide.values()) == sorted(set(wide.values()))
