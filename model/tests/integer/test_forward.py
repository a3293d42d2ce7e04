"""The whole network's golden model against the document's formulas, its file, and its parts."""

import dataclasses
import json
import math
import random

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from cocotb_tests.harness.compare import assert_equal
from model.integer.forward import forward, layer_norm, linear, patches_of, square_root, trace
from model.integer.network import FORMAT_VERSION, IntegerNetwork, Linear, Norm
from model.integer.random_network import random_network, random_patches
from model.network.names import DEIT_TINY
from model.network.readout import FinalNorm, Readout
from model.network.shape import Network
from model.tests import network_formulas as formulas
from rtl_gen.errors import UserError
from rtl_gen.numerics import Scale

TINY = Network(
    name="tiny", heads=2, head_dim=8, layers=3, grid=(4, 4), patch=(2, 2), classes=5, mlp_ratio=2
)
SMALL = Network(
    name="small", heads=3, head_dim=16, layers=2, grid=(5, 5), patch=(4, 4), classes=7, mlp_ratio=2
)
DEEP = dataclasses.replace(TINY, layers=6, grid=(3, 3))
NARROW = Network(
    name="narrow",
    heads=3,
    head_dim=5,
    layers=2,
    grid=(3, 4),
    patch=(2, 3),
    classes=4,
    mlp_ratio=1.4,
)
DISTILLED = {"readout": Readout.DISTILLED, "prefix_tokens": 2}
MEAN, OF_ALL = {"readout": Readout.MEAN}, {"readout": Readout.MEAN_OF_ALL}
AFTER, NONE = {"final_norm": FinalNorm.AFTER_READOUT}, {"final_norm": FinalNorm.NONE}


def random_masks(shape: Network, seed: int, density: float) -> Tensor:
    masks = torch.rand(shape.mask_shape, generator=torch.Generator().manual_seed(seed)) < density
    masks[..., 0, :] = masks[..., 0] = True
    return masks


@pytest.mark.parametrize(
    ("shape", "seed", "density", "keep"),
    [
        (TINY, 1, 1.0, [None, None, None]),
        (TINY, 2, 0.3, [17, 9, 1]),
        (SMALL, 3, 0.2, [20, 7]),
        (DEEP, 4, 0.5, [None, 8, 8, 5, None, 2]),
        *(
            (dataclasses.replace(NARROW, **choices), seed, 0.6, keep)
            for seed, (choices, keep) in enumerate(
                [
                    ({"prefix_tokens": 5}, [None, 6]),
                    ({"pre_norm": True, "classes": 0}, [9, 4]),
                    (DISTILLED, [None, 2]),
                    (DISTILLED | NONE | {"pre_norm": True, "classes": 0}, [7, 7]),
                    (NONE, [None, 5]),
                    (MEAN | {"prefix_tokens": 0}, [7, 5]),
                    (MEAN | {"prefix_tokens": 3, "pre_norm": True}, [None, 6]),
                    (MEAN | AFTER | {"prefix_tokens": 0}, [4, 1]),
                    (MEAN | AFTER | {"prefix_tokens": 2}, [None, None]),
                    (MEAN | NONE | {"prefix_tokens": 5, "classes": 0}, [11, 6]),
                    (OF_ALL | {"prefix_tokens": 2}, [8, 2]),
                    (OF_ALL | AFTER, [None, 7]),
                ],
                start=5,
            )
        ),
    ],
)
def test_network_equals_the_formulas(shape, seed, density, keep):
    network = random_network(shape, seed)
    patches = random_patches(shape, 2, seed)
    masks = random_masks(shape, seed, density)
    actual = trace(network, patches, masks, keep)
    parameters = {name: tensor.tolist() for name, tensor in network.tensors().items()}
    for image in range(2):
        expected = formulas.network(
            parameters,
            shape,
            patches[image].tolist(),
            masks.tolist(),
            keep,
        )
        for name, rows in expected.items():
            check(f"image {image}, {name}", tensor_of(actual, name)[image], rows)
        for index in range(shape.layers):
            survivors = actual[f"layers.{index}.survivors"][image].nonzero().flatten()
            assert_equal("survivors", survivors, list(expected[f"layers.{index}.x_out"]))


