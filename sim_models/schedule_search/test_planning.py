"""Plans against all schedules of small random layers, and layers against whole runs."""

from itertools import combinations_with_replacement

import numpy as np
import pytest

from model.networks import DEIT_TINY, VIT_DIGITS
from model.schedule import DEFAULT_SCHEDULE, ListedSchedule
from model.synthetic import maps_of
from rtl_gen.config import get_config
from sim_models.figures.workload import Setting
from sim_models.network import network_cycles
from sim_models.schedule_search.layer_cycles import LayerCycles, Machine, layer_cycles
from sim_models.schedule_search.planning import Planner
from sim_models.schedule_search.search import interpolated, measured_counts

LAYERS, PATCHES = 4, 5
OUTSIDE, SELECTION = 17, 30


@pytest.fixture(params=range(3))
def planner(request) -> Planner:
    rng = np.random.default_rng(request.param)
    shape = (LAYERS, PATCHES + 1)
    losses = np.sort(rng.random(shape), axis=1)[:, ::-1].copy()
    losses[:, -1] = 0
    entering, leaving = np.sort(rng.integers(0, 200, (2, *shape)), axis=2)
    cycles = LayerCycles(entering=entering, leaving=leaving, selection=SELECTION, outside=OUTSIDE)
    return Planner(cycles=cycles, losses=losses)


def schedules() -> list[tuple[int, ...]]:
    return list(combinations_with_replacement(range(PATCHES, -1, -1), LAYERS))


def by_hand(planner: Planner, kept: tuple[int, ...]) -> tuple[float, float]:
    """Cycles and loss, summed layer by layer."""
    cycles, loss, before = OUTSIDE, 0.0, PATCHES
    for layer, after in enumerate(kept):
        cycles += planner.cycles.entering[layer][before] + planner.cycles.leaving[layer][after]
        if after < before:
            cycles += SELECTION
            loss += planner.losses[layer][after] - planner.losses[layer][before]
        before = after
    return cycles, loss


def test_plans_are_the_best_of_all_schedules(planner: Planner):
    assert len(schedules()) == 126
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
    """At the counts that were measured, whatever lies in between."""
    patches = VIT_DIGITS.patch_tokens
    counts = measured_counts(patches)
    assert counts[0] == 0
    assert counts == sorted(set(counts))
    assert counts[-1] < patches
    measured = np.random.default_rng(5).random((LAYERS, len(counts)))
    measured = np.sort(measured, axis=1)[:, ::-1]
    losses = interpolated(counts, measured, patches)
    nothing = np.zeros_like(losses)
    cycles = LayerCycles(entering=nothing, leaving=nothing, selection=0, outside=0)
    planner = Planner(cycles=cycles, losses=losses)
    for layer in range(LAYERS):
        for place, count in enumerate(counts):
            kept = (patches,) * layer + (count,) * (LAYERS - layer)
            assert planner.of(kept).loss == pytest.approx(measured[layer, place])
    assert planner.of((patches,) * LAYERS).loss == 0


def test_fewer_tokens_never_lose_less():
    losses = interpolated([0, 2, 4, 6], np.array([[0.9, 0.4, 0.6, 0.1]]), 8)[0]
    assert losses[[0, 2, 4, 6, 8]] == pytest.approx([0.9, 0.5, 0.5, 0.1, 0])
    assert (np.diff(losses) <= 0).all()


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
    planner = Planner(cycles=cycles, losses=np.zeros_like(cycles.entering))
    for count in (49, 30, 7, 0):
        schedule = ListedSchedule(kept=(count,) * VIT_DIGITS.layers)
        assert planner.of(schedule.kept).cycles == machine.cycles(schedule)


def test_layers_estimate_other_schedules(digits):
    machine, cycles = digits
    planner = Planner(cycles=cycles, losses=np.zeros_like(cycles.entering))
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
