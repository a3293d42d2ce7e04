"""Cycles of whole networks: the compiler's commands, survivors, bounds and user errors."""

import dataclasses

import numpy as np
import pytest
import torch

from model.integer.random_network import random_network
from model.network.names import DEIT_BASE, DEIT_TINY
from model.network.shape import Network
from model.program.compiler import compile_network
from model.program.steps import network_steps
from model.pruning.hardware import prune_counts
from model.pruning.schedule import DEFAULT_SCHEDULE, READINGS, ListedSchedule
from rtl_gen.control.commands import Opcode
from rtl_gen.errors import UserError
from rtl_gen.presets import get_config
from sim_models.memory import MemoryTiming
from sim_models.network import assumed_live, dropping_layers, network_cycles, run_network

DEFAULT = get_config("default")
TINY_MAC_BOUND = 2_449_000
"""Multiply-accumulates of dense DeiT-Tiny / 512."""


@pytest.fixture
def maps() -> np.ndarray:
    rng = np.random.default_rng(3)
    maps = rng.random(DEIT_TINY.mask_shape) ** 4
    return maps / maps.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("kept", [(16, 16), (8, 3), (16, 2), (8, 8), (5, 0), (0, 0)])
def test_commands_are_those_of_the_compiler(kept):
    shape = Network(
        name="tiny", heads=2, layers=2, head_dim=8, grid=(4, 4), patch=(2, 4), classes=11
    )
    config = get_config("tiny")
    network = random_network(shape, 1)
    schedule = ListedSchedule(kept=kept)
    keep = prune_counts(shape, schedule)
    image = compile_network(config, network, torch.ones(shape.mask_shape, dtype=torch.bool), keep)
    live = np.ones((2, 17), np.bool_)
    live[1, kept[0] + 1 :] = False
    run = run_network(config, shape, schedule=schedule, live=live)
    commands = [step.command for step in run.steps]
    compiled = [
        {name: emitted.get(name, 0) for name in expected}
        for expected, emitted in zip(commands, image.commands, strict=True)
    ]
    assert compiled == commands


def test_selection_stands_where_the_schedule_says():
    around = {}
    for name, schedule in READINGS.items():
        keep = dropping_layers(DEIT_TINY, schedule)
        steps = list(network_steps(DEFAULT, DEIT_TINY, keep, schedule.placement))
        places = [i for i, step in enumerate(steps) if step.opcode == Opcode.PRUNE]
        assert len(places) == 9
        around[name] = {(steps[i - 1].operation, steps[i + 1].operation) for i in places}
    for meaning in ("original", "remaining"):
        assert around[f"{meaning}-after-attention"] == {("attention", "projection")}
        for placement in ("before-layer", "after-ffn"):
            assert around[f"{meaning}-{placement}"] == {("transfer", "layer_norm")}


def test_dense_tiny_is_close_to_its_mac_bound():
    cycles = network_cycles(DEFAULT, DEIT_TINY)
    assert TINY_MAC_BOUND < cycles.total < 1.05 * TINY_MAC_BOUND
    assert cycles.total == sum(cycles.operations().values()) == cycles.counters["cycles"]
    assert cycles.counters["attention_cycles"] == cycles.attention.total
    linear = cycles.patch_embedding + cycles.qkv + cycles.projection + cycles.ffn
    assert cycles.counters["linear_cycles"] == linear + cycles.classifier


def test_layers_add_up():
    few, some, many = (
        network_cycles(DEFAULT, dataclasses.replace(DEIT_TINY, layers=layers)).operations()
        for layers in (4, 8, 12)
    )
    for name in few:
        assert few[name] + many[name] == some[name] + some[name]


def test_slow_memory_costs_cycles():
    cycles = [
        network_cycles(DEFAULT, DEIT_TINY, memory=MemoryTiming(rate=rate)) for rate in (64, 16, 1)
    ]
    assert cycles[0].total < cycles[1].total < cycles[2].total
    assert cycles[2].total > cycles[2].counters["rows_read"] * DEFAULT.width


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
    network = dataclasses.replace(DEIT_TINY, heads=1, layers=2, grid=(2, 2))
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
    with pytest.raises(UserError, match="width = 80, this configuration has 64"):
        network_cycles(DEFAULT, dataclasses.replace(DEIT_TINY, head_dim=80, heads=2))


def test_live_tokens_that_do_not_fit_the_schedule_are_refused():
    live = np.ones((12, 197), dtype=np.bool_)
    with pytest.raises(UserError, match="the schedule leaves"):
        network_cycles(DEFAULT, DEIT_TINY, schedule=DEFAULT_SCHEDULE, live=live)
