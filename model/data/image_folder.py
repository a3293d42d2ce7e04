"""Image folders: the pictures below a folder, with classes where its layout gives them."""

import copy
import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import torch
from PIL import Image
from timm.data import create_transform
from torch import Tensor, nn

from model.data.labels import CLASS_WORDS, class_of, read_labels
from model.data.picture_files import SUFFIXES, LeftOut, examples, find_pictures
from model.data.pictures import PictureError, open_picture
from model.data.preprocessing import picture_settings
from rtl_gen.errors import InputWarning, UserError

_BLOCK = 1 << 20
"""Bytes that are hashed at a time."""


@dataclass
class ImageFolder:
    """The images below `root` in the order of their paths.

    Where `labelled`, they have class indices 0 to 999: from a file of `labels`, see
    `model.data.labels`, or from class folders that they lie below, named by wnid or class number.
    Otherwise, and with a file of labels, they lie anywhere, in folders of any name; without
    labels they have no class.

    Files that cannot be opened are skipped with a warning, before anything is read. Images that
    turn out unreadable while batches are drawn are left out and listed in `unreadable`. Pictures
    are not turned as their EXIF orientation says: so does timm.

    Raises:
        UserError: no such folder, no images in it, a class folder of unknown name, or a file of
            labels that is none.
    """

    root: Path
    limit: int | None = None
    """Use at most so many images, spread evenly over the folder."""
    labelled: bool = field(default=True, kw_only=True)
    labels: Path | None = field(default=None, kw_only=True)
    """File of the images' classes; without it their folders name them."""
    files: list[tuple[Path, int | None]] = field(init=False)
    unreadable: list[LeftOut] = field(init=False, default_factory=list)
    _digest: str | None = field(init=False, default=None, repr=False, compare=False)

    def __post_init__(self):
        if self.limit is not None and self.limit < 1:
            raise UserError(f"limit = {self.limit}: expected at least one image")
        class_of_image = self._classes()
        paths, skipped = find_pictures(self.root)
        files = [(path, class_of_image(path)) for path in paths]
        if self.labelled:
            reason = "in no class folder" if self.labels is None else f"not in {self.labels.name}"
            skipped += [LeftOut(path, reason) for path, label in files if label is None]
            files = [(path, label) for path, label in files if label is not None]
        self.files = files
        self._report(skipped)
        if self.limit is not None:
            self.files = self.spread(self.limit).files

    def __len__(self) -> int:
        return len(self.files)

    def subset(self, positions: Iterable[int]) -> "ImageFolder":
        """The images at some positions of `files`, in this folder's order."""
        part = copy.copy(self)
        part.files = [self.files[position] for position in sorted(positions)]
        part.unreadable, part._digest = [], None
        return part

    def spread(self, count: int) -> "ImageFolder":
        """At most so many images, evenly spread."""
        count = min(count, len(self))
        return self.subset(i * len(self) // count for i in range(count))

    def digest(self) -> str:
        """SHA-256 over names and contents of all files, read when it is first asked for.

        Classes that no folder names count too.
        """
        if self._digest is None:
            digest = hashlib.sha256()
            for path, label in self.files:
                digest.update(path.relative_to(self.root).as_posix().encode())
                if self.labels is not None:
                    digest.update(f" {label} ".encode())
                with path.open("rb") as file:
                    while block := file.read(_BLOCK):
                        digest.update(block)
            self._digest = digest.hexdigest()
        return self._digest

    def batches(self, model: nn.Module, size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Float images (b, 3, h, w) as `model` expects them, and class indices (b,), b <= size.

        Without labels there is None in place of the indices.

        Raises:
            UserError: a class that the model does not have, or no image at all could be read.
        """
        if self.labelled:
            self._check_classes(model.num_classes)
        transform = evaluation_transform(model)
        self.unreadable.clear()
        for first in range(0, len(self.files), size):
            images, labels = [], []
            for path, label in self.files[first : first + size]:
                try:
                    picture = open_picture(path)
                except PictureError as error:
                    self.unreadable.append(LeftOut(path, error.reason))
                    continue
                images.append(transform(picture))
                labels.append(label)
            if images:
                yield torch.stack(images), torch.tensor(labels) if self.labelled else None
        if len(self.unreadable) == len(self.files):
            raise UserError(
                f"none of the {len(self.files)} images in {self.root} can be read: "
                f"{examples(self.unreadable)}"
            )

    def _classes(self) -> Callable[[Path], int | None]:
        """What gives the class of a path below the root; None stands for no class."""
        if not self.labelled:
            return lambda _: None
        if self.labels is not None:
            labels = read_labels(self.labels)
            return lambda path: labels.of(PurePosixPath(path.relative_to(self.root)))
        return self._class_by_folder

    def _class_by_folder(self, path: Path) -> int | None:
        folder, *below = path.relative_to(self.root).parts
        return class_index(self.root / folder) if below else None

    def _check_classes(self, classes: int) -> None:
        """Raise UserError if a label is none of so many classes."""
        for path, label in self.files:
            if label >= classes:
                raise UserError(f"image {path} is of class {label}: expected 0 to {classes - 1}")

    def _report(self, skipped: list[LeftOut]) -> None:
        """Warn of files that are not used; raise UserError if no others are left."""
        all_files = len(self.files) + len(skipped)
        found = f"{len(skipped)} of {all_files} files are skipped: {examples(skipped)}"
        if not self.files:
            raise UserError(
                f"image folder {self.root} has no images{f' ({found})' if skipped else ''}: "
                f"expected {self._layout()}files {', '.join(sorted(SUFFIXES))}"
            )
        if skipped:
            warnings.warn(f"image folder {self.root}: {found}", InputWarning, stacklevel=4)

    def _layout(self) -> str:
        """What the images are expected to lie in, or to be."""
        if not self.labelled:
            return ""
        if self.labels is not None:
            return f"pictures that {self.labels} names, "
        return (
            "class folders named by wnid (n01440764) or class number, or a file of --labels, with "
        )


def joined(folders: Sequence[ImageFolder]) -> ImageFolder:
    """The images of several folders one behind the other; those of one that comes twice, twice."""
    first, *others = folders
    if not others:
        return first
    whole = first.subset(())
    whole.root = Path(os.path.commonpath([folder.root.absolute() for folder in folders]))
    whole.files = [(path.absolute(), label) for each in folders for path, label in each.files]
    return whole


def evaluation_transform(model: nn.Module) -> Callable[[Image.Image], Tensor]:
    """timm's own evaluation transform for a model: resize, centre crop, normalise."""
    return create_transform(**picture_settings(model), is_training=False)


def class_index(folder: Path) -> int:
    """Class index of a folder that is named by a wnid or a number from 0 to 999."""
    index = class_of(folder.name)
    if index is None:
        raise UserError(
            f"class folder {folder}: expected {CLASS_WORDS}, or a file of labels (--labels)"
        )
    return index
