"""Beats and the schedule of attention, from definitions and hand-counted cases."""

import numpy as np
import pytest

from rtl_gen.attention.attention import Attention
from rtl_gen.attention.output_unit import OutputUnit
from rtl_gen.attention.row_buffer import RowBuffer
from rtl_gen.attention.row_interleaver import RowInterleaver
from rtl_gen.attention.softmax import Softmax
from rtl_gen.presets import get_config
from sim_models.attention import AttentionCycles, attend_cycles, attend_heads, beats_of


def test_beats_are_the_fullest_bank():
    rng = np.random.default_rng(5)
    masks = rng.random((2, 13, 13)) < 0.3
    live = rng.random(13) < 0.7
    masks[1, np.flatnonzero(live)[0]] = False
    beats = beats_of(masks, live, lanes=4)
    rows = np.flatnonzero(live)
    for head in range(2):
        for position, row in enumerate(rows):
            banks = [0] * 4
            for key in rows:
                banks[key % 4] += masks[head, row, key]
            assert beats[head, position] == max(1, *banks)
    assert beats[1, 0] == 1


@pytest.mark.parametrize("preset", ["tiny", "default"])
def test_one_row_takes_the_sum_of_all_latencies(preset):
    config = get_config(preset)
    beats = 3
    first_issue = Attention.FIRST_ISSUE_LATENCY
    to_second_pass = Attention.score_latency(config) + Softmax.row_max_latency(config)
    to_issue = Softmax.normalise_latency(config) + RowBuffer.LATENCY + RowInterleaver.LATENCY
    to_row = Attention.column_latency(config) + OutputUnit.latency(config)
    # Each of three passes ends beats - 1 cycles after it began.
    last_row = first_issue + to_second_pass + to_issue + to_row + 3 * (beats - 1)
    cycles = attend_cycles(config, np.array([beats]))
    assert cycles.total == last_row
    assert (cycles.qk, cycles.pv) == (beats, beats)
    assert cycles.start == first_issue - 1


def test_long_rows_never_stall_the_array():
    config = get_config("default")
    cycles = attend_cycles(config, np.full(197, config.bank_depth))
    assert cycles.stall == 0
    assert cycles.qk == cycles.pv == 197 * config.bank_depth


def test_the_output_unit_bounds_short_rows():
    config = get_config("default", row_slots=32, max_tokens=200)
    one, two = (attend_cycles(config, np.ones(rows, np.int64)).total for rows in (100, 200))
    assert two - one == 100 * RowInterleaver.output_cycles(config)


def test_heads_add_up():
    config = get_config("small")
    beats = np.random.default_rng(2).integers(1, 13, (3, 41))
    total = attend_heads(config, beats)
    single = [attend_cycles(config, head) for head in beats]
    assert total.total == sum(cycles.total for cycles in single)
    assert total == single[0] + single[1] + single[2] + AttentionCycles()
    assert total.qk == total.pv == beats.sum()
