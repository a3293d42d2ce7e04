"""Mean pooling on both simulators."""

from types import SimpleNamespace

import pytest

from cocotb_tests.harness.contracts import stops
from cocotb_tests.harness.runner import simulate
from rtl_gen.config import get_config
from rtl_gen.pooling.pool import POOL, Pool

TINY = get_config("tiny")


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_pool(simulator, preset):
    config = get_config(preset)
    simulate(
        Pool(config),
        name=f"pool_{preset}",
        simulator=simulator,
        bench="cocotb_tests.pooling.bench_pool",
        parameters={"config": config.as_dict(), "seed": 31},
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, None),
        ({"count": 0}, "pool: a number of tokens"),
        ({"count": TINY.max_tokens + 1}, "pool: a number of tokens"),
        ({"first": TINY.max_tokens}, "pool: a token"),
        ({"dim": 0}, "pool: a token or a number of channels"),
        ({"dim": TINY.max_dim + TINY.norm_channels}, "pool: a token or a number of channels"),
    ],
)
def test_contract_of_pool(simulator, parameters, message):
    meets = {"count": TINY.max_tokens, "first": TINY.max_tokens - 1, "dim": TINY.max_dim}
    with stops(message):
        simulate(
            Pool(TINY),
            name="pool_contract",
            simulator=simulator,
            bench="cocotb_tests.pooling.bench_contracts",
            parameters={"config": TINY.as_dict(), "seed": 32, **meets, **parameters},
        )


@pytest.mark.parametrize(("left_out", "cycles"), [(0, 5211), (1, 5187), (197, 507), (300, 507)])
def test_busy_cycles_of_deit_tiny(left_out, cycles):
    """24 parts of 197 tokens less those left out, at least a cycle, and 20; 3 at the end."""
    command = SimpleNamespace(count=left_out, first=0, dim=192)
    assert POOL.busy_cycles(get_config("default"), command, 198, 197) == cycles
