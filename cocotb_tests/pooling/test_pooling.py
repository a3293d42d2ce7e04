"""Mean pooling on both simulators."""

from types import SimpleNamespace

import pytest

from cocotb_tests.harness.units import run_unit
from rtl_gen.pooling.pool import POOL, Pool
from rtl_gen.presets import get_config

TINY = get_config("tiny")


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_pool(simulator, preset):
    config = get_config(preset)
    run_unit(simulator, Pool(config), config, seed=31)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, None),
        ({"count": 0}, "pool: a number of tokens"),
        ({"count": TINY.max_tokens + 1}, "pool: a number of tokens"),
        ({"first": TINY.max_tokens}, "pool: a token"),
        ({"dim": 0}, "pool: a token or a number of channels"),
        ({"dim": TINY.max_dim - 1}, None),
        ({"dim": TINY.max_dim + 1}, "pool: a token or a number of channels"),
    ],
)
def test_contract_of_pool(simulator, parameters, message):
    meets = {"count": TINY.max_tokens, "first": TINY.max_tokens - 1, "dim": TINY.max_dim}
    contract = {"bench": "contracts", "seed": 32, **meets, **parameters}
    run_unit(simulator, Pool(TINY), TINY, stops=message, **contract)


@pytest.mark.parametrize(("prefix", "cycles"), [(0, 5211), (1, 5187), (197, 507), (255, 507)])
@pytest.mark.parametrize("dim", [192, 129])
def test_busy_cycles_of_deit_tiny(prefix, dim, cycles):
    """24 parts of 197 tokens less those left out, at least a cycle, and 20; 3 at the end."""
    command = SimpleNamespace(prefix=prefix, first=0, dim=dim)
    assert POOL.busy_cycles(get_config("default"), command, 198, 197) == cycles
