"""The attention units, one by one, on both simulators."""

import pytest

from cocotb_tests.harness.units import run_unit
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
from rtl_gen.presets import get_config

UNITS = [
    Attention,
    QueryWalker,
    MaskDecoder,
    RowInterleaver,
    RowBuffer,
    RowMaximum,
    Exponentials,
    Normalisation,
    Softmax,
    Importance,
    OutputUnit,
]


CONFIGS = {
    "tiny": get_config("tiny"),
    "small": get_config("small"),
    # As many channels a lane as in `wide`, and as many tokens as the output unit needs to take rows
    # without a pause.
    "wide": get_config(
        "wide", lanes=2, width=64, max_tokens=34, max_heads=2, max_dim=64, row_slots=4
    ),
}


@pytest.mark.parametrize(
    "preset",
    ["tiny", *(pytest.param(preset, marks=pytest.mark.long) for preset in ("small", "wide"))],
)
@pytest.mark.parametrize("unit", UNITS)
def test_unit(simulator, unit, preset):
    run_unit(simulator, unit(CONFIGS[preset]), CONFIGS[preset], seed=11)


def test_walker_of_a_mask_of_one_word(simulator):
    config = get_config("tiny", max_tokens=4)
    run_unit(simulator, QueryWalker(config), config, seed=11)


CONTRACTS = {
    QueryWalker: {
        "walk_in_a_walk": "started while it walks",
        "walk_over_nothing": "tokens out of range",
        "walk_over_too_many": "tokens out of range",
    },
    RowInterleaver: {
        "pv_without_a_head": r"PV of a row before its QK\^T",
        "head_in_a_head": "started while rows wait",
        "place_freed_twice": "a row was taken that was not there",
    },
    RowBuffer: {
        "too_many_rows_of_keys": "more rows than slots",
        "row_without_keys": "a row without keys",
        "row_without_exponentials": "a row without exponentials",
    },
    RowMaximum: {"too_many_rows_of_scores": "more rows than slots wait"},
    Exponentials: {
        "too_many_stored_rows": "more rows of scores than slots",
        "row_without_scores": "a row without scores",
    },
    Normalisation: {
        "too_many_ended_rows": "more rows than slots ended",
        "sum_without_a_row": "a sum without a row",
        "too_many_normalised_rows": "more normalised rows than slots",
        "scale_in_a_head": "another scale in a head",
    },
    Importance: {
        "read_of_sums_that_change": "while they change",
        "clear_of_sums_that_change": "while they change",
    },
    OutputUnit: {
        "rows_too_close": "a row comes too early",
        "more_rows_than_places": "more rows than places",
    },
}
"""By unit: the tests that break it, and what the simulation says."""


@pytest.mark.parametrize(
    ("unit", "case"), [(unit, case) for unit, cases in CONTRACTS.items() for case in cases]
)
def test_contract(simulator, unit, case):
    config, message = get_config("tiny"), CONTRACTS[unit][case]
    run_unit(
        simulator, unit(config), config, bench="contracts", testcase=case, stops=message, seed=11
    )
