"""What an accuracy table takes from calibration images: attention maps and the integer network.

Both are kept in the folder of the results under a name that tells what they were made from, so that
they are made once. Calibration images are never the evaluation images.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from timm.models.vision_transformer import VisionTransformer

from model.attention.maps import AttentionMaps, average_attention
from model.data.image_folder import ImageFolder
from model.data.preprocessing import Preprocessing
from model.evaluation.evaluation import ProgressBar, digest_of, digest_of_masks
from model.evaluation.table import ALL
from model.files.finished_rows import key_of
from model.integer.network import FORMAT_VERSION, IntegerNetwork
from model.network.shape import Network
from model.quantisation.network import quantise_network
from model.reference.forward import FloatReference
from rtl_gen.errors import UserError
from rtl_gen.files import replace_file


def check_apart(calibration: Path, evaluation: Path) -> None:
    """Raise UserError if calibration images lie in the evaluation folder, or the reverse."""
    if _share_images(calibration, evaluation):
        raise UserError(
            f"calibration images {calibration} and evaluation images {evaluation} overlap: "
            "calibrate on other images than those that judge"
        )


def check_different(folders: Sequence[Path]) -> None:
    """Raise UserError if an image lies in two of the evaluation folders, or names do not tell them
    apart in the table."""
    for first, second in combinations(map(Path.resolve, folders), 2):
        same = first.name == second.name or ALL in {first.name, second.name}
        if same or _share_images(first, second):
            raise UserError(
                f"evaluation images {first} and {second}: expected folders of different names, "
                f"none of them `{ALL}` and none inside another"
            )


def _share_images(first: Path, second: Path) -> bool:
    """Whether the folders are the same or one lies inside the other."""
    first, second = first.resolve(), second.resolve()
    return first.is_relative_to(second) or second.is_relative_to(first)


@dataclass(frozen=True, kw_only=True)
class CalibrationImages:
    """A network, its calibration images, and where files made from them go."""

    network: Network
    model: VisionTransformer
    images: ImageFolder
    seed: int
    batch_size: int
    folder: Path
    bar: ProgressBar

    def attention_maps(self) -> Path:
        """The file of dense attention averaged over the images."""
        path = self._path("maps", {}, ".npz")
        if not path.is_file():
            with self.bar(len(self.images), "attention maps") as advance:
                maps = average_attention(
                    self.network, self.model, self.images, self.batch_size, advance
                )
            with replace_file(path) as file:
                metadata = {
                    "network": self.network.name,
                    "prefix_tokens": self.network.prefix_tokens,
                    "synthetic": False,
                    "preprocessing": self._preprocessing,
                }
                AttentionMaps(maps, metadata).write(file)
        return path

    def integer_network(self, masks: np.ndarray | None = None) -> IntegerNetwork:
        """The network in integers, without and with pruning.

        Ranges are those of the dense network, whatever masks it is run with, or with the masks that
        it was fine-tuned for.
        """
        settings: dict[str, Any] = {"seed": self.seed, "format": FORMAT_VERSION}
        if masks is not None:
            settings["masks"] = digest_of_masks(masks)
        path = self._path("int8", settings, ".safetensors")
        if not path.is_file():
            reference = FloatReference(network=self.network, model=self.model, masks=masks)
            with self.bar(len(self.images), "calibration of int8") as advance:
                integer = quantise_network(
                    reference, self.images, self.batch_size, advance, seed=self.seed
                )
            metadata = {
                "images": len(self.images) - len(self.images.unreadable),
                "images_sha256": self.images.digest(),
            }
            replace(integer, metadata=metadata).save(path)
        return IntegerNetwork.load(path)

    @property
    def _preprocessing(self) -> dict[str, Any]:
        return Preprocessing.of(self.model).as_json()

    def _path(self, kind: str, settings: Mapping[str, Any], suffix: str) -> Path:
        came_from = {
            "weights": digest_of(self.model),
            "preprocessing": self._preprocessing,
            "images": self.images.digest(),
        }
        key = key_of(came_from | dict(settings))
        return self.folder / f"{self.network.name}-{kind}-{key[:12]}{suffix}"
