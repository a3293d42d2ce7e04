"""Files that name the classes of pictures."""

import os
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import scipy.io
from PIL import Image
from timm.data import ImageNetInfo
from timm.models.vision_transformer import VisionTransformer

from model.data.digits import Split, write_folder
from model.data.image_folder import ImageFolder
from model.data.labels import read_labels
from rtl_gen.errors import InputWarning, UserError

NAMES = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 7)]
CLASSES = [65, 970, 0, 999, 65, 3]
WNIDS = ImageNetInfo().label_names()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures as ImageNet's validation archive holds them, and what macOS adds."""
    folder = tmp_path / "val"
    folder.mkdir()
    rng = np.random.default_rng(9)
    for name in NAMES:
        pixels = rng.integers(0, 256, (36, 36, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    for name in (f"._{NAMES[0]}", ".DS_Store"):
        (folder / name).write_bytes(b"\0\5\x16\7")
    return folder


def write(path: Path, lines: list[str], end: str = "\n") -> Path:
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())
    return path


PAIRS = list(zip(NAMES, CLASSES, strict=True))
STEMS = [(name.removesuffix(".JPEG"), label) for name, label in PAIRS]

FORMS = {
    "Caffe's val.txt": ("val.txt", [f"{name} {label}" for name, label in PAIRS]),
    "in folders": ("val.txt", [f"val/{name}\t{label}" for name, label in PAIRS]),
    "as on Windows": ("val.txt", [f"data\\val\\{name} {label}" for name, label in PAIRS]),
    "wnids": ("labels", [f"{name}   {WNIDS[label]} " for name, label in PAIRS]),
    "Kaggle's CSV": (
        "LOC_val_solution.csv",
        [
            "ImageId,PredictionString",
            *(f"{stem},{WNIDS[label]} 85 1 499 272 {WNIDS[label]} 7" for stem, label in STEMS),
        ],
    ),
    "CSV of one's own": (
        "labels.csv",
        ["file,class", *(f'"{name}", {label}' for name, label in reversed(PAIRS))],
    ),
    "CSV of names with blanks": (
        "labels.csv",
        ["the file,its class", *(f"my val/{name},{WNIDS[label]}" for name, label in PAIRS)],
    ),
    "commas in a text": ("labels.txt", [f"{name},{label}" for name, label in PAIRS]),
    "commas and blanks": ("labels.txt", ["", *(f"{name}, {label}" for name, label in PAIRS), ""]),
    "synsets in order": ("synset_labels.txt", [WNIDS[label] for label in CLASSES]),
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("form", FORMS)
def test_forms(folder: Path, tmp_path: Path, form: str, end: str):
    name, lines = FORMS[form]
    images = ImageFolder(folder, labels=write(tmp_path / name, lines, end))
    assert [(path.name, label) for path, label in images.files] == PAIRS


def test_paths(tmp_path: Path):
    """The picture's may go on in front of the file's, or the other way round; names with blanks."""
    lines = ["a/1.jpg 1", "b/1.jpg 2", "b/my cat, 2.png 3", "x.y.z 4", "1.png 5"]
    labels = read_labels(write(tmp_path / "list.txt", lines))
    for path, expected in (
        ("a/1.jpg", 1),
        ("b/1.png", 2),
        ("val/a/1.jpg", None),
        ("c/1.jpg", 5),
        ("1.jpg", 5),
        ("my cat, 2.png", 3),
        ("deep/b/my cat, 2.JPEG", 3),
        ("deep/below/my cat, 2.JPEG", None),
        ("x.y.z", 4),
        ("x.y.jpg", None),
    ):
        assert labels.of(PurePosixPath(path)) == expected, path


def ground_truth(folder: Path, order: list[int]) -> Path:
    """The development kit's two files: class `order[i]` has ILSVRC's number i + 1."""
    fields = [("ILSVRC2012_ID", object), ("WNID", object), ("num_children", object)]
    others = [(1001, "n00000001", 2), (1002, "n00000002", 7)]
    rows = [*((i + 1, WNIDS[index], 0) for i, index in enumerate(order)), *others]
    scipy.io.savemat(folder / "meta.mat", {"synsets": np.array(rows, dtype=fields)[:, None]})
    numbers = [str(order.index(label) + 1) for label in CLASSES]
    return write(folder / "ILSVRC2012_validation_ground_truth.txt", numbers)


def test_ground_truth_of_the_development_kit(folder: Path, tmp_path: Path):
    """Numbers from 1 in an order of their own, which meta.mat beside the file tells."""
    order = np.random.default_rng(10).permutation(1000).tolist()
    path = ground_truth(tmp_path, order)
    images = ImageFolder(folder, labels=path)
    assert [(path.name, label) for path, label in images.files] == PAIRS
    (tmp_path / "meta.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(UserError, match=r"meta.mat is unreadable: expected that of ILSVRC 2012's"):
        ImageFolder(folder, labels=path)
    (tmp_path / "meta.mat").unlink()
    with pytest.raises(UserError, match=r"has no names of pictures: .* meta.mat of its develop"):
        ImageFolder(folder, labels=path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"a.jpg 1\nb.jpg 1000\n", "line 2: 'b.jpg 1000', expected a picture's name and a wnid"),
        (b"a.jpg 1\nb.jpg cat\n", "line 2: 'b.jpg cat', expected"),
        (b"a.jpg 1\nb.jpg\n", "line 2: 'b.jpg', expected"),
        (b"a.jpg 1\nx/a.jpg 1\na.png 2\n", "line 3: picture a.png has two classes"),
        (b"n01440764\nn01440765\n", "line 2: 'n01440765', expected a wnid"),
        (b"\xff\xfe\0", r"is unreadable \(no text\)"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, content: bytes, said: str):
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        read_labels(path)
    assert str(caught.value).startswith(f"label file {path}")
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path):
    for path, reason in (
        (tmp_path / "absent", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(UserError, match=f"label file {path} is unreadable .{reason}"):
            read_labels(path)


def test_pictures_without_a_class(folder: Path, tmp_path: Path):
    """Skipped with one warning; a file that names none of the pictures is refused."""
    path = write(tmp_path / "val.txt", FORMS["Caffe's val.txt"][1][:4])
    with pytest.warns(InputWarning, match=r"2 of 6 files are skipped: .*5.JPEG \(not in val.txt\)"):
        images = ImageFolder(folder, labels=path)
    assert [label for _, label in images.files] == CLASSES[:4]
    write(path, ["other.jpg 1"])
    with pytest.raises(
        UserError, match=r"has no images \(6 of 6 .* expected pictures that .*val.t"
    ):
        ImageFolder(folder, labels=path)
    with pytest.raises(UserError, match=r"has no images .* class number, or a file of --labels"):
        ImageFolder(folder)


def test_labels_count_in_the_digest(folder: Path, tmp_path: Path):
    """Results of other classes are not taken for those of these."""
    path = write(tmp_path / "val.txt", FORMS["Caffe's val.txt"][1])
    first, again = (ImageFolder(folder, labels=path).digest() for _ in range(2))
    write(path, [f"{name} {label}" for name, label in zip(NAMES, reversed(CLASSES), strict=True)])
    other = ImageFolder(folder, labels=path).digest()
    assert first == again
    assert len({first, other, ImageFolder(folder, labelled=False).digest()}) == 3


def test_classes_reach_the_network(folder: Path, tmp_path: Path, toy_model: VisionTransformer):
    path = write(tmp_path / "val.txt", [f"{name} {i}" for i, name in enumerate(NAMES)])
    (_, labels), (_, more) = ImageFolder(folder, labels=path).batches(toy_model, 4)
    assert [*labels.tolist(), *more.tolist()] == [0, 1, 2, 3, 4, 5]
    write(path, [f"{name} 10" for name in NAMES])
    with pytest.raises(UserError, match=r"00000001.JPEG is of class 10: expected 0 to 9"):
        next(ImageFolder(folder, labels=path).batches(toy_model, 4))


def test_class_folders_give_way(image_folder: Path, tmp_path: Path):
    path = write(tmp_path / "list.txt", [f"007/{i}.png {i}" for i in range(3)])
    with pytest.warns(InputWarning, match="4 of 7 files are skipped"):
        images = ImageFolder(image_folder, labels=path)
    assert [label for _, label in images.files] == [0, 1, 2]


def test_commands_take_labels(command, tmp_path: Path, capsys: pytest.CaptureFixture):
    """A flat folder with a list gives what class folders give, in every command with labels."""
    folder, flat, lines = tmp_path / "digits", tmp_path / "flat" / "digits", []
    flat.mkdir(parents=True)
    for index, (path, label) in enumerate(write_folder(Split.HELD_BACK, folder).files):
        path.rename(path.with_name(f"{index:03}.png"))
        os.link(path.with_name(f"{index:03}.png"), flat / f"{index:03}.png")
        lines.append(f"{index:03}.png {label}")
    by_file = ("--data", flat, "--labels", write(tmp_path / "val.txt", lines))
    network, out = ("--model", "vit_digits"), ("--out", tmp_path / "out")
    integers, table = tmp_path / "integers", tmp_path / "table.csv"
    calibration = ("--data", folder, "--images", 20, "--out", integers)
    assert command("quantise", *network, *calibration) == 0
    for words, file in (
        (("accuracy", *network, "--no-integer", "--sparsity", 0.5, *out), "out/vit_digits.csv"),
        (("prune", *network, "--out", table), "table.csv"),
        (("integer-accuracy", integers), None),
    ):
        found = []
        for source in (("--data", folder), by_file):
            capsys.readouterr()
            assert command(*words, *source, "--limit", 12) == 0
            told = capsys.readouterr().out
            found.append(told if file is None else (tmp_path / file).read_text())
        assert found[0] == found[1], words
        assert command(*words, "--data", flat) == 2
        assert "a file of --labels" in capsys.readouterr().err


def test_labels_of_no_images(command, tmp_path: Path, capsys: pytest.CaptureFixture):
    words = ("--model", "vit_digits", "--data", tmp_path, "--labels", tmp_path / "val.txt")
    Image.new("RGB", (28, 28)).save(tmp_path / "a.png")
    assert command("finetune", *words) == 2
    assert "val.txt is for images of --eval: name their folder, too" in capsys.readouterr().err
