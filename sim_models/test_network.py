"""Cycles of whole networks: hand-counted layers, survivors, bounds and user errors."""

import dataclasses

import numpy as np
import pytest

from model.networks import DEIT_BASE, DEIT_TINY
from model.schedule import DEFAULT_SCHEDULE, READINGS
from rtl_gen.config import get_config
from rtl_gen.errors import UserError
from rtl_gen.linear.linear import LinearEngine
from sim_models.linear import linear_cycles
from sim_models.network import CALIBRATED, NetworkCycles, assumed_live, network_cycles

DEFAULT = get_config("default")
TINY_MAC_BOUND = 2_449_000
"""Multiply-accumulates of dense DeiT-Tiny / 512."""


@pytest.fixture
def maps() -> np.ndarray:
    rng = np.random.default_rng(3)
    maps = rng.random(DEIT_TINY.mask_shape) ** 4
    return maps / maps.sum(axis=-1, keepdims=True)


def test_linear_layer_streams_tokens_through_every_tile():
    around = 8 + LinearEngine.drain_cycles(DEFAULT)
    assert linear_cycles(DEFAULT, 192, 768, 197) == 3 * 96 * 197 + around
    assert linear_cycles(DEFAULT, 192, 1000, 1) == 3 * 125 * 8 + around
    assert linear_cycles(DEFAULT, 192, 8, 8, other_beats=5) == 3 * 8 + 5 + around


def test_dense_tiny_is_close_to_its_mac_bound():
    cycles = network_cycles(DEFAULT, DEIT_TINY)
    assert TINY_MAC_BOUND < cycles.total < 1.05 * TINY_MAC_BOUND
    assert cycles.total == sum(cycles.operations().values())
    assert cycles.operations().keys() > CALIBRATED


def test_layers_add_up():
    few, some, many = (
        network_cycles(DEFAULT, dataclasses.replace(DEIT_TINY, layers=layers))
        for layers in (4, 8, 12)
    )
    assert few + many == some + some
    assert (many + NetworkCycles()).total == many.total


@pytest.mark.parametrize("reading", READINGS)
def test_survivors_follow_the_schedule(maps, reading):
    schedule = READINGS[reading]
    masks = np.random.default_rng(4).random(maps.shape) < 0.4
    live = assumed_live(DEIT_TINY, maps, masks, schedule)
    assert live.sum(-1).tolist() == [t.attention for t in schedule.layer_tokens(DEIT_TINY)]
    assert live[:, 0].all()
    assert not (live[1:] & ~live[:-1]).any()
    pruned = network_cycles(DEFAULT, DEIT_TINY, masks=masks, schedule=schedule, live=live)
    assert pruned.total < network_cycles(DEFAULT, DEIT_TINY, masks=masks).total


def test_survivors_have_the_largest_column_sums():
    network = dataclasses.replace(DEIT_TINY, heads=1, layers=2, tokens=5)
    maps = np.full(network.mask_shape, 0.1)
    maps[:, :, :, 3] = 0.6
    schedule = dataclasses.replace(DEFAULT_SCHEDULE, start=0.75, end=0.75, first_layer=0)
    assert assumed_live(network, maps, None, schedule)[1].tolist() == [1, 0, 0, 1, 0]
    masks = np.ones(network.mask_shape, dtype=np.bool_)
    masks[:, :, :, 3] = False
    # Ties keep the lower index.
    assert assumed_live(network, maps, masks, schedule)[1].tolist() == [1, 1, 0, 0, 0]


def test_network_beyond_the_configuration_is_refused():
    with pytest.raises(UserError, match="max_heads = 12"):
        network_cycles(get_config("default", max_heads=6), DEIT_BASE)


def test_live_tokens_that_do_not_fit_the_schedule_are_refused():
    live = np.ones((12, 197), dtype=np.bool_)
    with pytest.raises(UserError, match="the schedule leaves"):
        network_cycles(DEFAULT, DEIT_TINY, schedule=DEFAULT_SCHEDULE, live=live)
