"""The supported networks: their shapes and names against timm's own models."""

import dataclasses
import itertools
import math
from pathlib import Path

import pytest
import timm
import torch
from timm.data import resolve_model_data_config

from model.network.names import (
    ALL_NETWORKS,
    DEIT_TINY,
    NETWORKS,
    get_network,
    registered,
    timm_name,
)
from model.network.readout import FinalNorm, Readout
from rtl_gen.errors import UserError


@pytest.mark.parametrize("name", ALL_NETWORKS)
def test_shapes(name: str):
    network = get_network(name)
    assert get_network(timm_name(network)) is network
    with torch.device("meta"):
        model = timm.create_model(timm_name(network))
    attention, mlp = model.blocks[0].attn, model.blocks[0].mlp
    assert len(model.blocks) == network.layers
    assert (attention.num_heads, attention.head_dim) == (network.heads, network.head_dim)
    assert (mlp.fc1.in_features, mlp.fc1.out_features) == (network.dim, network.hidden)
    assert model.pos_embed.shape[1] == network.tokens
    assert model.patch_embed.proj.weight[0].numel() == network.patch_inputs
    assert model.head.out_features == network.classes


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_every_timm_model_of_a_networks_tensors_is_registered(network):
    """Whatever timm has of this size and 1,000 classes; DeiT's and ViT's normalisation differ."""

    def shapes(name: str) -> dict[str, torch.Size]:
        with torch.device("meta"):
            state = timm.create_model(name).state_dict()
        return {key: value.shape for key, value in state.items()}

    size = network.name.removeprefix("deit_")
    alike = [name for name in timm.list_models(f"*_{size}_patch16*224*") if "distilled" not in name]
    wanted = shapes(timm_name(network))
    fitting = {
        f"{name}.{tag}"
        for name, _, tag in (
            tagged.partition(".")
            for model in alike
            if shapes(model) == wanted
            for tagged in timm.list_models(f"{model}.*", pretrained=True)
        )
        if timm.get_pretrained_cfg(f"{name}.{tag}").num_classes == network.classes
    }
    assert {name for name in registered(network) if "." in name} == fitting
    assert registered(network)[timm_name(network)].mean == (0.485, 0.456, 0.406)
    assert registered(network)[f"vit_{size}_patch16_224"].mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("name", ["deit_tiny_patch16_224", "deit_tiny_patch16_224.fb_in1k"])
def test_timms_names_of_the_projects_networks(name: str):
    network = get_network(name)
    assert network == DEIT_TINY
    assert network.timm.name == name


def test_a_network_of_the_same_shape_has_its_own_name():
    """Its attention is not DeiT's."""
    vit = get_network("vit_tiny_patch16_224")
    assert vit.name == "vit_tiny_patch16_224"
    assert dataclasses.replace(vit, name=DEIT_TINY.name) == DEIT_TINY
    assert get_network("vit_tiny_patch16_224.augreg_in21k_ft_in1k") == vit
    other = get_network("vit_tiny_patch16_224.augreg_in21k")
    assert (other.name, other.classes) == ("vit_tiny_patch16_224.augreg_in21k", 21843)


SHAPES = {
    "vit_tiny_patch16_384": {"grid": (24, 24), "tokens": 577, "heads": 3},
    "deit3_small_patch16_384": {"grid": (24, 24), "heads": 6, "prefix_tokens": 1},
    "deit_tiny_distilled_patch16_224": {"tokens": 198, "readout": Readout.DISTILLED},
    "vit_small_patch14_reg4_dinov2": {"grid": (37, 37), "prefix_tokens": 5, "classes": 0},
    "vit_small_patch14_reg4_dinov2+img_size=224": {"grid": (16, 16), "tokens": 261},
    "vit_base_patch32_224": {"patch": (32, 32), "tokens": 50},
    "deit_tiny+num_classes=100+img_size=192x256": {"grid": (12, 16), "classes": 100},
    "deit_tiny+class_token=false+global_pool=avg": {
        "prefix_tokens": 0,
        "readout": Readout.MEAN,
        "final_norm": FinalNorm.AFTER_READOUT,
    },
    "plain_vit+embed_dim=60+num_heads=3+depth=2+mlp_ratio=2.5": {
        "head_dim": 20,
        "layers": 2,
        "hidden": 150,
    },
}


@pytest.mark.parametrize("name", SHAPES)
def test_any_plain_network(name: str):
    network = get_network(name)
    assert {key: getattr(network, key) for key in SHAPES[name]} == SHAPES[name]
    assert get_network(network.name) == network


def test_changes_in_any_order_are_one_network():
    names = {
        get_network(f"deit_tiny{first}{second}").name
        for first, second in itertools.permutations(("+num_classes=100", "+img_size=192"))
    }
    assert names == {"deit_tiny+img_size=192+num_classes=100"}
    assert get_network("deit_tiny_patch16_224+img_size=192").name == "deit_tiny+img_size=192"


