"""Image folders in ImageNet's layout: one folder a class, named by its wnid or class number."""

import copy
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from timm.data import ImageNetInfo, create_transform, resolve_model_data_config
from torch import Tensor, nn

from rtl_gen.errors import UserError

SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".webp"})

UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises for a file that is no picture, or a broken one."""


@dataclass
class ImageFolder:
    """The images below `root` in the order of their paths, with class indices 0 to 999.

    Images that turn out unreadable while batches are drawn are left out and listed in `unreadable`.

    Raises:
        UserError: no such folder, no images in it, or a class folder of unknown name.
    """

    root: Path
    limit: int | None = None
    """Use at most so many images, spread evenly over the folder."""
    files: list[tuple[Path, int]] = field(init=False)
    unreadable: list[Path] = field(init=False, default_factory=list)
    _digest: str | None = field(init=False, default=None, repr=False, compare=False)

    def __post_init__(self):
        if self.limit is not None and self.limit < 1:
            raise UserError(f"limit = {self.limit}: expected at least one image")
        try:
            folders = sorted(path for path in self.root.iterdir() if path.is_dir())
            files = [
                (path, class_index(folder))
                for folder in folders
                if not folder.name.startswith(".")
                for path in sorted(folder.iterdir())
                if path.suffix.lower() in SUFFIXES
            ]
        except OSError as error:
            raise UserError(
                f"image folder {self.root} is unreadable ({error.strerror}): "
                "name a folder of class folders"
            ) from error
        if not files:
            raise UserError(
                f"image folder {self.root} has no images: expected class folders named by wnid "
                f"(n01440764) or class number, with files {', '.join(sorted(SUFFIXES))}"
            )
        count = min(self.limit or len(files), len(files))
        self.files = [files[i * len(files) // count] for i in range(count)]

    def __len__(self) -> int:
        return len(self.files)

    def subset(self, positions: Iterable[int]) -> "ImageFolder":
        """The images at some positions of `files`, in this folder's order."""
        part = copy.copy(self)
        part.files = [self.files[position] for position in sorted(positions)]
        part.unreadable, part._digest = [], None
        return part

    def digest(self) -> str:
        """SHA-256 over names and contents of all files, read when it is first asked for."""
        if self._digest is None:
            digest = hashlib.sha256()
            for path, _ in self.files:
                digest.update(path.relative_to(self.root).as_posix().encode())
                digest.update(path.read_bytes())
            self._digest = digest.hexdigest()
        return self._digest

    def batches(self, model: nn.Module, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Float images (b, 3, h, w) as `model` expects them, and class indices (b,), b <= size.

        Raises:
            UserError: no image at all could be read.
        """
        transform = evaluation_transform(model)
        self.unreadable.clear()
        for first in range(0, len(self.files), size):
            images, labels = [], []
            for path, label in self.files[first : first + size]:
                try:
                    picture = open_picture(path)
                except UNREADABLE:
                    self.unreadable.append(path)
                    continue
                images.append(transform(picture))
                labels.append(label)
            if images:
                yield torch.stack(images), torch.tensor(labels)
        if len(self.unreadable) == len(self.files):
            raise UserError(f"none of the {len(self.files)} images in {self.root} can be read")


def open_picture(path: Path | str) -> Image.Image:
    """A picture file in RGB; raises one of `UNREADABLE`."""
    with Image.open(path) as image:
        return image.convert("RGB")


def evaluation_transform(model: nn.Module) -> Callable[[Image.Image], Tensor]:
    """timm's own evaluation transform for a model: resize, centre crop, normalise."""
    return create_transform(**resolve_model_data_config(model), is_training=False)


def class_index(folder: Path) -> int:
    """Class index of a folder that is named by a wnid or a number from 0 to 999."""
    name = folder.name
    classes = len(_IMAGENET.label_names())
    if re.fullmatch(r"\d{1,4}", name) and int(name) < classes:
        return int(name)
    if name in _WNIDS:
        return _WNIDS[name]
    raise UserError(
        f"class folder {folder}: expected a wnid of ImageNet's 1,000 classes (n01440764) or a "
        f"number from 0 to {classes - 1}"
    )


_IMAGENET = ImageNetInfo()
_WNIDS = {wnid: index for index, wnid in enumerate(_IMAGENET.label_names())}
