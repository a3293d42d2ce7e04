"""Which step wrote what a dumping program stores, by names that the list below spells out."""

import pytest

from model.network.readout import Readout
from model.network.shape import Network
from model.program.steps import network_steps
from model.program.writers import unit_of, writers
from rtl_gen.presets import PRESETS

EXPECTED = {
    "embedding": ("linear", "patch_embedding"),
    "layers.0.norm1": ("norm", "layer_norm"),
    "layers.0.q.0": ("linear", "qkv"),
    "layers.0.k.1": ("linear", "qkv"),
    "layers.0.v.1": ("linear", "qkv"),
    "layers.0.attention": ("attention", "attention"),
    "layers.0.importance": ("attention", "attention"),
    "layers.0.survivors": ("prune", "pruning"),
    "layers.0.x_mid": ("linear", "projection"),
    "layers.0.norm2": ("norm", "layer_norm"),
    "layers.0.hidden": ("linear", "ffn"),
    "layers.0.x_out": ("linear", "ffn"),
    "logits": ("linear", "classifier"),
}


@pytest.mark.parametrize("keep", [5, None])
def test_of_a_class_token(keep):
    shape = Network(name="one", heads=2, layers=1, head_dim=8, grid=(4, 4), patch=(2, 4))
    assert EXPECTED.items() <= _written(shape, keep).items()


def test_of_a_mean():
    shape = Network(
        name="mean", heads=2, layers=1, head_dim=8, grid=(4, 4), patch=(2, 4), readout=Readout.MEAN
    )
    expected = EXPECTED | {"pooled": ("pool", "classifier"), "norm": ("norm", "layer_norm")}
    assert expected.items() <= _written(shape, 5).items()


def _written(shape: Network, keep: int | None) -> dict[str, tuple[str, str]]:
    config = PRESETS["tiny"]
    found = writers(config, network_steps(config, shape, [keep], dump=True))
    return {name: (unit_of(step), step.operation) for name, step in found.items()}
