"""Which networks fit which preset: against the memory plan, the cycle model and timm's names."""

from dataclasses import replace
from pathlib import Path

import pytest

from model.network.fit import check_fit
from model.network.names import DEIT_TINY, get_network
from rtl_gen.errors import UserError
from rtl_gen.presets import PRESETS, get_config
from sim_models.network import network_cycles
from sim_models.networks_page import networks
from sim_models.timm_networks import find, rows_of

SMALL = "plain_vit+embed_dim=32+num_heads=2+depth=2+img_size=32+patch_size=8"
LARGE = "vit_small_patch14_dinov2"
WINDOWS = "swin_tiny_patch4_window7_224"
TWIN = "vit_tiny_patch16_224"


def test_rows():
    found = find(["deit_tiny_patch16_224", SMALL, LARGE, TWIN, WINDOWS])
    assert [*found.refused.values()] == [(WINDOWS,)]
    rows = {row.names: row for row in rows_of(found)}
    assert set(rows) == {("deit_tiny_patch16_224", TWIN), (SMALL,), (LARGE,)}
    tiny = rows["deit_tiny_patch16_224", TWIN]
    assert tiny.presets == ("default", "half", "double", "large", "wide")
    # docs/results.md, measured in RTL
    assert (tiny.dense_cycles, tiny.pruned_cycles) == (2493515, 1652769)
    assert tiny.attention_maps == "measured"
    own = rows[SMALL,]
    assert own.presets[0] == "small"
    assert own.attention_maps == "resampled"
    assert own.dense_cycles == network_cycles(PRESETS["small"], get_network(SMALL)).total
    assert rows[LARGE,].dense_cycles is None
    assert "expected a smaller picture" in rows[LARGE,].remedy


def test_page(tmp_path: Path):
    out = tmp_path / "networks.md"
    told = networks([SMALL, LARGE, WINDOWS], out=out)
    text = out.read_text()
    assert f"| `{SMALL}` | 17 | 2 x 2 x 16 | 128 | small, " in text
    assert f"{told[0]['dense_cycles']:,}" in text
    tables = text[text.index("\n## ") :]
    assert tables.index("## Too large") < tables.index(LARGE) < tables.index("## Refused")
    assert tables.index("## Refused") < tables.index(f"| `{WINDOWS}` | it is a SwinTransformer")
    assert all(line.count(" | ") == 10 for line in tables.splitlines() if SMALL in line)


def test_all_or_some():
    with pytest.raises(UserError, match="--all names all networks"):
        networks([SMALL], every=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": (24, 24)}, "needs max_tokens = 577, .* has 198: expected the preset large"),
        ({"grid": (24, 24), "heads": 16}, "no preset does, large with --set max_dim=1024 would"),
        ({"grid": (24, 24), "heads": 16, "mlp_ratio": 5}, "large with --set max_dim=1280 would"),
        ({"grid": (40, 40)}, "expected a smaller picture"),
        ({"head_dim": 80, "heads": 16}, "expected the preset wide"),
    ],
)
def test_what_would_hold_a_network(changes: dict, message: str):
    network = replace(DEIT_TINY, **changes)
    with pytest.raises(UserError, match=message):
        check_fit(get_config("default"), network)


def test_a_remedy_helps():
    network = replace(DEIT_TINY, grid=(24, 24), heads=16)
    check_fit(get_config("large", max_dim=1024), network)
