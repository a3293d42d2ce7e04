"""The pruning units on both simulators; their latency for the default configuration."""

import pytest

from cocotb_tests.harness.runner import simulate
from cocotb_tests.pruning.pruning_stage import PruningStage
from rtl_gen.config import get_config
from rtl_gen.pruning.topk import TopK

BENCH = "cocotb_tests.pruning.bench_pruning"


@pytest.mark.parametrize(
    ("preset", "trials"), [("tiny", 6), ("small", 4), ("default", 2), ("double", 2)]
)
def test_pruning(simulator, preset, trials):
    config = get_config(preset)
    simulate(
        PruningStage(config),
        name=f"pruning_{preset}",
        simulator=simulator,
        bench=BENCH,
        parameters={"config": config.as_dict(), "trials": trials, "seed": 7},
    )


def test_latency_of_the_default_configuration():
    assert TopK.latency(get_config("default"), 197) == 240
