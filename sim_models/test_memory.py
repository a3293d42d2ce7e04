"""The memory of the cycle model beside what is said of it."""

from collections.abc import Iterator
from itertools import islice

import pytest

from rtl_gen.presets import get_config
from sim_models.memory import NOISE_SEED, MemoryTiming, row_writer, write_row, written


def pauses(stall: float) -> Iterator[int]:
    """Cycles of each pause, by the generator of Numerical Recipes."""
    noise, cycles = NOISE_SEED, 0
    while True:
        noise = (1664525 * noise + 1013904223) % (1 << 32)
        if noise < stall * (1 << 32):
            cycles += 1
        else:
            yield cycles
            cycles = 0


@pytest.mark.parametrize("preset", ["small", "tiny"])
@pytest.mark.parametrize("stall", [0.25, 0.75])
def test_pauses_of_written_rows(preset: str, stall: float):
    """Before the address, before each beat of data and before the answer, rows one by one."""
    config = get_config(preset)
    still, paused = (
        row_writer(config, MemoryTiming(latency=30, stall=share)) for share in (0, stall)
    )
    expected, found = pauses(stall), []
    for _ in range(20):
        begins = [written(writer) + 5 for writer in (still, paused)]
        write_row(still, begins[0])
        write_row(paused, begins[1])
        took = [written(still) - begins[0], written(paused) - begins[1]]
        found.append(took[1] - took[0])
    assert found == [sum(islice(expected, 2 + config.row_beats)) for _ in found]
    assert max(found) > 3
