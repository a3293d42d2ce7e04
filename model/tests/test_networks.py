"""The supported networks: their shapes and names against timm's own models."""

import pytest
import timm
import torch

from model.networks import ALL_NETWORKS, DEIT_TINY, NETWORKS, get_network, registered, timm_name
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


@pytest.mark.parametrize(
    "name",
    [
        "deit_tiny_patch16_224",
        "deit_tiny_patch16_224.fb_in1k",
        "vit_tiny_patch16_224",
        "vit_tiny_patch16_224.augreg_in21k_ft_in1k",
    ],
)
def test_timms_names(name: str):
    assert get_network(name) is DEIT_TINY


@pytest.mark.parametrize(
    "name", ["deit_huge", "deit_tiny_patch16_224.magic", "vit_tiny_patch16_224.augreg_in21k"]
)
def test_unknown_models(name: str):
    """Of the last one the head has 21,843 classes."""
    with pytest.raises(UserError, match=f"unknown model '{name}': expected one of deit_tiny"):
        get_network(name)
