"""The attention units, one by one, on both simulators."""

import pytest

from cocotb_tests.harness.runner import simulate
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

UNITS = {
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


@pytest.mark.parametrize("preset", ["tiny", "small"])
@pytest.mark.parametrize("unit", UNITS)
def test_unit(simulator, unit, preset):
    config = get_config(preset)
    simulate(
        UNITS[unit](config),
        name=f"{unit}_{preset}",
        simulator=simulator,
        bench=f"cocotb_tests.attention.bench_{unit}",
        parameters={"config": config.as_dict(), "seed": 11},
    )
