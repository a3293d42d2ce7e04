"""Every key of a sweep file with every kind of wrong value: told with its line, before work."""

from pathlib import Path

import numpy as np
import pytest

from model.files.yaml_file import read_model
from model.masks.vitcod_file import write_masks
from model.network.names import VIT_DIGITS
from rtl_gen.cli import LARGEST_SEED
from rtl_gen.errors import UserError
from sim_models.sweeps.energy import DEFAULT_TABLE, energy_table
from sim_models.sweeps.point import evaluate
from sim_models.sweeps.spec import POINTS_LIMIT, SweepSpec

VALID = """\
networks:
  - vit_digits
sparsities:
  - 0.5
strategies:
  - vitcod
mask_files:
  vit_digits:
    - a.npy
pruning:
  - none
  - start:
      - 0.1
    end:
      - 0.5
    first_layer:
      - 1
    interpolation:
      - linear
    meaning:
      - fraction_of_original
    placement:
      - after_ffn
  - kept:
      - 40
      - 30
      - 20
      - 10
    placement:
      - after_attention
presets:
  - small
overrides:
  lanes:
    - 4
  row_slots:
    - 8
  frequency_mhz:
    - 500
memory:
  latency:
    - 100
  rate:
    - 16
seeds:
  - 0
"""

WRONG = (
    "text",
    "''",
    "1.5",
    "-1",
    "true",
    "null",
    "{a: 1}",
    "[]",
    "[[1]]",
    "99999999999999999999999",
    "9" * 5000,
    "1e400",
    "1e-1",
    "'5'",
    ".inf",
    "010",
    "1:30",
    "2001-99-99",
    "!!int x",
    "!!float ''",
    "!!python/name:os.system",
    '"\\0"',
    "é\u202e",
    "x" * 2000,
)

