"""Small files that every command takes, made or taken from what comes with the project."""

import io
import json
from functools import cache

import numpy as np
import safetensors.torch
from PIL import Image

from cocotb_tests.fuzz.attempts import Node
from model.network.names import ASSETS, VIT_DIGITS
from sim_models.sweeps.energy import DEFAULT_TABLE

NETWORK = VIT_DIGITS.name

SCHEDULE = {"network": NETWORK, "kept": [49, 40, 30, 20], "placement": "after_attention"}

SWEEP = {"networks": [NETWORK], "presets": ["small"], "sparsities": [0.5], "seeds": [0]}

FOLDER = "data"
"""Of the images."""


@cache
def maps() -> bytes:
    return (ASSETS / f"{NETWORK}.npz").read_bytes()


@cache
def weights() -> bytes:
    return (ASSETS / f"{NETWORK}.safetensors").read_bytes()


@cache
def weight_tensors() -> dict:
    """In a fixed order: that of the library differs from run to run."""
    return dict(sorted(safetensors.torch.load(weights()).items()))


@cache
def integers() -> bytes:
    return (ASSETS / f"{NETWORK}-int8.safetensors").read_bytes()


@cache
def scores() -> bytes:
    levels = np.random.default_rng(1).integers(-500, 500, VIT_DIGITS.mask_shape, dtype=np.int16)
    return archive(levels=levels, metadata=np.array(json.dumps({"network": NETWORK})))


@cache
def dropped() -> np.ndarray:
    """What a mask file holds: about half of the entries, none of the diagonal and of CLS."""
    entries = np.random.default_rng(0).random(VIT_DIGITS.mask_shape) < 0.5
    entries[..., 0, :] = entries[..., 0] = False
    entries[..., np.arange(VIT_DIGITS.tokens), np.arange(VIT_DIGITS.tokens)] = False
    return entries


@cache
def masks() -> bytes:
    return array(dropped())


@cache
def energy() -> bytes:
    return DEFAULT_TABLE.read_bytes()


def schedule() -> bytes:
    return json.dumps(SCHEDULE).encode()


def sweep() -> bytes:
    return json.dumps(SWEEP).encode()


@cache
def images() -> dict[str, bytes | Node]:
    """Three pictures of noise in class folders."""
    files: dict[str, bytes | Node] = {FOLDER: Node.FOLDER}
    for label in range(3):
        size = VIT_DIGITS.image_size[0]
        pixels = np.random.default_rng(label).integers(0, 256, (size, size, 3), dtype=np.uint8)
        files[f"{FOLDER}/{label}/picture.png"] = picture(Image.fromarray(pixels), "png")
    return files


def array(values: np.ndarray, *, version: tuple[int, int] = (1, 0), pickled: bool = False) -> bytes:
    """A .npy file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, values, version, allow_pickle=pickled)
    return file.getvalue()


def archive(**members: np.ndarray) -> bytes:
    """A .npz file."""
    file = io.BytesIO()
    np.savez_compressed(file, **members)
    return file.getvalue()


def picture(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
