"""Schedules against the published numbers, the formulas in exact fractions and plain lists."""

from dataclasses import replace
from itertools import pairwise

import pytest

from model.network.names import DEIT_BASE, DEIT_TINY, VIT_DIGITS
from model.pruning.schedule import (
    DEFAULT_SCHEDULE,
    NO_PRUNING,
    READINGS,
    ListedSchedule,
    PruningSchedule,
    Schedule,
)
from rtl_gen.errors import UserError


def test_default():
    kept = DEFAULT_SCHEDULE.kept_tokens(DEIT_TINY)
    assert kept == [196] * 3 + [176, 170, 162, 151, 137, 119, 94, 62, 20]
    assert DEFAULT_SCHEDULE.kept_tokens(DEIT_BASE) == kept


def test_fraction_of_remaining_leaves_two_tokens():
    schedule = READINGS["remaining-after-attention"]
    assert schedule.kept_tokens(DEIT_TINY)[-1] + 1 == 2


def test_readings():
    assert next(iter(READINGS.values())) == DEFAULT_SCHEDULE
    assert len(set(READINGS.values())) == 6


def test_linear_and_constant():
    linear = PruningSchedule(start=0.0, end=0.5, first_layer=1, interpolation="linear")
    expected = [196 - round(196 * 0.05 * t) for t in range(11)]
    assert linear.kept_tokens(DEIT_TINY) == [196, *expected]
    constant = PruningSchedule(
        start=0.5,
        end=0.5,
        first_layer=8,
        interpolation="constant",
        meaning="fraction_of_remaining",
    )
    assert constant.kept_tokens(DEIT_TINY) == [196] * 8 + [98, 49, 25, 13]


def test_one_pruned_layer():
    last = replace(DEFAULT_SCHEDULE, first_layer=11)
    assert last.kept_tokens(DEIT_TINY) == [196] * 11 + [176]


def test_no_pruning():
    assert set(NO_PRUNING.layer_tokens(DEIT_TINY)) == {(197, 197, 197)}


@pytest.mark.parametrize("layers", range(1, 15))
def test_networks_of_any_depth(layers: int):
    """No pruning is none; a reading starts behind a quarter of the layers, where it can."""
    network = replace(DEIT_TINY, layers=layers)
    assert NO_PRUNING.kept_tokens(network) == [196] * layers
    assert NO_PRUNING.fitted(network) == NO_PRUNING
    assert not NO_PRUNING.prunes(network)
    for schedule in READINGS.values():
        before_layer = schedule.placement == "before_layer"
        if before_layer and layers == 1:
            continue
        kept = schedule.fitted(network).kept_tokens(network)
        whole = max(layers // 4, before_layer)
        assert kept[:whole] == [196] * whole
        assert kept[whole] == 176
        assert len(kept) == layers
        assert schedule.fitted(network).prunes(network)


def test_schedules_that_drop_nothing():
    linear = PruningSchedule(start=0.0, end=0.0, interpolation="linear")
    tiny_ratio = PruningSchedule(start=0.001, end=0.002)
    listed = ListedSchedule(kept=(196,) * 12)
    for schedule in (linear, tiny_ratio, listed):
        assert not schedule.prunes(DEIT_TINY)
        assert schedule.or_none(DEIT_TINY) == NO_PRUNING
    last = ListedSchedule(kept=(196,) * 11 + (195,))
    assert last.prunes(DEIT_TINY)
    assert last.or_none(DEIT_TINY) == last


def test_placement():
    """Layer 4 is entered by 176 patches and left by 170."""
    for placement, expected in (
        ("after_attention", (177, 171, 171)),
        ("before_layer", (171, 171, 171)),
        ("after_ffn", (177, 177, 171)),
    ):
        tokens = replace(DEFAULT_SCHEDULE, placement=placement).layer_tokens(DEIT_TINY)
        assert tokens[4] == expected
        assert all(before.leaving >= after.leaving for before, after in pairwise(tokens))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"start": -0.1}, "ratio start = -0.1"),
        ({"end": 1.0}, "ratio end = 1.0"),
        ({"end": float("nan")}, "ratio end = nan"),
        ({"start": "0.1"}, "ratio start = '0.1'"),
        ({"start": 0.9, "end": 0.1}, "below start"),
        ({"start": 0.0}, "cannot start or end at 0"),
        ({"interpolation": "constant"}, "needs start = end"),
        ({"interpolation": "cubic"}, "interpolation = 'cubic'"),
        ({"meaning": "all"}, "meaning = 'all'"),
        ({"placement": "never"}, "placement = 'never'"),
        ({"first_layer": -1}, "first_layer = -1"),
        ({"first_layer": 0, "placement": "before_layer"}, "first_layer = 0"),
    ],
)
def test_bad_choices(choices: dict, message: str):
    with pytest.raises(UserError, match=message):
        PruningSchedule(**choices)


def test_first_layer_beyond_the_network():
    with pytest.raises(UserError, match="deit_tiny has 12 layers, expected at most 11"):
        PruningSchedule(first_layer=12).kept_tokens(DEIT_TINY)


KEPT = (196, 190, 190, 170, 150, 120, 100, 80, 60, 40, 20, 0)


@pytest.mark.parametrize("placement", ["after_attention", "before_layer", "after_ffn"])
def test_list_of_a_schedule_is_the_schedule(placement: str):
    schedule = replace(DEFAULT_SCHEDULE, placement=placement)
    for network in (DEIT_TINY, VIT_DIGITS):
        fitted = schedule.fitted(network)
        kept = tuple(fitted.kept_tokens(network))
        listed: Schedule = ListedSchedule(kept=kept, placement=placement)
        assert listed.layer_tokens(network) == fitted.layer_tokens(network)
        assert listed.fitted(network) == listed


def test_cls_alone_may_be_left():
    tokens = ListedSchedule(kept=KEPT).layer_tokens(DEIT_TINY)
    assert tokens[1:3] == [(197, 191, 191), (191, 191, 191)]
    assert tokens[-1] == (21, 1, 1)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"kept": (5, 6)}, "kept tokens grow from 5 to 6 in layer 1"),
        ({"kept": (5, -1)}, "kept tokens -1: expected integers of at least 0"),
        ({"kept": (5, 4.0)}, "kept tokens 4.0"),
        ({"kept": (True,)}, "kept tokens True"),
        ({"kept": (5,), "placement": "never"}, "placement = 'never'"),
    ],
)
def test_bad_lists(choices: dict, message: str):
    with pytest.raises(UserError, match=message):
        ListedSchedule(**choices)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (ListedSchedule(kept=KEPT[:-1]), "lists 11 layers: deit_tiny has 12"),
        (ListedSchedule(kept=()), "lists 0 layers"),
        (ListedSchedule(kept=(197, *KEPT[1:])), "keeps 197 patch tokens: deit_tiny has 196"),
        (
            ListedSchedule(kept=(195, *KEPT[2:], 0), placement="before_layer"),
            "before layer 0, where no token has an importance yet",
        ),
    ],
)
def test_lists_that_no_deit_can_have(schedule: ListedSchedule, message: str):
    with pytest.raises(UserError, match=message):
        schedule.layer_tokens(DEIT_TINY)
