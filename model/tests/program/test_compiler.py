"""What the compiler of networks and its images refuse: masks, counts, inputs, numbers too large."""

import dataclasses

import numpy as np
import pytest
import torch

from model.integer.attention import HeadScales
from model.integer.attention_layers import AttentionLayer
from model.integer.random_network import random_network, random_patches
from model.network.readout import Readout
from model.network.shape import Network
from model.program.attention_layers import compile_layers
from model.program.compiler import compile_network
from model.program.memory_image import ImageBuilder, pack_rows
from rtl_gen.control.commands import Opcode
from rtl_gen.errors import UserError
from rtl_gen.interfaces.program import command_layout
from rtl_gen.interfaces.targets import Target
from rtl_gen.numerics import Scale
from rtl_gen.presets import get_config

TINY = get_config("tiny")
SHAPE = Network(name="some", heads=2, layers=2, head_dim=8, grid=(2, 4), patch=(2, 4), classes=11)
NETWORK = random_network(SHAPE, 1)
MASKS = torch.ones(SHAPE.mask_shape, dtype=torch.bool)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (MASKS[:1], r"shape \(1, 2, 9, 9\): expected \(2, 2, 9, 9\) for some"),
        (MASKS[:, :1], r"shape \(2, 1, 9, 9\)"),
        (MASKS[..., :8, :8], r"shape \(2, 2, 8, 8\)"),
        (MASKS.int(), "has type int32: expected bool"),
        (~MASKS, "keeps nothing in layer 0, head 0, row 0"),
    ],
)
def test_masks_of_another_network(masks, message):
    with pytest.raises(UserError, match=message):
        compile_network(TINY, NETWORK, masks, [None, None])


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ([None], "1 counts of kept tokens: some has 2 layers"),
        ([None, None, 3], "3 counts of kept tokens"),
        ([None, 0], "layer 1 keeps 0 tokens: expected 1 to 9"),
        ([10, None], "layer 0 keeps 10 tokens"),
    ],
)
def test_counts_of_kept_tokens(keep, message):
    with pytest.raises(UserError, match=message):
        compile_network(TINY, NETWORK, MASKS, keep)


@pytest.mark.parametrize(
    ("changes", "fewest"),
    [
        ({"prefix_tokens": 5}, 5),
        ({"readout": Readout.DISTILLED, "prefix_tokens": 2}, 2),
        ({"readout": Readout.MEAN, "prefix_tokens": 0}, 1),
        ({"readout": Readout.MEAN, "prefix_tokens": 3}, 4),
        ({"readout": Readout.MEAN_OF_ALL, "prefix_tokens": 3}, 3),
    ],
)
def test_prefix_and_a_token_to_average_stay(changes, fewest):
    network = random_network(dataclasses.replace(SHAPE, **changes), 1)
    masks = torch.ones(network.shape.mask_shape, dtype=torch.bool)
    assert compile_network(TINY, network, masks, [None, fewest])
    with pytest.raises(UserError, match=f"layer 1 keeps {fewest - 1} tokens: expected {fewest} to"):
        compile_network(TINY, network, masks, [None, fewest - 1])


def test_input_has_the_image_s_shape_and_format():
    image = compile_network(TINY, NETWORK, MASKS, [None, None])
    patches = random_patches(SHAPE, 1, 2)
    data = image.with_patches(patches)
    changed = np.flatnonzero(data != image.data)
    (place,) = image.inputs
    assert place.address <= changed.min() <= changed.max() < place.address + patches.numel()
    for wrong in (patches[:, 1:], patches[..., :-8], torch.cat([patches, patches]), patches[0]):
        with pytest.raises(UserError, match=r"this image takes \(1, 8, 24\)"):
            image.with_patches(wrong)
    for value in (128, -129):
        wrong = patches.clone()
        wrong[0, 3, 4] = value
        with pytest.raises(UserError, match="expected whole numbers from -128 to 127"):
            image.with_patches(wrong)


