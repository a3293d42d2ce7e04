"""Classes of pictures: ImageNet's by wnid or number, and files that name those of many pictures.

A label file holds, a line each, one of

* a picture's name and its class, with blanks, a tab or a comma between: Caffe's val.txt, lists of
  training programs, Kaggle's LOC_val_solution.csv (a class and boxes: the first word counts). A
  first line that names no class is taken for the columns' names;
* a class alone, of the pictures ILSVRC2012_val_00000001, 2, 3 and so on: a wnid, or a number from 1
  in ILSVRC's own order, as in the development kit's ILSVRC2012_validation_ground_truth.txt. Which
  class such a number is says only the kit's meta.mat, which has to lie beside the file.

Classes are wnids or, with a name, numbers from 0 in the order of the wnids, as networks have them.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import scipy.io
from timm.data import ImageNetInfo

from model.data.picture_files import SUFFIXES
from rtl_gen.errors import UserError

_WNIDS = {wnid: index for index, wnid in enumerate(ImageNetInfo().label_names())}

CLASSES = len(_WNIDS)

CLASS_WORDS = (
    f"a wnid of ImageNet's {CLASSES:,} classes (n01440764) or a number from 0 to {CLASSES - 1}"
)

_META = "meta.mat"
_VALIDATION = "ILSVRC2012_val_{:08d}"


def class_of(word: str) -> int | None:
    """Index of a class by its wnid or by the number itself; None of any other word."""
    if re.fullmatch(r"\d{1,4}", word, re.ASCII) and int(word) < CLASSES:
        return int(word)
    return _WNIDS.get(word)


@dataclass(frozen=True)
class Labels:
    """Classes of pictures, by the parts of their paths without suffix.

    by_name: for the last part of a path, the paths that end with it and their classes
    """

    path: Path
    by_name: dict[str, dict[tuple[str, ...], int]]

    def of(self, picture: PurePosixPath) -> int | None:
        """The class of a picture by its path below the folder of pictures, None if there is none.

        Of this path and the file's one may be the end of the other. Where several of the file's are
        and differ in class, only an equal one counts.
        """
        parts = _parts(picture)
        named = self.by_name.get(parts[-1], {})
        found = {label for each, label in named.items() if _one_ends_the_other(each, parts)}
        return named.get(parts, found.pop() if len(found) == 1 else None)


def read_labels(path: Path) -> Labels:
    """The classes that a label file names.

    Raises:
        UserError: no such file, another kind of file, two classes of one picture, or numbers in
            ILSVRC's order without what tells their classes.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise UserError(f"label file {path} is unreadable ({reason}): name a text file") from error
    rows = [(number, row) for number, row in enumerate(_rows(path, lines), 1) if row]
    if not rows:
        raise UserError(f"label file {path} is empty: expected a picture's name and class a line")
    if all(len(row) == 1 for _, row in rows):
        named = _in_order(path, [(number, row[0]) for number, row in rows])
    else:
        named = _by_name(path, rows)
    by_name: dict[str, dict[tuple[str, ...], int]] = {}
    for number, name, label in named:
        parts = _parts(PurePosixPath(name.replace("\\", "/")))
        if by_name.setdefault(parts[-1], {}).setdefault(parts, label) != label:
            raise UserError(f"label file {path}, line {number}: picture {name} has two classes")
    return Labels(path, by_name)


def _rows(path: Path, lines: Sequence[str]) -> Iterator[list[str]]:
    """The words of each line: a name, which may have blanks in it, and a class."""
    if not _has_commas(path, lines):
        for line in lines:
            yield line.strip().rsplit(maxsplit=1)
        return
    try:
        for row in csv.reader(lines):
            yield [row[0].strip(), *" ".join(row[1:]).split()[:1]] if row else []
    except csv.Error as error:
        raise UserError(f"label file {path} is unreadable ({error}): name a text file") from error


def _has_commas(path: Path, lines: Sequence[str]) -> bool:
    """Whether columns are parted by commas: names may have commas in them, too."""
    words = next((line.split() for line in lines if line.strip()), [""])
    return (
        path.suffix.lower() == ".csv"
        or words[0].endswith(",")
        or (len(words) == 1 and "," in words[0])
    )


def _by_name(path: Path, rows: Sequence[tuple[int, list[str]]]) -> Iterator[tuple[int, str, int]]:
    for number, row in rows:
        label = class_of(row[1]) if len(row) == 2 else None
        if label is not None:
            yield number, row[0], label
        elif number > 1:  # The first line may be a head.
            raise UserError(
                f"label file {path}, line {number}: {' '.join(row)[:60]!r}, expected a picture's "
                f"name and {CLASS_WORDS}"
            )


def _in_order(path: Path, rows: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str, int]]:
    """Of classes alone, one for each of ILSVRC's validation pictures."""
    numbered = rows[0][1] not in _WNIDS
    classes = _own_order(path) if numbered else _WNIDS
    for place, (number, word) in enumerate(rows, 1):
        if word not in classes:
            kind = f"a number of {_META}" if numbered else "a wnid"
            raise UserError(f"label file {path}, line {number}: {word[:60]!r}, expected {kind}")
        yield number, _VALIDATION.format(place), classes[word]


def _own_order(path: Path) -> dict[str, int]:
    """Classes by ILSVRC's own numbers, as text."""
    meta = path.with_name(_META)
    if not meta.is_file():
        raise UserError(
            f"label file {path} has no names of pictures: expected a name and {CLASS_WORDS} a "
            f"line, or, for ILSVRC's own numbers, {_META} of its development kit beside the file"
        )
    try:
        found = scipy.io.loadmat(meta, squeeze_me=True)["synsets"]
        pairs = zip(found["ILSVRC2012_ID"].tolist(), found["WNID"].tolist(), strict=True)
        return {str(int(number)): _WNIDS[wnid] for number, wnid in pairs if wnid in _WNIDS}
    except Exception as error:
        # scipy raises whatever a foreign file leads it to.
        raise UserError(
            f"{meta} is unreadable: expected that of ILSVRC 2012's development kit"
        ) from error


def _parts(path: PurePosixPath) -> tuple[str, ...]:
    """The parts of a picture's path, without the suffix of pictures; one at least."""
    path = path.with_suffix("") if path.suffix.lower() in SUFFIXES else path
    return path.parts or ("",)


def _one_ends_the_other(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    common = min(len(one), len(other))
    return one[-common:] == other[-common:]
