"""Plans against all schedules of small random layers, and layers against whole runs."""

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import pytest

from model.attention.synthetic import maps_of
from model.network.names import DEIT_TINY, VIT_DIGITS
from model.network.readout import Readout
from model.pruning.schedule import DEFAULT_SCHEDULE, ListedSchedule
from rtl_gen.presets import get_config
from sim_models.figures.workload import Setting
from sim_models.network import network_cycles
from sim_models.schedule_search.layer_cycles import LayerCycles, Machine, layer_cycles
from sim_models.schedule_search.losses import with_drop
from sim_models.schedule_search.planning import Planner
from sim_models.schedule_search.search import changes_of, measured_drops

LAYERS, PATCHES = 4, 5
OUTSIDE, SELECTION, LOSS = 17, 30, 2.5
MEAN = replace(VIT_DIGITS, readout=Readout.MEAN)


@pytest.fixture(params=range(3))
def planner(request) -> Planner:
    rng = np.random.default_rng(request.param)
    shape = (LAYERS, PATCHES + 1)
    changes = np.sort(rng.random(shape), axis=1) - 0.2
    changes[1, 4:] = np.inf
    entering, leaving = np.sort(rng.integers(0, 200, (2, *shape)), axis=2)
    cycles = LayerCycles(entering=entering, leaving=leaving, selection=SELECTION, outside=OUTSIDE)
    return Planner(cycles=cycles, loss=LOSS, changes=changes)


def schedules() -> list[tuple[int, ...]]:
    """All but those whose second layer drops more than is known of it."""
    every = combinations_with_replacement(range(PATCHES, -1, -1), LAYERS)
    return [kept for kept in every if kept[0] - kept[1] < 4]


def by_hand(planner: Planner, kept: tuple[int, ...]) -> tuple[float, float]:
    """Cycles and loss, summed layer by layer."""
    cycles, loss, before = OUTSIDE, LOSS, PATCHES
    for layer, after in enumerate(kept):
        cycles += planner.cycles.entering[layer][before] + planner.cycles.leaving[layer][after]
        if after < before:
            cycles += SELECTION
        loss += planner.changes[layer][before - after]
        before = after
    return cycles, loss


def test_plans_are_the_best_of_all_schedules(planner: Planner):
    assert len(schedules()) == 126 - 5
    for price in (0, 1, 30, 100, 300, 1000, 1e6):
        plan = planner.plan(price)
        cycles, loss = by_hand(planner, plan.kept)
        assert (plan.cycles, plan.loss) == pytest.approx((cycles, loss))
        costs = [np.dot(by_hand(planner, kept), (1, price)) for kept in schedules()]
        assert cycles + price * loss == pytest.approx(min(costs))


def test_front_holds_every_corner(planner: Planner):
    """Of the convex front: what alone is best at some price. Prices are tried densely."""
    points = {kept: by_hand(planner, kept) for kept in schedules()}
    corners = set()
    for price in np.geomspace(1, 1e5, 2000):
        corners.add(min(points, key=lambda kept: points[kept][0] + price * points[kept][1]))
    front = planner.front()
    assert corners <= {plan.kept for plan in front}
    assert len({plan.kept for plan in front}) == len(front)
    cycles, losses = ([getattr(plan, name) for plan in front] for name in ("cycles", "loss"))
    assert cycles == sorted(cycles, reverse=True)
    assert losses == sorted(losses)


def test_one_layer_loses_what_was_measured():
    """At the drops that were measured, whatever lies in between."""
    kept, loss = (49, 45, 35, 0), 0.3
    drops = measured_drops(kept, VIT_DIGITS)
    assert drops == [[1, 3, 4], [0, 2, 6, 8], [0, 5, 15, 20], []]
    rng = np.random.default_rng(5)
    losses = [
        np.array([rng.uniform(0, loss) if number < own else rng.uniform(loss, 1) for number in row])
        for row, own in zip(drops, (0, 4, 10, 35), strict=True)
    ]
    losses = [np.sort(row) for row in losses]
    changes = changes_of(kept, loss, drops, losses, VIT_DIGITS)
    nothing = np.zeros_like(changes)
    cycles = LayerCycles(entering=nothing, leaving=nothing, selection=0, outside=0)
    planner = Planner(cycles=cycles, loss=loss, changes=changes)
    assert planner.of(kept).loss == pytest.approx(loss)
    for layer, row in enumerate(drops):
        for number, expected in zip(row, losses[layer], strict=True):
            changed = with_drop(kept, layer, number, VIT_DIGITS)
            assert planner.of(tuple(changed)).loss == pytest.approx(expected)
    assert np.isinf(changes[1, 9:]).all()
    assert not changes[-1].any()


