"""Images a second against cells: the arrays, the front by brute force, and what is drawn."""

import pandas as pd
import pytest

from model.network.names import VIT_DIGITS
from rtl_gen.area.model import predict
from rtl_gen.presets import get_config
from sim_models.figures.area import SHOWN, area_data, area_points, area_table, draw_area, on_front
from sim_models.figures.workload import Setting
from sim_models.network import network_cycles

SETTING = Setting(config=get_config("small"), networks=(VIT_DIGITS,), network=VIT_DIGITS)


@pytest.fixture(scope="module")
def area() -> pd.DataFrame:
    return area_data(SETTING, lambda _points: None)


def test_arrays_are_those_that_hold_the_network(area):
    """Heads of 16 channels: no width of 8; a row is at least twice the lanes."""
    arrays = {(lanes, width) for lanes in (2, 4, 8, 16) for width in (16, 32, 64, 128)}
    arrays.remove((16, 16))
    assert set(zip(area["lanes"], area["width"], strict=True)) == arrays
    assert len(area) == area_points(SETTING) == 2 * 4 * len(arrays)


def test_a_point_is_a_configuration(area):
    at = area.set_index(["variant", "lanes", "width", "cores"]).loc["dense", 8, 32, 2]
    config = get_config("small", lanes=8, width=32, cores=2, max_dim=64)
    cycles = network_cycles(config, VIT_DIGITS).total
    assert at["cycles"] == cycles
    assert at["images_per_second"] == pytest.approx(2 * 500e6 / cycles)
    assert {name: at[name] for name in predict(config)} == predict(config)


def test_nothing_beats_the_front(area):
    for _, of in area.groupby("variant"):
        points = list(zip(of["luts"], -of["images_per_second"], of["front"], strict=True))
        for luts, slowness, front in points:
            better = [
                p for p in points if p[0] <= luts and p[1] <= slowness and p[:2] != (luts, slowness)
            ]
            assert front == (not better)


def test_the_front_has_the_better_one_of_a_tie():
    points = [("a", 1, 1), ("a", 1, 2), ("a", 2, 2), ("b", 2, 1)]
    data = pd.DataFrame(points, columns=["variant", "luts", "images_per_second"])
    assert on_front(data) == [False, True, False, True]


def test_a_panel_shows_a_column(area):
    panels = draw_area(area).axes
    assert len(panels) == len(SHOWN)
    for axes, column in zip(panels, SHOWN, strict=True):
        drawn = [x for line in axes.lines for x in line.get_xdata()]
        assert set(area[column]) <= set(drawn)
    assert len(area_table(area).rows) == len(area)