FILE = """
img_size: [32, 48]
patch_size: 8
embed_dim: 24
depth: 3
num_heads: 4
num_classes: 7
reg_tokens: 2
init_values: 1e-5
act_layer: quick_gelu
mean: 0.25
std: [0.5, 0.25, 0.125]
crop_pct: 0.75
interpolation: bilinear
"""


def test_a_file(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text(FILE)
    network = get_network(str(path))
    assert (network.name, network.grid, network.prefix_tokens) == ("mine", (4, 6), 3)
    assert (network.heads, network.head_dim, network.layers, network.classes) == (4, 6, 3, 7)
    model = network.timm.create()
    assert model.blocks[0].ls1.gamma[0].item() == pytest.approx(1e-5)
    assert model.blocks[0].mlp.act(torch.tensor(1.0)) == pytest.approx(1 / (1 + math.exp(-1.702)))
    config = resolve_model_data_config(model)
    assert config["input_size"] == (3, 32, 48)
    assert config["mean"] == (0.25, 0.25, 0.25)
    assert config["std"] == (0.5, 0.25, 0.125)
    assert (config["crop_pct"], config["interpolation"]) == (0.75, "bilinear")


def test_a_file_that_changes_timms_network(tmp_path: Path):
    """What it leaves out is as timm has it."""
    path = tmp_path / "small.yml"
    path.write_text("model: vit_tiny_patch16_224\nnum_classes: 12\ncrop_pct: 1.0\n")
    network = get_network(str(path))
    assert (network.classes, network.heads) == (12, 3)
    found = network.timm.preprocessing
    assert (found.mean, found.crop_pct) == ((0.5, 0.5, 0.5), 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("embed_dim: 24\nnum_heads: 5\n", "timm cannot make plain_vit.*divisible"),
        ("model: vit_tiny\n", "line 1: model: timm has no 'vit_tiny': expected"),
        ("depth: 2\ndepht: 3\n", "line 2: unknown key 'depht': did you mean 'depth'"),
        ("depth: two\n", "line 1: depth: input should be a valid integer, found 'two'"),
        ("mean: 0.5\n", "expected mean and std, or the name of a timm model"),
        ("mean: 0.5\nstd: 0\n", "std: input should be greater than 0"),
        ("act_layer: geglu\n", "act_layer: input should be 'gelu', 'gelu_tanh'"),
    ],
)
def test_refused_files(tmp_path: Path, text: str, message: str):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as refused:
        get_network(str(path))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vit_tny", "unknown model 'vit_tny': did you mean 'deit_tiny'. expected one of deit_tiny"),
        ("deit_tiny_patch16_224.magic", "did you mean 'deit_tiny_patch16_224.fb_in1k'"),
        ("deit_tiny+size=3", "unknown key 'size': did you mean 'img_size'"),
        ("deit_tiny+img_size", "found 'img_size', expected each change once"),
        ("deit_tiny+depth=2+depth=3", "found 'depth=3', expected each change once"),
        ("deit_tiny+img_size=225", "its pictures are .225, 225.*patches of .16, 16. fill"),
        ("deit_tiny+num_heads=5", "dim should be divisible by num_heads"),
        ("swin_tiny_patch4_window7_224", "it is a SwinTransformer .attention within windows."),
        ("beit_base_patch16_224", "it is a Beit .relative position bias"),
        ("vit_giant_patch14_dinov2", "its FFN is GluMlp.*no gate"),
        ("vit_tiny_r_s16_p8_224", "its patches come from HybridEmbed.*one convolution"),
        ("vit_so400m_patch14_siglip_224", "its global_pool is 'map'"),
        ("nothing.yaml", "cannot read nothing.yaml"),
    ],
)
def test_refused_names(name: str, message: str):
    with pytest.raises(UserError, match=message) as refused:
        get_network(name)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["plain_vit", "deit_tiny+depth=3", "deit_tiny+num_classes=10"])
def test_weights_that_timm_does_not_have(name: str):
    """timm itself would leave what is missing at random."""
    with pytest.raises(UserError, match="name a file with --weights"):
        get_network(name).timm.create(pretrained=True)


def test_a_larger_picture_interpolates_position_embeddings():
    """As timm does where it loads its own weights."""
    small = get_network("plain_vit+img_size=32+patch_size=8+embed_dim=8+num_heads=2+depth=1")
    large = get_network(f"{small.name}".replace("img_size=32", "img_size=48x64"))
    tensors, model = small.timm.create().state_dict(), large.timm.create()
    found = large.timm.resized(model, tensors)
    assert found["pos_embed"].shape == (1, 1 + 6 * 8, 8)
    assert torch.equal(found["pos_embed"][:, :1], tensors["pos_embed"][:, :1])
    grid = tensors["pos_embed"][:, 1:].reshape(1, 4, 4, 8).permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(
        grid, size=(6, 8), mode="bicubic", antialias=True, align_corners=False
    )
    torch.testing.assert_close(found["pos_embed"][0, 1:].T.reshape(8, 6, 8), expected[0])
    others = tensors.keys() - {"pos_embed"}
    assert all(found[name] is tensors[name] for name in others)
