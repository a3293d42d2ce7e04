"""Pictures through a small network in RTL by the command, in batches of one a core."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rtl_gen.errors import UserError
from sparse_vit.commands.run import run

NETWORK = """\
img_size: [8, 16]
patch_size: [2, 4]
embed_dim: 16
depth: 1
num_heads: 2
num_classes: 5
"""


@pytest.fixture
def network(tmp_path: Path) -> str:
    path = tmp_path / "two_heads.yaml"
    path.write_text(NETWORK)
    return str(path)


def pictures(folder: Path, count: int) -> Path:
    rng = np.random.default_rng(5)
    folder.mkdir()
    for index in range(count):
        pixels = rng.integers(0, 256, (8, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


def test_a_folder_in_batches(network, tmp_path):
    """Three pictures on two cores: one program, two runs, the second of which is not full."""
    result = run(
        model=network,
        strategy="vitcod",
        sparsity=0.5,
        prune=False,
        config="tiny",
        cores=2,
        pictures=pictures(tmp_path / "pictures", 3),
        rate=4,
        out=tmp_path / "out",
    )
    (path,) = (tmp_path / "out").glob("*-2-cores.json")
    assert json.loads(path.read_text()) == result
    found = result["pictures"]
    places = [(one["picture"], one["batch"], one["core"]) for one in found]
    assert places == [("0.png", 0, 0), ("1.png", 0, 1), ("2.png", 1, 0)]
    assert all(one["compared"] == 5 for one in found)
    assert result["mismatches"] == sum(one["mismatches"] for one in found) == 0
    assert all(one["cycles"] == one["cycles_model"] for one in found)
    assert result["counters"] == result["counters_model"]
    assert result["images_per_second"] == round(2 * 500e6 / result["cycles"], 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"picture": "cat.png", "pictures": Path()},
            "--image and --pictures: expected one of them",
        ),
        ({"pictures": Path("nowhere")}, "nowhere is unreadable"),
        ({"cores": 3}, "cores = 3: expected a power of two from 1 to 8"),
    ],
)
def test_bad_input_is_refused_before_any_work(network, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        run(model=network, strategy="vitcod", config="tiny", out=tmp_path, **options)
    assert not list(tmp_path.glob("*.json"))
