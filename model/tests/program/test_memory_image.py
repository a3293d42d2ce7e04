"""Stored tensors out of the memory of a run, laid there by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.integer.random_network import random_network
from model.network.shape import Network
from model.program.compiler import compile_network
from model.program.memory_image import ImageBuilder, StoredTensor
from rtl_gen.interfaces.targets import Target
from rtl_gen.presets import PRESETS, get_config


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_sums_of_all_lanes_begin_rows(preset):
    config = get_config(preset)
    tokens = 2 * config.lanes + 1
    sums = np.arange(tokens, dtype=np.uint32) * 1_000_003
    row = config.width
    rows_of_word = -(-4 * config.lanes // row)
    memory = np.full(row * (3 * rows_of_word + 2), 0xEE, np.uint8)
    for group in range(3):
        lanes = sums[group * config.lanes :][: config.lanes]
        start = row * (1 + group * rows_of_word)
        memory[start : start + 4 * len(lanes)] = lanes.astype("<u4").view(np.uint8)
    stored = StoredTensor.of(config, "importance", Target.IMPORTANCE, (tokens,))
    read = ImageBuilder(config).finish().read(memory, replace(stored, address=row))
    assert read.tolist() == sums.tolist()


def test_parts_of_a_tensor_lie_one_behind_the_other():
    config = get_config("tiny")
    parts = [StoredTensor.of(config, "hidden", Target.HIDDEN, (3, width)) for width in (24, 8)]
    whole = parts[0] + parts[1]
    assert [part.rows for part in parts] == [9, 3]
    assert (whole.rows, whole.shape) == (12, (3, 32))


def test_logits_are_found_among_all_that_is_stored():
    shape = Network(
        name="dumped", heads=2, layers=1, head_dim=8, grid=(2, 2), patch=(2, 2), classes=11
    )
    config = replace(get_config("tiny"), cores=2)
    masks = torch.ones(shape.mask_shape, dtype=torch.bool)
    image = compile_network(config, random_network(shape, 1), masks, [None], dump=True)
    assert len({tensor.name for tensor in image.stored}) > 5
    expected = np.arange(22).reshape(2, 11) * 1000 - 10_000
    memory = np.full(image.memory_bytes, 0xEE, np.uint8)
    for tensor in image.stored:
        if tensor.name == "logits":
            bytes_of = expected[tensor.core].astype("<i2").view(np.uint8)
            memory[tensor.address : tensor.address + len(bytes_of)] = bytes_of
    assert np.array_equal(image.logits(memory), expected)