# Lists of lists are other schedules, null the default, and 1.5 a wrong number everywhere.
ACCEPTED = {
    ("- 0.5", "1e-1"),
    ("- 0.1", "1e-1"),
    ("- 1", "null"),
    ("- 16", "null"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_masks(tmp_path / "a.npy", np.ones(VIT_DIGITS.mask_shape, dtype=np.bool_))
    return tmp_path


def points(folder: Path, text: str):
    path = folder / "grid.yaml"
    path.write_text(text, encoding="utf-8")
    return read_model(path, SweepSpec).points(folder)


def refusal(folder: Path, text: str) -> str | None:
    """What is wrong with a file, without its path, if anything is."""
    try:
        points(folder, text)
    except UserError as error:
        return str(error).removeprefix(f"{folder / 'grid.yaml'}, ")
    return None


LINES = VALID.splitlines()
ITEMS = [number for number, line in enumerate(LINES) if line.lstrip().startswith("- ")]


def test_the_file_is_a_grid(folder: Path):
    assert len(points(folder, VALID)) == 2 * 3


@pytest.mark.parametrize("number", ITEMS, ids=lambda number: f"line {number + 1}")
def test_wrong_item(folder: Path, number: int):
    line = LINES[number]
    if line.endswith(":"):  # the first line of a mapping
        line = "  - none"
    indent, old = line.split("- ")
    for value in WRONG:
        changed = [*LINES[:number], f"{indent}- {value}", *LINES[number + 1 :]]
        if LINES[number].endswith(":"):
            changed = [*LINES[:10], *changed[number : number + 1], *LINES[30:]]
        text = "\n".join(changed)
        message = refusal(folder, text)
        assert (message is None) == ((f"- {old}", value) in ACCEPTED), (value, message)
        if message is not None:
            place = changed.index(f"{indent}- {value}") + 1
            assert message.startswith(f"line {place}: "), (value, message)
            assert len(message) < 3000
            assert "\n" not in message


KEYS = [number for number, line in enumerate(LINES) if line.endswith(":")]


@pytest.mark.parametrize("number", KEYS, ids=lambda number: LINES[number].strip())
def test_wrong_value_of_a_key(folder: Path, number: int):
    """The whole value behind a key is replaced."""
    line = LINES[number]
    column = len(line) - len(line.lstrip("- "))
    end = number + 1
    while end < len(LINES) and len(LINES[end]) - len(LINES[end].lstrip(" ")) > column:
        end += 1
    for value in WRONG:
        changed = [*LINES[:number], f"{line} {value}", *LINES[end:]]
        message = refusal(folder, "\n".join(changed))
        if message is not None:
            assert message.startswith(f"line {number + 1}: "), (value, message)
            assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds: 1\nmemory:\n  rate: 8\n  latency: [5, 1]", "line 4: memory.latency.1: memory lat"),
        ("memory:\n  latency:\n  - 2000000", "line 3: memory.latency.0: memory latency 2000000"),
        ("memory:\n  rate:\n  - 8\n  - 0", "line 4: memory.rate.1: memory rate 0"),
        ("overrides:\n  row_slots: 8\n  lanes: [4, 5]", "line 3: overrides.lanes: lanes = 5"),
        ("networks:\n- vit_digits\n- deit_tiny\npresets: small", "line 3: networks.1: deit_tiny"),
        ("presets:\n- small", "line 1: presets: deit_tiny needs max_tokens = 197"),
        ("seeds: 1\noverrides: {max_heads: 2}", "line 2: overrides: deit_tiny needs max_heads"),
        (
            "networks: vit_digits\npresets: small\nsparsities:\n- 0.5\n- 0.99",
            "line 5: sparsities.1",
        ),
        ("seeds: 1\nsparsities: []", "line 2: sparsities: the sweep has no points"),
        ("mask_files:\n  deit_tiny:\n  - a.npy\n  - b.npy", "line 3: mask_files.deit_tiny.0: mask"),
        (
            "networks: deit_tiny_patch16_224\nmask_files:\n  deit_tiny_patch16_224: no.npy",
            "line 3: mask_files.deit_tiny_patch16_224.0: no mask file",
        ),
        (
            "mask_files: {deit_tiny: a.npy,\n  deit_tiny_patch16_224: a.npy}",
            "line 1: mask_files: deit_tiny stands twice, under different names",
        ),
        (f"mask_files:\n  deit_tiny: {'x' * 300}", "line 2: mask_files.deit_tiny.0: mask file"),
        ("pruning:\n- none\n- kept:\n  - 5\n  - 6", "line 3: pruning.1: kept tokens grow"),
        ("pruning:\n- end: 0.5\n  kept: 3", "line 2: pruning.0: unknown key 'end'"),
        ("seeds: [1, &a [*a]]", "line 1: an alias of what it stands in"),
        ("seeds: &a\n  b: *a", "line 2: an alias of what it stands in"),
        ("seeds: 1\nseeds: 2", "line 2: key 'seeds' stands twice: keep one"),
        ("memory: {rate: 1,\n rate: 2}", "line 2: key 'rate' stands twice: keep one"),
        ("seeds: 1\n--- 2", "line 2: but found another document"),
        ("seeds: 1\nnetworks: \x07", "line 2: special characters are not allowed"),
        ("seeds: *a", "line 1: found undefined alias 'a'"),
        ("[1]: 2", "line 1: found unhashable key"),
    ],
)
def test_line_of_the_value(folder: Path, text: str, message: str):
    found = refusal(folder, text)
    assert found is not None
    assert found.startswith(message), found


def test_size_is_that_of_the_grid(folder: Path):
    spec = read_model(folder / "grid.yaml", SweepSpec) if points(folder, VALID) else None
    assert spec.size == len(spec.points(folder))
    text = "networks: [deit_tiny, deit_small]\nsparsities: [0, 0.5, 0.6]\nseeds: [0, 1]"
    text = f"{text}\nstrategies: [vitcod, row_topk]\npruning: [none, {{end: [0.5, 0.6]}}]"
    found = points(folder, text)
    assert len(found) == 2 * (1 + 2 * 2) * 3 * 2 == read_model(folder / "grid.yaml", SweepSpec).size
    assert len(found) < POINTS_LIMIT


