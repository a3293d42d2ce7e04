"""What a user chooses of a run: network, pruning and input, from files or from a seed."""

from pathlib import Path

from PIL import Image
from timm.data import create_transform
from torch import Tensor

from model.data.digits import held_back_digit
from model.data.pictures import open_picture
from model.data.preprocessing import COLOURS, Preprocessing
from model.integer.forward import patches_of
from model.integer.network import IntegerNetwork
from model.integer.random_network import random_network, random_patches
from model.network.fit import check_fit, fitting_presets
from model.network.names import ASSETS, VIT_DIGITS, timm_name
from model.network.shape import Network
from rtl_gen.errors import UserError
from rtl_gen.presets import PRESETS

DIGIT = "digits:"
"""Before the number of a held-back digit, in place of a picture's file name."""


def shipped_integers(network: Network) -> Path | None:
    """The calibrated network that comes with the project."""
    path = ASSETS / f"{network.name}-int8.safetensors"
    return path if path.is_file() else None


def preset_for(network: Network) -> str:
    """The first preset with the narrowest lanes that hold the network.

    Raises:
        UserError: none does.
    """
    fitting = fitting_presets(network)
    if not fitting:
        check_fit(PRESETS["large"], network)
    return fitting[0]


def integer_network(network: Network, file: Path | None, seed: int) -> IntegerNetwork:
    """The calibrated network of a file, else the project's own, else a random one."""
    file = file or shipped_integers(network)
    if file is None:
        return random_network(network, seed)
    integers = IntegerNetwork.load(file)
    if integers.shape != network:
        raise UserError(f"{file} is a {integers.shape.name}, expected a {network.name}")
    return integers


def chosen_picture(network: Network, source: str | None) -> Image.Image | None:
    """The picture that the input is made of; None stands for random patches.

    `source` is a file, which is turned upright, or, after `DIGIT`, the number of a held-back digit,
    by default of the first one if that is what the network is for.
    """
    number = digit_number(network, source)
    if number is not None:
        return held_back_digit(number)[0]
    return None if source is None else open_picture(source, upright=True)


def input_patches(integers: IntegerNetwork, picture: Image.Image | None, seed: int) -> Tensor:
    """Patches (1, patches, K) of a picture as timm evaluates it for a network, or random ones."""
    if picture is None:
        return random_patches(integers.shape, 1, seed)
    return picture_patches(integers, picture)


def digit_number(network: Network, source: str | None) -> int | None:
    """The held-back digit that `source`, as `chosen_picture` takes it, stands for."""
    if source is None:
        return 0 if network == VIT_DIGITS else None
    if not source.startswith(DIGIT):
        return None
    number = source.removeprefix(DIGIT)
    if not number.isdecimal():
        raise UserError(f"picture {source}: expected {DIGIT}17 or alike, or an image file")
    return int(number)


def picture_patches(integers: IntegerNetwork, picture: Image.Image) -> Tensor:
    """Patches (1, patches, K) of a picture as timm evaluates it, by the network's preprocessing.

    A network without any, whose weights are random, takes that of its name.
    """
    network = integers.shape
    preprocessing = integers.preprocessing or Preprocessing.named(timm_name(network))
    size = (COLOURS, *network.image_size)
    transform = create_transform(input_size=size, **preprocessing.model_dump())
    pixels = preprocessing.pixels(transform(picture.convert("RGB")))
    return patches_of(network, pixels[None])
