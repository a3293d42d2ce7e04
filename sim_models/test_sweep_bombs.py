"""Sweep files that would grow beyond measure end at once, with one line."""

import time
from itertools import pairwise
from pathlib import Path

import pytest

from model.files.yaml_file import read_model
from rtl_gen.errors import UserError
from sim_models.sweeps.spec import SweepSpec


def points(folder: Path, text: str):
    path = folder / "grid.yaml"
    path.write_text(text, encoding="utf-8")
    return read_model(path, SweepSpec).points(folder)


def deep(opening: str, closing: str = "") -> str:
    return f"seeds: {opening * 3000}1{closing * 3000}"


def bomb(names: str) -> str:
    """Every name is a list of nine of the one before."""
    lines = [f"{names[0]}: &{names[0]} [1]"]
    for before, name in pairwise(names):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    return "\n".join([*lines, f"seeds: *{names[-1]}"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (deep("[", "]"), "line 1: more than 16 lists or mappings inside one another"),
        (deep("{a: ", "}"), "line 1: more than 16 lists or mappings inside one another"),
        (deep("["), "line 1: more than 16 lists or mappings inside one another"),
        (
            "\n".join(" " * depth + "a:" for depth in range(900)),
            "line 17: more than 16 lists or mappings inside one another",
        ),
        (
            "a0: &a0 [1]\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 3000)),
            "more than 16 lists or mappings inside one another",
        ),
        (bomb("abcdefghi"), "more than 20,000 values, aliases written out"),
        (bomb("abcdefghijklmno"), "line 6: more than 20,000 values"),
        ("seeds: [" + "1," * 20_001 + "1]", "more than 20,000 values"),
        ("#" * 2_000_000, "(not within 1,048,576 bytes): name an existing YAML file"),
        ("seeds: " + "9" * 100_000, "line 1: no int"),
    ],
)
def test_bombs_end_at_once(tmp_path: Path, text: str, message: str):
    started = time.process_time()
    with pytest.raises(UserError) as caught:
        points(tmp_path, text)
    assert message in str(caught.value)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "text",
    [
        f"seeds: {[*range(1000)]}\nmemory: {{latency: {[*range(2, 1002)]}}}",
        f"pruning: {{start: {[i / 9999 for i in range(1, 1001)]}, first_layer: {[*range(1000)]}}}",
        f"overrides: {{row_slots: {[8] * 1000}, frequency_mhz: {[*range(1, 1001)]}}}",
    ],
)
def test_size_of_the_grid_comes_first(tmp_path: Path, text: str):
    started = time.process_time()
    with pytest.raises(UserError, match=r"the grid has 1,000,000 points, more than 10,000: name f"):
        points(tmp_path, f"networks: deit_tiny\n{text}")
    assert time.process_time() - started < 1
    path = tmp_path / "grid.yaml"
    spec = read_model(path, SweepSpec)
    assert spec.size == 1_000_000
    with pytest.raises(UserError, match="more than 999,999: "):
        spec.points(tmp_path, limit=999_999)
