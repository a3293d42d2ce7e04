"""The manifest's memories: the plan's rows, and all that the Verilog holds of them."""

import pytest

from rtl_gen.accelerator import Accelerator
from rtl_gen.emit.manifest import memory_map
from rtl_gen.emit.verilog import emit
from rtl_gen.presets import get_config

NO_MEMORY = {"weights", "live", "exp_table"}
"""Registers and logic."""


@pytest.mark.parametrize(("preset", "cores"), [("tiny", 1), ("tiny", 2), ("small", 1)])
def test_memories_are_those_of_the_verilog(preset, cores):
    config = get_config(preset, cores=cores)
    design = emit(Accelerator(config), "accelerator")
    built = {memory.name: memory for memory in design.memories}
    rows = memory_map(design, config)
    for row in rows:
        banks = [built.pop(path) for path in row["paths"]]
        sizes = [(bank.depth, bank.width) for bank in banks]
        copies = 1 if row["name"] == "stream" else cores
        count = 0 if row["name"] in NO_MEMORY else copies * row["banks"]
        assert sizes == [(row["words"], row["bits"])] * count, row["name"]
        assert row["writable"] == (row["name"] != "exp_table")
    assert not built
    (gelu,) = (row["paths"] for row in rows if row["name"] == "gelu")
    assert gelu == [
        f"accelerator.cluster.core_{core}.linear.epilogue.gelu_{lane}.sram.words"
        for core in range(cores)
        for lane in range(config.lanes)
    ]
