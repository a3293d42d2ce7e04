"""Synthetic maps keep the statistics of the measured ones; synthetic Q and K give their map."""

import numpy as np
import pytest

from model.attention.maps import load_attention_maps
from model.attention.synthetic import (
    grid_symmetries,
    maps_of,
    qkv_from_attention,
    resample,
    synthetic_maps,
)
from model.masks.strategies import make_masks, row_beats
from model.network.names import DEIT_BASE, DEIT_SMALL, DEIT_TINY
from rtl_gen.errors import UserError


@pytest.fixture(scope="module")
def measured() -> np.ndarray:
    return load_attention_maps("deit_tiny").maps


@pytest.mark.parametrize("network", [DEIT_SMALL, DEIT_BASE], ids=lambda network: network.name)
def test_maps(network):
    maps = synthetic_maps(network, seed=3)
    assert maps.maps.shape == network.mask_shape
    assert maps.synthetic
    assert maps.metadata["network"] == network.name
    np.testing.assert_allclose(maps.maps.sum(axis=-1), 1, rtol=1e-12)
    assert np.array_equal(maps.maps, synthetic_maps(network, seed=3).maps)
    assert not np.array_equal(maps.maps, synthetic_maps(network, seed=4).maps)


def test_heads_differ():
    """No two masks of a layer are nearly alike (layer 0 aside, where a head sees only itself)."""
    masks = make_masks(synthetic_maps(DEIT_BASE).maps, 0.8, prefix=1)
    for layer in masks[1:, :, 1:, 1:]:
        heads = layer.reshape(len(layer), -1).astype(float)
        both = heads @ heads.T
        either = heads.sum(axis=1)[:, None] + heads.sum(axis=1) - both
        assert (both / either)[~np.eye(len(heads), dtype=bool)].max() < 0.9


def test_measured_maps_come_first():
    assert not maps_of(DEIT_TINY).synthetic
    assert maps_of(DEIT_SMALL).synthetic


def mean_reach(maps: np.ndarray) -> np.ndarray:
    """Mean distance, in patches, from queries to the patches they attend to; one value a layer."""
    place = np.array([divmod(patch, 14) for patch in range(196)])
    distance = np.linalg.norm(place[:, None] - place[None], axis=-1)
    patches = maps[:, :, 1:, 1:]
    return (patches * distance).sum(axis=(1, 2, 3)) / patches.sum(axis=(1, 2, 3))


@pytest.mark.parametrize("sparsity", [0.5, 0.8])
@pytest.mark.parametrize("heads", [3, 12])
def test_statistics_of_the_measured_maps(measured: np.ndarray, sparsity: float, heads: int):
    real = make_masks(measured, sparsity, prefix=1)
    drawn = resample(measured, heads, seed=0, prefix=1)
    masks = make_masks(drawn, sparsity, prefix=1)
    by_layer = (1, 2, 3)
    np.testing.assert_allclose(masks.mean(axis=by_layer), real.mean(axis=by_layer), atol=0.002)
    beats, real_beats = row_beats(masks, 8), row_beats(real, 8)
    assert beats.mean() == pytest.approx(real_beats.mean(), rel=0.03)
    np.testing.assert_allclose(beats.mean(axis=(1, 2)), real_beats.mean(axis=(1, 2)), rtol=0.1)
    columns, real_columns = masks.sum(axis=2), real.sum(axis=2)
    assert columns.std(axis=-1).mean() == pytest.approx(real_columns.std(axis=-1).mean(), rel=0.1)
    reach, real_reach = mean_reach(drawn), mean_reach(measured)
    np.testing.assert_allclose(reach, real_reach, rtol=0.1)
    cls, real_cls = drawn[..., 0], measured[..., 0]
    np.testing.assert_allclose(cls.mean(axis=(1, 2)), real_cls.mean(axis=(1, 2)), rtol=1e-9)


def test_symmetries_keep_distances():
    orders = grid_symmetries(16, prefix=1)
    assert len({tuple(order) for order in orders}) == 8
    place = np.array([divmod(patch, 4) for patch in range(16)])
    distance = np.linalg.norm(place[:, None] - place[None], axis=-1)
    for order in orders:
        assert order[0] == 0
        turned = order[1:] - 1
        np.testing.assert_array_equal(distance[np.ix_(turned, turned)], distance)
    with pytest.raises(UserError, match="expected a square grid"):
        grid_symmetries(15, prefix=1)


def softmax_of(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    weights = np.exp(q @ k.T / q.shape[1] ** 0.5)
    return weights / weights.sum(axis=1, keepdims=True)


def test_qkv_of_low_rank_attention_is_exact():
    rng = np.random.default_rng(1)
    scores = rng.standard_normal((50, 7)) @ rng.standard_normal((7, 50)) / 2
    attention = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    q, k, v = qkv_from_attention(attention, head_dim=8, seed=2)
    assert q.shape == k.shape == v.shape == (50, 8)
    np.testing.assert_allclose(softmax_of(q, k), attention, rtol=1e-6)


def test_qkv_with_more_channels_than_tokens():
    attention = np.random.default_rng(4).dirichlet(np.ones(9), size=9)
    q, k, _ = qkv_from_attention(attention, head_dim=16)
    np.testing.assert_allclose(softmax_of(q, k), attention, rtol=1e-6)


def test_qkv_of_measured_attention(measured: np.ndarray):
    for layer, head, most in ((0, 2, 0.25), (3, 0, 0.05), (9, 1, 0.03), (11, 0, 0.03)):
        attention = measured[layer, head]
        q, k, v = qkv_from_attention(attention)
        moved = np.abs(softmax_of(q, k) - attention).sum(axis=1).mean() / 2
        assert moved < most, (layer, head)
        assert 0.7 < v.std() < 0.9
        assert q.std(axis=0).max() < 3 * q.std(axis=0).min()
