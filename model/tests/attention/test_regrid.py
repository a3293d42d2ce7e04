"""Attention of one grid as that of another: by formulas, and the labels of the maps."""

from dataclasses import replace

import numpy as np
import pytest

from model.attention.maps import load_attention_maps
from model.attention.regrid import Regrid, bilinear
from model.attention.synthetic import maps_of, synthetic_maps
from model.masks.strategies import make_masks, sparsity_of
from model.network.names import DEIT_TINY, get_network
from model.network.shape import Network

SOURCE = Network(name="source", heads=1, grid=(4, 4), prefix_tokens=1)


def some_attention(tokens: int) -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.ones(tokens), size=tokens)


def test_weights_by_hand():
    """Centres of three parts of two lie at -1/6, 1/2 and 7/6 of the way between their centres."""
    expected = [[1, 0], [0.5, 0.5], [0, 1]]
    np.testing.assert_allclose(bilinear(2, 3), expected)
    np.testing.assert_allclose(bilinear(4, 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    np.testing.assert_allclose(bilinear(1, 3), [[1], [1], [1]])
    np.testing.assert_allclose(bilinear(5, 5), np.eye(5))


def test_the_same_grid_stays_as_it_is():
    attention = some_attention(17)
    np.testing.assert_allclose(Regrid(SOURCE, SOURCE)(attention), attention, rtol=1e-12)


def test_halved_grids_are_means_of_four():
    """What patches give each other is the mean of 2 x 2 patches, scaled to the row's share."""
    attention = some_attention(17)
    found = Regrid(SOURCE, replace(SOURCE, grid=(2, 2)))(attention)
    four = attention[1:, 1:].reshape(2, 2, 2, 2, 2, 2, 2, 2).mean(axis=(1, 3, 5, 7)).reshape(4, 4)
    share = 1 - attention[1:, 0].reshape(2, 2, 2, 2).mean(axis=(1, 3)).reshape(4)
    np.testing.assert_allclose(found[1:, 0], 1 - share)
    np.testing.assert_allclose(
        found[1:, 1:], four / four.sum(axis=1, keepdims=True) * share[:, None]
    )


@pytest.mark.parametrize("prefix", [0, 1, 2, 5])
@pytest.mark.parametrize("grid", [(4, 4), (3, 7), (8, 2)])
def test_prefix_tokens_share_what_the_class_token_gets(grid: tuple[int, int], prefix: int):
    attention = some_attention(17)
    found = Regrid(SOURCE, replace(SOURCE, grid=grid, prefix_tokens=prefix))(attention)
    assert found.shape == (prefix + grid[0] * grid[1],) * 2
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    if prefix:
        one = Regrid(SOURCE, replace(SOURCE, grid=grid))(attention)
        np.testing.assert_allclose(found[prefix:, :prefix].sum(axis=1), one[1:, 0])
        np.testing.assert_allclose(found[:prefix, :prefix].sum(axis=1), one[0, 0])
        np.testing.assert_allclose(found[prefix:, prefix:], one[1:, 1:])


LABELS = {
    "deit_tiny": "measured",
    "vit_digits": "measured",
    "deit_small": "synthetic",
    "vit_tiny_patch16_224": "synthetic",
    "deit_tiny+depth=5": "resampled",
    "deit_tiny+img_size=64x96": "resampled",
    "deit_tiny_distilled_patch16_224": "resampled",
}


@pytest.mark.parametrize("name", LABELS)
def test_labels(name: str):
    network = get_network(name)
    maps = maps_of(network)
    assert maps.label == LABELS[name]
    assert maps.maps.shape == network.mask_shape
    assert maps.metadata["network"] == network.name
    np.testing.assert_allclose(maps.maps.sum(axis=-1), 1, rtol=1e-9)


def test_layers_at_the_same_relative_depth(monkeypatch: pytest.MonkeyPatch):
    """A quarter of the layers: the middle ones of each three."""
    monkeypatch.setattr("model.attention.synthetic.resample", lambda maps, *_: maps)
    shallow = synthetic_maps(get_network("deit_tiny+depth=4")).maps
    np.testing.assert_array_equal(shallow, load_attention_maps("deit_tiny").maps[[1, 4, 7, 10]])


def test_a_shape_of_the_same_name_gets_no_measured_maps():
    assert maps_of(replace(DEIT_TINY, layers=3)).label == "resampled"


@pytest.mark.parametrize("prefix", [0, 2, 5])
def test_masks_keep_the_prefix(prefix: int):
    network = Network(name="some", heads=2, layers=2, grid=(4, 5), prefix_tokens=prefix)
    masks = make_masks(synthetic_maps(network).maps, 0.4, prefix=prefix)
    assert sparsity_of(masks) == pytest.approx(0.4, abs=1 / masks.size)
    assert masks[:, :, :prefix].all()
    assert masks[..., :prefix].all()
    assert not masks[:, :, prefix].all()
    assert not masks[..., prefix].all()
