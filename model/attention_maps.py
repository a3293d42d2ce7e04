"""Averaged attention maps: the statistics that static masks come from.

A map entry is the post-softmax attention of a query to a key, averaged over an image folder. The
network runs in float64, so that neither the batch size nor the number of threads shows in the file.

File format (.npz, two members, no pickles):
    levels    uint16 (layers, heads, n, n): round(-log2(average) * LEVELS_PER_OCTAVE)
    metadata  JSON text: see `AttentionMaps`
"""

import copy
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from model.images import ImageFolder
from model.masks import check_maps
from model.networks import ALL_NETWORKS, ASSETS, Network
from model.reference import FloatReference, LayerTrace
from rtl_gen.errors import UserError

LEVELS_PER_OCTAVE = 2048
"""Step of a stored map: a factor of 2^(1/2048), so that an entry errs by at most 0.02 %."""

SMALLEST = 2.0**-30
"""Averages below this are stored as this."""


@dataclass(frozen=True)
class AttentionMaps:
    """Averaged attention of one network.

    maps: float64 (layers, heads, n, n), rows = queries, each summing to 1
    metadata: network, synthetic (bool), and where they come from
    """

    maps: np.ndarray
    metadata: dict[str, Any]

    @property
    def synthetic(self) -> bool:
        """False for measured maps only."""
        return self.metadata["synthetic"]

    def write(self, file: BinaryIO) -> None:
        """Store the maps compactly; the same maps give the same bytes."""
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
    if str(source) in ALL_NETWORKS:
        path = asset(str(source))
        if not path.is_file():
            raise UserError(
                f"no measured attention maps of {source} come with the project: "
                f"make some with `python -m model attention-maps --model {source} --data DIR`"
            )
    else:
        path = Path(source)
    if not path.is_file():
        raise UserError(
            f"no attention maps {path}: expected a .npz file or one of {', '.join(ALL_NETWORKS)}"
        )
    try:
        levels, metadata = _read_members(path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"attention maps {path} are unreadable ({error}): "
            "expected a file written by `python -m model attention-maps`"
        ) from error
    maps = 2.0 ** (-levels.astype(np.float64) / LEVELS_PER_OCTAVE)
    maps /= maps.sum(axis=-1, keepdims=True)
    check_maps(maps)
    return AttentionMaps(maps, metadata)


def _read_members(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    if not zipfile.is_zipfile(path):
        raise ValueError("no .npz archive")
    with np.load(path, allow_pickle=False) as archive:
        levels, metadata = archive["levels"], json.loads(str(archive["metadata"]))
    if levels.dtype != np.uint16 or not {"network", "synthetic"} <= metadata.keys():
        raise ValueError("other members than expected")
    return levels, metadata
