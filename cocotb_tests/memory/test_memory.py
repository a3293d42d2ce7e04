"""On-chip memories on both simulators."""

import pytest
from amaranth.hdl import unsigned
from rtl_gen.memory.banked import BankedMemory

from cocotb_tests.harness.runner import simulate
from rtl_gen.memory.row_memory import RowMemory

DEPTH, BITS = 6, 12


@pytest.mark.parametrize(("banks", "chunks"), [(2, 1), (4, 3)])
def test_banked_memory(simulator, banks, chunks):
    simulate(
        BankedMemory(banks=banks, depth=DEPTH, shape=unsigned(BITS), chunks=chunks),
        name="banked_memory",
        simulator=simulator,
        bench="cocotb_tests.memory.bench_banked",
        parameters={"banks": banks, "depth": DEPTH, "bits": BITS, "chunks": chunks, "seed": 2},
    )


def test_row_memory(simulator):
    simulate(
        RowMemory(depth=DEPTH, shape=unsigned(BITS)),
        name="row_memory",
        simulator=simulator,
        bench="cocotb_tests.memory.bench_row_memory",
        parameters={"depth": DEPTH, "bits": BITS, "seed": 2},
    )
