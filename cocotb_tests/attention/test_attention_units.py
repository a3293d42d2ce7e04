"""The attention units, one by one, on both simulators."""

from functools import cache

import pytest

from cocotb_tests.harness.runner import SimulationError, simulate
from rtl_gen.attention.attention import Attention
from rtl_gen.attention.exponentials import Exponentials
from rtl_gen.attention.importance import Importance
from rtl_gen.attention.mask_decoder import MaskDecoder
from rtl_gen.attention.normalisation import Normalisation
from rtl_gen.attention.output_unit import OutputUnit
from rtl_gen.attention.query_walker import QueryWalker
from rtl_gen.attention.row_buffer import RowBuffer
from rtl_gen.attention.row_interleaver import RowInterleaver
from rtl_gen.attention.row_maximum import RowMaximum
from rtl_gen.attention.softmax import Softmax
from rtl_gen.config import get_config
from rtl_gen.emit.verilog import Design, emit

UNITS = {
    "attention": Attention,
    "query_walker": QueryWalker,
    "mask_decoder": MaskDecoder,
    "row_interleaver": RowInterleaver,
    "row_buffer": RowBuffer,
    "row_maximum": RowMaximum,
    "exponentials": Exponentials,
    "normalisation": Normalisation,
    "softmax": Softmax,
    "importance": Importance,
    "output_unit": OutputUnit,
}


@cache
def design(unit: str, preset: str) -> Design:
    """Verilog, once for all benches."""
    return emit(UNITS[unit](get_config(preset)), f"{unit}_{preset}")


def run(unit: str, preset: str, simulator: str, bench: str, testcase: str | None = None) -> None:
    simulate(
        design(unit, preset),
        simulator=simulator,
        bench=f"cocotb_tests.attention.bench_{bench}",
        parameters={"config": get_config(preset).as_dict(), "seed": 11},
        testcase=testcase,
    )


@pytest.mark.parametrize("preset", ["tiny", "small"])
@pytest.mark.parametrize("unit", UNITS)
def test_unit(simulator, unit, preset):
    run(unit, preset, simulator, unit)


CONTRACTS = {
    "query_walker": {
        "walk_in_a_walk": "started while it walks",
        "walk_over_nothing": "tokens out of range",
        "walk_over_too_many": "tokens out of range",
    },
    "row_interleaver": {
        "pv_without_a_head": r"PV of a row before its QK\^T",
        "head_in_a_head": "started while rows wait",
        "place_freed_twice": "a row was taken that was not there",
    },
    "row_buffer": {
        "too_many_rows_of_keys": "more rows than slots",
        "row_without_keys": "a row without keys",
        "row_without_exponentials": "a row without exponentials",
    },
    "row_maximum": {"too_many_rows_of_scores": "more rows than slots wait"},
    "exponentials": {
        "too_many_stored_rows": "more rows of scores than slots",
        "row_without_scores": "a row without scores",
    },
    "normalisation": {
        "too_many_ended_rows": "more rows than slots ended",
        "sum_without_a_row": "a sum without a row",
        "too_many_normalised_rows": "more normalised rows than slots",
        "scale_in_a_head": "another scale in a head",
    },
    "importance": {
        "read_of_sums_that_change": "while they change",
        "clear_of_sums_that_change": "while they change",
    },
    "output_unit": {
        "rows_too_close": "a row comes too early",
        "more_rows_than_places": "more rows than places",
    },
}
"""By unit: the tests that break it, and what the simulation says."""


@pytest.mark.parametrize(
    ("unit", "case"), [(unit, case) for unit, cases in CONTRACTS.items() for case in cases]
)
def test_contract(simulator, unit, case):
    with pytest.raises(SimulationError, match=CONTRACTS[unit][case]):
        run(unit, "tiny", simulator, "contracts", case)