@pytest.mark.parametrize("name", ["deit_tiny", "deit_tiny_patch16_224"])
def test_names_of_networks(tmp_path: Path, name: str):
    """Results carry the project's own name; a network stands in the grid once."""
    found = points(tmp_path, f"networks: [{name}, deit_tiny]")
    assert [point.network.name for point in found] == ["deit_tiny"]


def test_any_network(tmp_path: Path):
    """By timm's name with changes, or in a file beside the spec."""
    (tmp_path / "mine.yaml").write_text("embed_dim: 32\nnum_heads: 2\ndepth: 3\nimg_size: 64\n")
    write_masks(tmp_path / "half.npy", np.random.default_rng(0).random((3, 2, 17, 17)) < 0.9)
    changed = "vit_tiny_patch16_224+img_size=64x96+depth=2"
    found = points(
        tmp_path,
        f"networks: [mine.yaml, {changed}]\nsparsities: 0.5\nmask_files: {{mine.yaml: half.npy}}",
    )
    assert {point.network.name for point in found} == {
        "mine",
        "vit_tiny_patch16_224+depth=2+img_size=64x96",
    }
    assert [point.masks.name for point in found] == ["vitcod", "half.npy", "vitcod"]
    results = [evaluate(point)["results"] for point in found]
    assert [row["attention_maps"] for row in results] == ["resampled", None, "resampled"]
    assert [row["tokens_left"] for row in results] == [17, 17, 25]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("networks: [deit_tiny, no.yaml]", "line 1: networks.1: cannot read .*no.yaml"),
        (
            "networks:\n- deit_tiny\n- swin_tiny_patch4_window7_224",
            "line 3: networks.1: .* windows",
        ),
        ("networks:\n- deit_tiny+deepth=3", "line 2: networks.0: .*unknown key 'deepth'"),
        ("networks: vit_tiny_patch16_384", "needs max_tokens = 577"),
    ],
)
def test_networks_that_cannot_be(tmp_path: Path, text: str, message: str):
    with pytest.raises(UserError, match=message):
        points(tmp_path, text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_byte_order_marks(tmp_path: Path, encoding: str):
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    path = tmp_path / "grid.yaml"
    path.write_bytes(mark + "# é\r\nseeds: [3, 4]\r\n".encode(encoding))
    assert [point.seed for point in read_model(path, SweepSpec).points()] == [3, 4] * 3
    path.write_bytes(mark + DEFAULT_TABLE.read_text().encode(encoding))
    assert energy_table(path) == energy_table()


def test_numbers():
    spec = SweepSpec.model_validate({"sparsities": [0.5], "seeds": [LARGEST_SEED]})
    assert spec.points()[0].seed == LARGEST_SEED
    with pytest.raises(ValueError, match=f"less than or equal to {LARGEST_SEED}"):
        SweepSpec.model_validate({"seeds": [LARGEST_SEED + 1]})


@pytest.mark.parametrize(
    "key", ["mac", "multiplication", "addition", "dram_64_bits", "  8", "  32"]
)
def test_wrong_picojoules(tmp_path: Path, key: str):
    lines = DEFAULT_TABLE.read_text().splitlines()
    number = next(i for i, line in enumerate(lines) if line.startswith(f"{key}:"))
    path = tmp_path / "energy.yaml"
    for value in (*WRONG[:8], *WRONG[9:], "-1e-9", "1e7", ".nan"):
        if value in ("1.5", "1e-1"):
            continue
        path.write_text("\n".join([*lines[:number], f"{key}: {value}", *lines[number + 1 :]]))
        with pytest.raises(UserError) as caught:
            energy_table(path)
        assert str(caught.value).startswith(f"{path}, line {number + 1}: "), value
