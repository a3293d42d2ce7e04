"""Image folders: order, classes, unreadable files, and folders that cannot be used."""

from pathlib import Path

import pytest
from timm.data import ImageNetInfo
from timm.models.vision_transformer import VisionTransformer

from model.images import ImageFolder, class_index
from rtl_gen.errors import UserError


def test_order_and_classes(image_folder: Path, toy_model: VisionTransformer):
    folder = ImageFolder(image_folder)
    assert [label for _, label in folder.files] == [7] * 3 + [1] * 4
    batches = list(folder.batches(toy_model, 5))
    assert [len(images) for images, _ in batches] == [5, 2]
    assert batches[0][1].tolist() == [7, 7, 7, 1, 1]
    assert batches[0][0].shape[1] == 3


def test_wnids():
    names = ImageNetInfo().label_names()
    assert class_index(Path("n01440764")) == 0 == names.index("n01440764")
    assert class_index(Path("n15075141")) == 999


def test_limit_spreads_evenly(image_folder: Path):
    assert [path.stem for path, _ in ImageFolder(image_folder, limit=3).files] == ["0", "2", "1"]
    assert len(ImageFolder(image_folder, limit=100)) == 7
    with pytest.raises(UserError, match="limit = 0"):
        ImageFolder(image_folder, limit=0)


def test_unreadable_images_are_listed(image_folder: Path, toy_model: VisionTransformer):
    whole = (image_folder / "007" / "1.png").read_bytes()
    cut, text = image_folder / "007" / "1.png", image_folder / "n01443537" / "0.png"
    cut.write_bytes(whole[: len(whole) // 2])
    text.write_text("no image")
    folder = ImageFolder(image_folder)
    assert sum(len(images) for images, _ in folder.batches(toy_model, 2)) == 5
    assert folder.unreadable == [cut, text]


def test_no_readable_image(image_folder: Path, toy_model: VisionTransformer):
    for path in image_folder.rglob("*.png"):
        path.write_text("no image")
    with pytest.raises(UserError, match="none of the 7 images"):
        list(ImageFolder(image_folder).batches(toy_model, 2))


def test_folders_that_cannot_be_used(tmp_path: Path, image_folder: Path):
    with pytest.raises(UserError, match="is unreadable"):
        ImageFolder(tmp_path / "absent")
    with pytest.raises(UserError, match="is unreadable"):
        ImageFolder(image_folder / "007" / "0.png")
    (tmp_path / "empty" / "n01440764").mkdir(parents=True)
    with pytest.raises(UserError, match="has no images"):
        ImageFolder(tmp_path / "empty")
    (image_folder / "007").rename(image_folder / "cats")
    with pytest.raises(UserError, match="cats: expected a wnid"):
        ImageFolder(image_folder)
    (image_folder / "cats").rename(image_folder / "1000")
    with pytest.raises(UserError, match="1000: expected a wnid"):
        ImageFolder(image_folder)