def test_tokens_move_from_one_layer_alone():
    kept = [49, 45, 35, 6]
    assert with_drop(kept, 1, 4, VIT_DIGITS) == kept
    assert with_drop(kept, 1, 0, VIT_DIGITS) == [49, 49, 39, 10]
    assert with_drop(kept, 0, 3, VIT_DIGITS) == [46, 42, 32, 3]
    assert with_drop(kept, 2, 44, VIT_DIGITS) == [49, 45, 1, 0]
    assert with_drop(kept, 2, 44, MEAN) == [49, 45, 1, 1]


def test_survivors_of_the_last_layer_matter_to_a_mean():
    """Its own 29 of 35 tokens, none and half as many; it has to leave one."""
    kept = (49, 45, 35, 6)
    drops = measured_drops(kept, MEAN)
    assert drops == [[1, 3, 4], [0, 2, 6, 8], [0, 5, 15, 20], [0, 14]]
    assert measured_drops((49, 44, 22, 6), MEAN)[2] == [0, 11, 33]
    assert measured_drops((49, 44, 22, 6), VIT_DIGITS)[2] == [0, 11, 33, 44]
    losses = [np.linspace(0.1, 0.2, len(row)) for row in drops]
    last = changes_of(kept, 0.3, drops, losses, MEAN)[-1]
    assert last[[0, 14, 29]] == pytest.approx([-0.2, -0.1, 0])
    assert np.isinf(last[30:]).all()


def test_more_dropped_tokens_never_lose_less():
    """The second layer: 0.4 and 0.2 are evened out; its own drop of 4 tokens stands at 0."""
    drops = [[1], [0, 2, 6], []]
    losses = [np.array(row) for row in ([0.6], [0.4, 0.2, 0.9], [])]
    changes = changes_of((9, 5, 0), 0.5, drops, losses, replace(VIT_DIGITS, grid=(3, 3)))[1]
    assert changes[[0, 2, 4, 6]] == pytest.approx([-0.2, -0.2, 0, 0.4])
    assert (np.diff(changes[:7]) >= 0).all()


@pytest.fixture(scope="module")
def digits() -> tuple[Machine, LayerCycles]:
    rng = np.random.default_rng(2)
    machine = Machine(
        setting=Setting(config=get_config("small")),
        network=VIT_DIGITS,
        masks=rng.random(VIT_DIGITS.mask_shape) < 0.5,
        maps=maps_of(VIT_DIGITS, 0).maps,
    )
    finished = []
    cycles = layer_cycles(machine, finished.append)
    assert sum(finished) == VIT_DIGITS.tokens
    return machine, cycles


def test_layers_add_up_to_the_run(digits):
    """Where every layer keeps as many tokens the sums are the run itself."""
    machine, cycles = digits
    planner = Planner(cycles=cycles, loss=0, changes=np.zeros_like(cycles.entering))
    for count in (49, 30, 7, 0):
        schedule = ListedSchedule(kept=(count,) * VIT_DIGITS.layers)
        assert planner.of(schedule.kept).cycles == machine.cycles(schedule)


def test_layers_estimate_other_schedules(digits):
    machine, cycles = digits
    planner = Planner(cycles=cycles, loss=0, changes=np.zeros_like(cycles.entering))
    for kept in ((49, 45, 35, 6), (40, 40, 8, 0), (49, 49, 49, 1)):
        exact = machine.cycles(ListedSchedule(kept=kept))
        assert planner.of(kept).cycles == pytest.approx(exact, rel=0.01)


def test_cycles_are_those_of_the_cycle_model():
    maps = maps_of(DEIT_TINY, 0).maps
    machine = Machine(setting=Setting(), network=DEIT_TINY, masks=None, maps=maps)
    live = machine.workload(DEFAULT_SCHEDULE).live
    setting = machine.setting
    expected = network_cycles(setting.config, DEIT_TINY, schedule=DEFAULT_SCHEDULE, live=live)
    assert machine.cycles(DEFAULT_SCHEDULE) == expected.total