def test_every_core_has_a_place_for_its_picture():
    """Of a batch that is not full, the other places stay as they are."""
    config = dataclasses.replace(TINY, cores=4)
    image = compile_network(config, NETWORK, MASKS, [None, None])
    patches = random_patches(SHAPE, 3, 2)
    changed = np.flatnonzero(image.with_patches(patches) != image.data)
    for place, picture in zip(image.inputs, [*patches, torch.zeros(8, 24)], strict=True):
        inside = (place.address <= changed) & (changed < place.address + 8 * place.pitch)
        assert inside.sum() == np.count_nonzero(picture.numpy())
    with pytest.raises(UserError, match=r"takes \(1, 8, 24\) or .* or \(4, 8, 24\)"):
        image.with_patches(random_patches(SHAPE, 5, 2))
    assert torch.equal(image.filled(patches)[:3], patches)
    assert image.filled(patches).shape == (4, 8, 24)
    loads = [c for c in image.commands if c["opcode"] == Opcode.LOAD and "core" in c]
    assert [(load["one_core"], load["core"]) for load in loads] == [(1, c) for c in range(4)]
    assert [tensor.core for tensor in image.stored] == [0, 1, 2, 3]


def test_a_program_for_one_core_says_nothing_of_cores():
    single = compile_network(TINY, NETWORK, MASKS, [None, None])
    assert not any("core" in command for command in single.commands)
    assert "core" not in dict(command_layout(TINY))
    digests = [dataclasses.replace(TINY, cores=cores).digest() for cores in (1, 2, 4)]
    assert digests[0] == "bcbf7d8d528ce20e", "older programs for one core are refused"
    assert len(set(digests)) == 3


@pytest.mark.parametrize("cores", [1, 4])
def test_halt_has_the_sum_of_all_but_the_pictures(cores):
    config = dataclasses.replace(TINY, cores=cores)
    image = compile_network(config, NETWORK, MASKS, [None, None])
    data = image.with_patches(random_patches(SHAPE, cores, 2)).tobytes()
    covered, end = b"", 0
    for place in image.inputs:
        begin = place.address - SHAPE.prefix_tokens * place.pitch
        covered += data[end:begin]
        end = begin + SHAPE.tokens * place.pitch
    covered += data[end:]
    # The bits of Ethernet's CRC, one by one.
    register = 0xFFFF_FFFF
    for byte in covered[:-4]:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xEDB8_8320 if register & 1 else 0)
    assert int.from_bytes(covered[-4:], "little") == register ^ 0xFFFF_FFFF


def test_patches_of_odd_sizes_lie_in_whole_rows():
    """9 inputs in rows of 8, behind a prefix of three tokens; what fills the rows stays 0."""
    shape = dataclasses.replace(SHAPE, patch=(1, 3), prefix_tokens=3)
    masks = torch.ones(shape.mask_shape, dtype=torch.bool)
    image = compile_network(TINY, random_network(shape, 1), masks, [None, None])
    patches = torch.full((1, 8, 9), -7)
    written = image.with_patches(patches) != image.data
    begin, pitch = image.inputs[0].address, image.inputs[0].pitch
    assert pitch == 16
    expected = [begin + pitch * patch + k for patch in range(8) for k in range(9)]
    assert np.flatnonzero(written).tolist() == expected


def test_rows_beyond_int8():
    assert pack_rows(TINY, torch.tensor([[-128, 127]])) == b"\x80\x7f" + bytes(6)
    with pytest.raises(UserError, match="rows hold -128 to 128"):
        pack_rows(TINY, torch.tensor([[-128, 128]]))


def test_commands_beyond_their_fields():
    builder = ImageBuilder(TINY)
    with pytest.raises(UserError, match=r"command\.slices = 16: its field holds 0 to 15"):
        builder.emit(Opcode.LINEAR, slices=16)
    with pytest.raises(UserError, match=r"command\.count = 256"):
        builder.load(Target.HIDDEN, bytes(256 * TINY.width), barrier=True)


def test_attention_layers_with_masks_of_other_heads():
    q, k, v = torch.randint(-128, 128, (3, 2, 5, 8), generator=torch.Generator().manual_seed(1))
    scales = (HeadScales(Scale.nearest(0.1), Scale.nearest(1.0)),) * 2
    mask = torch.ones((2, 5, 5), dtype=torch.bool)
    for wrong in (mask[:1], mask[:, :4], mask.int()):
        with pytest.raises(UserError, match=r"layer 0: mask of shape .* expected bool \(2, 5, 5\)"):
            compile_layers(TINY, 5, [AttentionLayer(q, k, v, wrong, scales)])
    assert compile_layers(TINY, 5, [AttentionLayer(q, k, v, mask, scales)]).stored
