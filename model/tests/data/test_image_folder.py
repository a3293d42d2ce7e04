"""Image folders: order, classes, layouts, unreadable files, and folders that cannot be used."""

import hashlib
import os
import socket
from pathlib import Path

import pytest
from PIL import Image
from timm.data import ImageNetInfo
from timm.models.vision_transformer import VisionTransformer

from model.data import picture_files
from model.data.image_folder import ImageFolder, class_index, joined
from rtl_gen.errors import InputWarning, UserError


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


def test_several_folders_are_one(image_folder: Path, tmp_path: Path):
    (tmp_path / "more").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "more" / "black.png")
    first, second = (
        ImageFolder(each, labelled=False) for each in (image_folder, tmp_path / "more")
    )
    assert joined([first]) is first
    whole = joined([second, first, second])
    shown = [path.relative_to(tmp_path).as_posix() for path, _ in whole.files]
    assert shown == ["more/black.png", *(f"images/{name}" for name in names(first)), shown[0]]
    assert whole.root == tmp_path
    digests = {each.digest() for each in (first, second, whole, joined([second, first]))}
    assert len(digests) == 4


def test_unreadable_images_are_listed(image_folder: Path, toy_model: VisionTransformer):
    whole = (image_folder / "007" / "1.png").read_bytes()
    cut, text = image_folder / "007" / "1.png", image_folder / "n01443537" / "0.png"
    cut.write_bytes(whole[: len(whole) // 2])
    text.write_text("no image")
    folder = ImageFolder(image_folder)
    assert sum(len(images) for images, _ in folder.batches(toy_model, 2)) == 5
    assert [each.path for each in folder.unreadable] == [cut, text]
    assert [each.reason for each in folder.unreadable] == [
        "image file is truncated",
        "no picture of a known format",
    ]


def test_no_readable_image(image_folder: Path, toy_model: VisionTransformer):
    for path in image_folder.rglob("*.png"):
        path.write_text("no image")
    with pytest.raises(UserError, match=r"none of the 7 images .*0.png \(no picture of a known f"):
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


def names(folder: ImageFolder) -> list[str]:
    return [path.relative_to(folder.root).as_posix() for path, _ in folder.files]


def test_without_labels_any_layout_will_do(tmp_path: Path, toy_model: VisionTransformer):
    """Flat, nested and freely named in one folder; hidden files and other suffixes do not count."""
    wanted = ["a/b/c.jpg", "a/d.PNG", "a.png", "holiday 2024/x.jpeg", "n01440764/y.webp", "z.png"]
    others = [".hidden.png", "._a.png", ".DS_Store", ".git/e.png", "a/._d.PNG", "notes.txt", "f"]
    for name in (*wanted, *others):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    folder = ImageFolder(tmp_path, labelled=False)
    assert names(folder) == wanted
    assert {label for _, label in folder.files} == {None}
    digest = hashlib.sha256(b"".join(2 * name.encode() for name in wanted))
    assert folder.digest() == digest.hexdigest()
    for path, _ in folder.files:
        Image.new("RGB", (40, 30), "teal").save(path)
    batches = list(folder.batches(toy_model, 4))
    assert [(len(images), labels) for images, labels in batches] == [(4, None), (2, None)]
    with pytest.raises(UserError, match=r"class folder .*/a: expected a wnid"):
        ImageFolder(tmp_path)


def test_labels_come_from_the_folder_below_the_root(tmp_path: Path):
    for name in ("7/a.png", "7/images/b.png", "n01443537/c.png", "loose.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.warns(
        InputWarning, match=r"1 of 4 files are skipped: .*loose.png \(in no class fo"
    ):
        folder = ImageFolder(tmp_path)
    assert names(folder) == ["7/a.png", "7/images/b.png", "n01443537/c.png"]
    assert [label for _, label in folder.files] == [7, 7, 1]
    with pytest.raises(UserError, match=r"has no images \(1 of 1 files .* expected class folders"):
        ImageFolder(tmp_path / "n01443537")


def spoil(folder: Path) -> list[str]:
    """Add what only looks like pictures to a folder; returns its names and reasons, in order."""
    (folder / "dangling.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "folder.jpg").mkdir()
    (folder / "folder.jpg" / "inside.png").touch()
    os.mkfifo(folder / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.jpg"))
    (folder / "self.jpg").symlink_to(folder / "self.jpg")
    (folder / "up").symlink_to(folder.parent)
    (folder / "unreadable.jpg").touch(mode=0)
    (folder / os.fsdecode(b"caf\xe9.jpg")).touch()
    return [
        "caf\udce9.jpg (its name is not in UTF-8)",
        "dangling.jpg (No such file or directory)",
        "folder.jpg (a folder)",
        "pipe.jpg (no regular file)",
        "self.jpg (Too many levels of symbolic links)",
        "socket.jpg (no regular file)",
        "unreadable.jpg (permission denied)",
        "up (a link to a folder that is read already)",
    ]


def refuse_as_to_any_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions count for the superuser too."""
    monkeypatch.setattr(os, "access", lambda path, _: bool(Path(path).stat().st_mode & 0o400))


@pytest.mark.parametrize("labelled", [False, True])
def test_what_only_looks_like_pictures(
    image_folder: Path, toy_model: VisionTransformer, monkeypatch: pytest.MonkeyPatch, labelled
):
    """Counted and skipped with one warning before anything is read; the rest is as ever."""
    clean = ImageFolder(image_folder, labelled=labelled)
    expected = spoil(image_folder / "007")
    refuse_as_to_any_user(monkeypatch)
    _, skipped = picture_files.find_pictures(image_folder)
    assert [str(each).rpartition("/007/")[2] for each in skipped] == expected
    with pytest.warns(InputWarning) as caught:
        folder = ImageFolder(image_folder, labelled=labelled)
    (message,) = (str(each.message) for each in caught)
    assert f"image folder {image_folder}: 8 of 15 files are skipped: " in message
    assert "dangling.jpg (No such file or directory)" in message
    assert message.endswith(" and 5 more")
    assert folder.files == clean.files
    assert folder.digest() == clean.digest()
    assert sum(len(images) for images, _ in folder.batches(toy_model, 7)) == 7
    assert folder.unreadable == []


def test_nothing_but_what_looks_like_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
):
    """One line, no warning beside it."""
    (tmp_path / "pictures").mkdir()
    spoil(tmp_path / "pictures")
    refuse_as_to_any_user(monkeypatch)
    with pytest.raises(UserError, match=r"has no images \(8 of 8 files are skipped: "):
        ImageFolder(tmp_path, labelled=False)
    assert len(recwarn) == 0
    bad = tmp_path / os.fsdecode(b"caf\xe9")
    bad.mkdir()
    with pytest.raises(UserError, match="its name is not in UTF-8"):
        ImageFolder(bad, labelled=False)


def test_classes_that_a_model_does_not_have(image_folder: Path, toy_model: VisionTransformer):
    (image_folder / "007").rename(image_folder / "010")
    folder = ImageFolder(image_folder)
    with pytest.raises(UserError, match=r"010/0.png is of class 10: expected 0 to 9"):
        next(folder.batches(toy_model, 2))
    unlabelled = ImageFolder(image_folder, labelled=False)
    assert len(next(unlabelled.batches(toy_model, 2))[0]) == 2
