"""Channels in whole rows, by hand: groups of 5 in rows of 8, two lanes."""

from model.program.whole_rows import places_of, slices_of, tiles_of
from rtl_gen.presets import get_config

TINY = get_config("tiny")


def test_groups_begin_rows():
    assert places_of(TINY, 15, 3).tolist() == [*range(5), *range(8, 13), *range(16, 21)]
    assert places_of(TINY, 9).tolist() == list(range(9))
    assert places_of(TINY, 18, 2).tolist() == [*range(9), *range(16, 25)]


def test_tiles_end_with_the_last_output():
    assert [tiles_of(TINY, outputs) for outputs in (1, 2, 3, 16)] == [1, 1, 2, 8]
    assert tiles_of(TINY, 15, 3) == 11
    assert tiles_of(TINY, 24, 3) == 12


def test_slices_are_whole_rows():
    assert [slices_of(TINY, inputs) for inputs in (1, 8, 9)] == [1, 1, 2]
    assert slices_of(TINY, 15, 3) == 3
    assert slices_of(TINY, 18, 2) == 4
