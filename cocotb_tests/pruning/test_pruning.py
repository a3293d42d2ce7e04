"""The pruning units on both simulators; their latency for the default configuration."""

import pytest

from cocotb_tests.harness.units import run_unit
from rtl_gen.presets import get_config
from rtl_gen.pruning.live_tokens import LiveTokens
from rtl_gen.pruning.pruning import Pruning
from rtl_gen.pruning.topk import TopK


@pytest.mark.parametrize(
    ("preset", "trials"),
    [
        ("tiny", 6),
        ("small", 4),
        pytest.param("default", 2, marks=pytest.mark.long),
        pytest.param("double", 2, marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("unit", [TopK, LiveTokens, Pruning])
def test_pruning(simulator, unit, preset, trials):
    config = get_config(preset)
    run_unit(simulator, unit(config), config, trials=trials, seed=7)


TINY = get_config("tiny")
SELECTION = {"tokens": 4, "keep": 3, "prefix": 3}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tokens": 0},
        {"tokens": TINY.max_tokens + 1},
        {"keep": 0, "prefix": 0},
        {"prefix": 4},
    ],
)
def test_contract_of_topk(simulator, fields):
    stops = "top-k: a number of tokens out of range" if fields else None
    selection = SELECTION | fields
    contract = {"bench": "contracts", "seed": 8, "selection": selection}
    run_unit(simulator, TopK(TINY), TINY, stops=stops, **contract)


def test_latency_of_the_default_configuration():
    assert TopK.latency(get_config("default"), 197) == 240
