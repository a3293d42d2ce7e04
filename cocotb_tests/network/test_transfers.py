"""LOAD and STORE of every memory that both reach, all its rows, on both simulators."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.network.run import MemoryModel, run_image
from model.program.memory_image import TOKEN_TARGETS, Image, ImageBuilder, StoredTensor
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.interfaces.targets import Target, transfers
from rtl_gen.presets import get_config

FIRST, COUNT = 3, 5
"""Rows of HIDDEN that a STORE of a part takes."""


def build(
    config: AcceleratorConfig, contents: Mapping[Target, np.ndarray], tokens: int, part_address: int
) -> Image:
    """Each memory is loaded in two parts, the second first, before any of them is stored."""
    builder = ImageBuilder(config)
    builder.emit(Opcode.SET_TOKENS, count=tokens)
    for target, rows in contents.items():
        half = len(rows) // 2
        for first, part in ((half, rows[half:]), (0, rows[:half])):
            command = {"target": target, "first": first, "count": len(part), "barrier": 1}
            builder.emit(Opcode.LOAD, part.tobytes(), **command)
    for target, rows in contents.items():
        builder.store(target.name, target, rows.shape)
    builder.store("live", Target.LIVE, (config.max_tokens,), 1)
    builder.store("importance", Target.IMPORTANCE, (tokens,), 32)
    part = {"target": Target.HIDDEN, "first": FIRST, "count": COUNT}
    builder.emit(Opcode.STORE, address=part_address, **part)
    return builder.finish()


@pytest.mark.parametrize(
    "preset", ["tiny", pytest.param("small", marks=pytest.mark.long("icarus"))]
)
@pytest.mark.parametrize(
    "memory", [MemoryModel(latency=2), MemoryModel(latency=40, stall=0.3)], ids=["ideal", "stalls"]
)
def test_round_trip(simulator, preset, memory):
    config = get_config(preset)
    tokens = config.max_tokens - 1
    rng = np.random.default_rng(14)
    contents = {
        target: rng.integers(-128, 128, (allowed.rows, config.width), dtype=np.int8)
        for target, allowed in transfers(config).items()
        if allowed.loads and allowed.stores
    }
    assert {Target.HIDDEN, Target.RESIDUAL, *TOKEN_TARGETS} == contents.keys()
    end = build(config, contents, tokens, 0).memory_bytes
    part = StoredTensor("part", Target.HIDDEN, end, COUNT, (COUNT, config.width), 8)
    image = dataclasses.replace(
        build(config, contents, tokens, end), memory_bytes=end + COUNT * config.width
    )
    run = run_image(config, image, simulator=simulator, memory=memory, seed=5)

    assert run.error == ErrorCode.NONE
    expected = {target.name: rows.astype(np.int64) for target, rows in contents.items()} | {
        "live": np.arange(config.max_tokens) < tokens,
        "importance": np.zeros(tokens, np.int64),
        "part": contents[Target.HIDDEN][FIRST : FIRST + COUNT].astype(np.int64),
    }
    for tensor in (*image.stored, part):
        assert_equal(tensor.name, image.read(run.memory, tensor), expected[tensor.name])
    assert run.counters["rows_written"] == sum(tensor.rows for tensor in image.stored) + COUNT