def tensor_of(traced: dict[str, Tensor], name: str) -> Tensor:
    """(b, n, channels) or (b, channels); of q, k and v the head that the name ends with."""
    if name in traced:
        tensor = traced[name]
        return tensor[..., None] if name.endswith("importance") else tensor
    name, head = name.rsplit(".", 1)
    return traced[name][:, int(head)]


def check(name: str, actual: Tensor, rows: dict[int, list[int]] | list[int]) -> None:
    """Rows of dropped tokens are 0."""
    if isinstance(rows, dict):
        width = actual.shape[-1]
        rows = [rows.get(j, [0] * width) for j in range(len(actual))]
    assert_equal(name, actual, rows)


def test_random_networks_use_their_formats():
    """What a random network shows is neither stuck at 0 nor saturated."""
    network = random_network(SMALL, 5)
    for name, tensor in trace(network, random_patches(SMALL, 4, 6)).items():
        if not name.endswith(("live", "survivors", "importance", "patches")):
            bits = 16 if name.endswith(("embedding", "x_mid", "x_out", "logits")) else 8
            largest = (1 << (bits - 1)) - 1
            assert (tensor.abs() >= largest).double().mean() < 0.1, name
            assert tensor.double().std() > largest / 20, name


@pytest.mark.parametrize("dim", [1, 8, 48, 177, 192, 768])
def test_layer_norm(dim):
    rng = random.Random(dim)
    rows = [
        [0] * dim,
        [32767] * dim,
        [-32768] * dim,
        ([32767, -32768] * dim)[:dim],
        [0] * (dim - 1) + [1],
        [32767] * (dim - 1) + [32766],
        [-32768] * (dim - 1) + [32767],
        *([rng.randint(-n, n) for _ in range(dim)] for n in (1, 3, 100, 5000, 32767)),
    ]
    shifts = [rng.randrange(8) for _ in range(dim)]
    for factor in (dim * 2.0, dim / 16 / 0.02, dim * 60 / 16):
        scale = Scale.nearest(min(factor, 16000.0))
        norm = Norm(scale, torch.tensor(shifts, dtype=torch.uint8))
        expected = [formulas.layer_norm(row, scale, shifts) for row in rows]
        assert_equal("norm", layer_norm(norm, torch.tensor(rows)), expected)
        plain = [formulas.plain_norm(row, scale, shifts) for row in rows]
        assert_equal("plain norm", layer_norm(norm, torch.tensor(rows), plain=True), plain)


def test_layer_norm_is_close_to_float():
    step = 1 / 32
    generator = torch.Generator().manual_seed(1)
    x = (torch.randn(50, 192, generator=generator, dtype=torch.float64) * 700 + 90).round().long()
    shifts = torch.randint(0, 3, (192,), generator=generator)
    norm = Norm(Scale.nearest(192 / 16 / step), shifts.to(torch.uint8))
    expected = torch.nn.functional.layer_norm(x.double(), (192,), eps=0) / (step * 2.0**shifts)
    assert (layer_norm(norm, x) - expected.clamp(-128, 127)).abs().max() < 0.5 + 0.02


def test_square_root():
    rng = random.Random(2)
    roots = [*range(300), *(rng.randrange(1 << 26) for _ in range(300)), 1 << 25, (1 << 26) - 1]
    roots += [*(rng.randrange(1 << 26, 1 << 31) for _ in range(300)), 1 << 30, (1 << 31) - 1]
    values = [max(root * root + offset, 0) for root in roots for offset in (-1, 0, 1)]
    assert_equal("root", square_root(torch.tensor(values)), [math.isqrt(x) for x in values])


@pytest.mark.parametrize("inputs", [1, 768, 1024, 1025, 3072])
def test_linear_is_exact_for_long_sums(inputs):
    """Sums near the largest, of which the bias leaves the last bits to be seen."""
    generator = torch.Generator().manual_seed(inputs)
    x = torch.randint(110, 128, (40, inputs), generator=generator)
    weight = torch.randint(110, 128, (40, inputs), generator=generator)
    layer = Linear(
        weight.to(torch.int8),
        -(weight * x).sum(dim=1).to(torch.int32),
        torch.full((40,), (1 << 16) - 1, dtype=torch.int32),
        torch.full((40,), 16, dtype=torch.uint8),
    )
    parameters = {
        f"layer.{field.name}": getattr(layer, field.name).tolist()
        for field in dataclasses.fields(layer)
    }
    for bits in (8, 16):
        expected = [formulas.linear(parameters, "layer", row, bits) for row in x[:8].tolist()]
        assert_equal(f"{bits} bits", linear(layer, x[:8], bits), expected)


