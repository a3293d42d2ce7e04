"""The memory of the cycle model beside what is said of it."""

import random
from collections.abc import Iterator
from itertools import islice

import pytest

from rtl_gen.bus.row_writer import RowWriter
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


class Bucket:
    """Bytes that a memory grants: `rate` more a cycle, up to one less than two beats."""

    def __init__(self, beat: int, rate: int):
        self._beat, self._rate, self._saved, self._cycle = beat, rate, 2 * beat, 0

    def pass_beat(self, earliest: int) -> int:
        """The first cycle from `earliest` on, behind the beat before, that has the bytes."""
        passed = False
        while not passed:
            self._cycle += 1
            self._saved = min(self._saved + self._rate, 2 * self._beat - 1)
            passed = self._cycle >= earliest and self._saved >= self._beat
        self._saved -= self._beat
        return self._cycle


@pytest.mark.parametrize("preset", ["small", "tiny"])
@pytest.mark.parametrize("rate", [1, 3, 7])
def test_rows_written_to_a_slow_memory(preset: str, rate: int):
    config, rng, latency = get_config(preset), random.Random(rate), 9
    writer = row_writer(config, MemoryTiming(latency=latency, rate=rate))
    bucket, response, ends = Bucket(config.bus_bytes, rate), -1, []
    for _ in range(40):
        pause = rng.choice([0, 1, 2, 5, 40])
        address = write_row(writer, response + pause) + RowWriter.LATENCY
        last = max(bucket.pass_beat(address) for _ in range(config.row_beats))
        response = max(last + latency, response + 1)
        ends.append((written(writer), response + 1))
    assert [ended for ended, _ in ends] == [expected for _, expected in ends]
