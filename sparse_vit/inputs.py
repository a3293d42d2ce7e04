"""What users hand to the library, checked before any work: each function here raises UserError."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from model.attention.maps import AttentionMaps, load_attention_maps
from model.data.image_folder import ImageFolder
from model.data.pictures import open_picture
from model.masks.strategies import check_maps, check_maps_fit
from model.masks.vitcod_file import check_masks, read_masks
from model.network.names import ALL_NETWORKS, get_network
from model.network.shape import Network
from model.program.choices import preset_for
from model.pruning.schedule import NO_PRUNING, Schedule
from model.pruning.schedule_file import NAMED, schedule_of
from model.weights.load import load_model, stated_name
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.presets import get_config

Maps = AttentionMaps | np.ndarray | Path | str
Masks = np.ndarray | Tensor | Path | str
Picture = Image.Image | Path | str
Model = VisionTransformer | Network | str


def load(
    name: str, weights: Path | str | None = None, preprocessing: str | None = None
) -> VisionTransformer:
    """A timm model with its weights, in evaluation mode.

    A model from `timm.create_model` does as well.

    Args:
        name: one of the project's networks ("deit_tiny") or timm's name of weights that fit one.
        weights: safetensors or torch state dict; default: timm's pretrained ones, by internet, or
            those that come with the project.
        preprocessing: timm's name of the weights in the file, where the file does not tell.

    Raises:
        UserError: an unknown name, or weights that cannot be had or do not fit.
    """
    path = None if weights is None else Path(weights)
    return load_model(get_network(name), path, stated_name(name, path, preprocessing))


def network_of(model: Model) -> Network:
    """The shape of a timm model, or of a name."""
    if isinstance(model, Network):
        return model
    if isinstance(model, str):
        return get_network(model)
    if not isinstance(model, VisionTransformer):
        raise UserError(f"a {type(model).__name__} is no network: expected a timm model or a name")
    made_by: dict[str, Any] = getattr(model, "pretrained_cfg", None) or {}
    shape = Network.from_timm(model, made_by.get("architecture") or "network")
    named = (one for one in ALL_NETWORKS.values() if replace(shape, name=one.name) == one)
    return next(named, shape)


@contextmanager
def evaluating(model: VisionTransformer) -> Iterator[VisionTransformer]:
    """The model in evaluation mode, which `timm.create_model` does not leave it in."""
    if not isinstance(model, VisionTransformer):
        raise UserError(f"a {type(model).__name__} is no model: expected a timm model")
    training = model.training
    model.eval()
    try:
        yield model
    finally:
        model.train(training)


def config_of(preset: AcceleratorConfig | str | None, network: Network) -> AcceleratorConfig:
    """A configuration, that of a preset, or of the first preset with lanes as wide as the heads."""
    if isinstance(preset, AcceleratorConfig):
        return preset
    return get_config(preset or preset_for(network))


def averages(maps: Maps) -> AttentionMaps | np.ndarray:
    """The maps of a file or a built-in network, where such is named, else `maps` themselves."""
    return load_attention_maps(maps) if isinstance(maps, Path | str) else maps


def maps_array(maps: Maps, network: Network | None = None) -> np.ndarray:
    """Averaged attention, float (layers, heads, n, n)."""
    given = averages(maps)
    array = given.maps if isinstance(given, AttentionMaps) else given
    if not isinstance(array, np.ndarray):
        raise UserError(f"attention maps are a {type(maps).__name__}: expected an array")
    check_maps(array)
    if network is not None:
        check_maps_fit(array, network)
    return array


def masks_array(masks: Masks | None, network: Network) -> np.ndarray | None:
    """Kept entries, bool (layers, heads, n, n), of an array or of a ViTCoD mask file."""
    if masks is None:
        return None
    if isinstance(masks, Path | str):
        return read_masks(Path(masks), network)
    array = masks.numpy(force=True) if isinstance(masks, Tensor) else masks
    if not isinstance(array, np.ndarray):
        raise UserError(f"masks are a {type(masks).__name__}: expected an array or a file")
    check_masks(array, network)
    return array


def schedule_for(schedule: Schedule | Path | str | None, network: Network) -> Schedule:
    """A schedule that the network can have, also by its name or from a file; None: no pruning.

    One that has a name, such as Schedule.paper(), is meant for DeiT and is fitted to the depth.
    """
    if schedule is None:
        return NO_PRUNING
    if isinstance(schedule, Path | str):
        return schedule_of(str(schedule), network)
    if not isinstance(schedule, Schedule):
        raise UserError(
            f"the schedule is a {type(schedule).__name__}: expected one such as Schedule.paper()"
        )
    if schedule in NAMED.values():
        schedule = schedule.fitted(network)
    schedule.layer_tokens(network)
    return schedule


def image_folder(images: ImageFolder | Path | str, limit: int | None = None) -> ImageFolder:
    """Pictures at any depth of a folder, without labels; at most `limit`, evenly spread."""
    if isinstance(images, ImageFolder):
        return images
    return ImageFolder(Path(images), limit, labelled=False)


def opened(pictures: Picture | Sequence[Picture]) -> list[Image.Image]:
    """Pictures of a file or a folder, upright, or those that were opened already."""
    if isinstance(pictures, Image.Image):
        return [pictures]
    if isinstance(pictures, Path | str):
        path = Path(pictures)
        if not path.is_dir():
            return [open_picture(path, upright=True)]
        return [open_picture(file, upright=True) for file, _ in image_folder(path).files]
    if not isinstance(pictures, Sequence):
        raise UserError(
            f"pictures are a {type(pictures).__name__}: expected a file, a folder, a PIL image or "
            "a list of them"
        )
    return [picture for one in pictures for picture in opened(one)]