def test_patches_are_in_the_order_of_the_embedding():
    """Row by row over the image; within a patch colour, then line, then column."""
    shape = dataclasses.replace(TINY, grid=(2, 3), patch=(2, 2))
    pixels = torch.randint(0, 256, (2, 3, 4, 6), generator=torch.Generator().manual_seed(3))
    expected = [
        [
            [
                int(image[colour, 2 * row + y, 2 * column + x]) - 128
                for colour in range(3)
                for y in range(2)
                for x in range(2)
            ]
            for row in range(2)
            for column in range(3)
        ]
        for image in pixels
    ]
    assert_equal("patches", patches_of(shape, pixels.to(torch.uint8)), expected)


def test_numbers_outside_their_formats_are_refused():
    good = random_network(TINY, 7).parameters.classifier
    with pytest.raises(ValueError, match="multiplier"):
        dataclasses.replace(good, multiplier=good.multiplier // 2)
    with pytest.raises(ValueError, match="shift"):
        dataclasses.replace(good, shift=torch.zeros_like(good.shift))
    with pytest.raises(ValueError, match="accumulator"):
        dataclasses.replace(good, bias=torch.full_like(good.bias, (1 << 31) - 1))
    with pytest.raises(ValueError, match="weight has dtype"):
        dataclasses.replace(good, weight=good.weight.long())
    with pytest.raises(ValueError, match="channel_shift"):
        Norm(Scale(1 << 15, 5), torch.tensor([8], dtype=torch.uint8))


@pytest.mark.parametrize(
    "changes",
    [{}, {"pre_norm": True, "classes": 0}, MEAN | {"prefix_tokens": 0}, DISTILLED | NONE],
)
def test_file_round_trip(tmp_path, changes):
    shape = dataclasses.replace(TINY, **changes)
    network = dataclasses.replace(random_network(shape, 8), logit_step=0.125)
    network.save(tmp_path / "a")
    loaded = IntegerNetwork.load(tmp_path / "a")
    assert loaded.shape == shape
    assert loaded.logit_step == 0.125
    assert loaded.digest() == network.digest() != random_network(shape, 9).digest()
    parts = loaded.parameters.pre_norm, loaded.parameters.mean
    assert [part is not None for part in parts] == [shape.pre_norm, shape.pools]
    for name, tensor in network.tensors().items():
        assert_equal(name, loaded.tensors()[name], tensor)
    patches = random_patches(shape, 2, 10)
    assert_equal("logits", forward(loaded, patches), forward(network, patches))
    loaded.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_bad_files(tmp_path):
    path = tmp_path / "network"
    with pytest.raises(UserError, match="no integer network"):
        IntegerNetwork.load(path)
    random_network(TINY, 8).save(path)
    good = path.read_bytes()
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    other_version = good.replace(*(f'\\"version\\": {v}'.encode() for v in (FORMAT_VERSION, 9)))
    for data, message in (
        (b"not a network", "unreadable"),
        (good[:-3], "unreadable"),
        (flipped, "damaged"),
        (other_version, "format version 9"),
    ):
        assert data != good
        path.write_bytes(data)
        with pytest.raises(UserError, match=message):
            IntegerNetwork.load(path)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "{",
        "[1]",
        "null",
        "[" * 100_000,
        json.dumps({"version": FORMAT_VERSION}),
        json.dumps({"sha256": "", "version": FORMAT_VERSION}),
    ],
)
def test_headers_of_other_contents(tmp_path, header):
    path = tmp_path / "network"
    save_file({"initial": torch.zeros(2)}, path, {"integer_network": header})
    with pytest.raises(UserError, match=r"integer network .* is damaged: its ") as caught:
        IntegerNetwork.load(path)
    assert "\n" not in str(caught.value)


def test_a_layer_of_deit_tiny_runs():
    """Its full shape: 197 tokens, 768 inputs, 1000 classes."""
    network = random_network(dataclasses.replace(DEIT_TINY, layers=1), 11)
    logits = forward(network, random_patches(DEIT_TINY, 1, 12))
    assert logits.shape == (1, 1000)
    assert logits.double().std() > 1000
