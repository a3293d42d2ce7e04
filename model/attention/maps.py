"""Averaged attention maps: the statistics that static masks come from.

A map entry is the post-softmax attention of a query to a key, averaged over an image folder. The
network runs in float64, so that neither the batch size nor the number of threads shows in the file.

File format (.npz, two members, no pickles):
    levels    uint16 (layers, heads, n, n): round(-log2(average) * LEVELS_PER_OCTAVE)
    metadata  JSON text: see `AttentionMaps`
"""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from model.data.image_folder import ImageFolder
from model.files.arrays import metadata_of, read_archive, told_as
from model.masks.strategies import check_maps
from model.network.names import ALL_NETWORKS, ASSETS, get_network
from model.network.shape import Network
from model.reference.forward import FloatReference, LayerTrace
from rtl_gen.errors import UserError

LEVELS_PER_OCTAVE = 2048
"""Step of a stored map: a factor of 2^(1/2048), so that an entry errs by at most 0.02 %."""

SMALLEST = 2.0**-30
"""Averages below this are stored as this."""


@dataclass(frozen=True)
class AttentionMaps:
    """Averaged attention of one network.

    maps: float64 (layers, heads, n, n), rows = queries, each summing to 1
    metadata: network, prefix_tokens (1 where it is missing), synthetic (bool), resampled (bool, of
        synthetic ones: of another grid, prefix or depth as well), and where they come from
    """

    maps: np.ndarray
    metadata: dict[str, Any]

    @property
    def synthetic(self) -> bool:
        """False for measured maps only."""
        return self.metadata["synthetic"]

    @property
    def label(self) -> str:
        """What stands for their origin in every table: measured, synthetic or resampled."""
        if not self.synthetic:
            return "measured"
        return "resampled" if self.metadata.get("resampled", False) else "synthetic"

    @property
    def prefix_tokens(self) -> int:
        """Tokens in front that are no patches."""
        return self.metadata.get("prefix_tokens", 1)

    def write(self, file: BinaryIO) -> None:
        """Store the maps compactly; the same maps give the same bytes.

        Raises:
            UserError: maps that are no probabilities.
        """
        check_maps(self.maps)
        levels = np.round(-np.log2(np.maximum(self.maps, SMALLEST)) * LEVELS_PER_OCTAVE)
        text = json.dumps(self.metadata, sort_keys=True)
        np.savez_compressed(file, levels=levels.astype(np.uint16), metadata=np.array(text))


def average_attention(
    network: Network,
    model: VisionTransformer,
    folder: ImageFolder,
    batch_size: int = 16,
    progress: Callable[[int], object] | None = None,
) -> np.ndarray:
    """Dense attention averaged over a folder: float64 (layers, heads, n, n).

    `progress` is called with the number of images of every finished batch.
    """
    total = torch.zeros(network.mask_shape, dtype=torch.float64)
    reference = FloatReference(network=network, model=copy.deepcopy(model).double())

    def add(trace: LayerTrace) -> None:
        total[trace.layer] += trace.probabilities.sum(dim=0)

    count = 0
    for images, _ in folder.batches(model, batch_size):
        reference.forward(images.double(), observe=add)
        count += len(images)
        if progress is not None:
            progress(len(images))
    return (total / count).numpy()


def capture_qkv(
    network: Network, model: VisionTransformer, images: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Dense q, k, v, each float (layers, b, h, n, head_dim), as they leave the QKV linear layer."""
    traces: list[LayerTrace] = []
    FloatReference(network=network, model=model).forward(images, observe=traces.append)
    return (
        torch.stack([trace.q for trace in traces]),
        torch.stack([trace.k for trace in traces]),
        torch.stack([trace.v for trace in traces]),
    )


def asset(name: str) -> Path:
    """Where the project's own maps of a network are, if it has any."""
    return ASSETS / f"{name}.npz"


def load_attention_maps(source: str | Path) -> AttentionMaps:
    """The project's own maps of a network, or those in a .npz file.

    Raises:
        UserError: neither such an asset nor such a file, or a file of another kind.
    """
    path = _maps_file(str(source))
    written_by = "a file written by `sparse-vit attention-maps`"
    with told_as(f"attention maps {path} are", written_by):
        levels, text = read_archive(path, "levels", "metadata")
        metadata = metadata_of(text)
        if levels.dtype != np.uint16 or levels.ndim != 4:
            raise ValueError(f"levels are {levels.dtype} {levels.shape}")
        if not isinstance(metadata.get("network"), str):
            raise ValueError("its metadata name no network")
        if not isinstance(metadata.get("synthetic"), bool):
            raise ValueError("its metadata do not say whether they are synthetic")
        if type(metadata.get("prefix_tokens", 1)) is not int:
            raise ValueError("its metadata name no number of prefix tokens")
        maps = 2.0 ** (-levels.astype(np.float64) / LEVELS_PER_OCTAVE)
        maps /= maps.sum(axis=-1, keepdims=True)
    check_maps(maps)
    return AttentionMaps(maps, metadata)


def _maps_file(source: str) -> Path:
    try:
        name = get_network(source).name
    except UserError:
        path = Path(source)
        if not path.is_file():
            known = ", ".join(ALL_NETWORKS)
            raise UserError(
                f"no attention maps {path}: expected a .npz file or one of {known}"
            ) from None
        return path
    if not asset(name).is_file():
        raise UserError(
            f"no measured attention maps of {name} come with the project: "
            f"make some with `sparse-vit attention-maps --model {name} --data DIR`"
        )
    return asset(name)
