"""Polarisation: a permutation that keeps the mask, thresholds by brute force, real masks."""

import numpy as np
import pytest

from model.attention.maps import load_attention_maps
from model.masks.polarisation import otsu_threshold, polarise
from model.masks.strategies import make_masks


def best_split(counts: np.ndarray) -> float:
    """Smallest sum of squared distances from the class means over all splits of two classes."""
    return min(
        counts[counts <= t].var() * (counts <= t).sum()
        + counts[counts > t].var() * (counts > t).sum()
        for t in set(counts.tolist()) - {counts.max()}
    )


@pytest.mark.parametrize("seed", range(20))
def test_otsu_minimises_the_variance_within(seed: int):
    rng = np.random.default_rng(seed)
    counts = np.concatenate([rng.binomial(197, p, size=98) for p in rng.random(2)])
    t = otsu_threshold(counts)
    low, high = counts[counts <= t], counts[counts > t]
    within = low.var() * low.size + high.var() * high.size
    assert within == pytest.approx(best_split(counts))


def test_equal_counts_have_no_globals():
    assert otsu_threshold(np.full(10, 7)) == 7


def test_known_globals():
    """Columns 3, 7 and 12 are kept by 90 % of the rows, the others by 10 %."""
    rng = np.random.default_rng(0)
    chance = np.full(40, 0.1)
    chance[[3, 7, 12]] = 0.9
    masks = rng.random((1, 1, 40, 40)) < chance
    masks[..., 0] = True
    result = polarise(masks, prefix=1)
    rest = [token for token in range(40) if token not in (0, 3, 7, 12)]
    assert result.globals.tolist() == [[4]]
    assert result.order[0, 0].tolist() == [0, 3, 7, 12, *rest]
    front = masks[0, 0][:, [0, 3, 7, 12]]
    assert result.dense_density[0, 0] == pytest.approx(front.mean())
    assert result.sparse_density[0, 0] == pytest.approx(masks[0, 0][:, rest].mean())


@pytest.mark.parametrize("sparsity", [0.5, 0.6, 0.7, 0.8])
def test_real_masks(sparsity: float):
    masks = make_masks(load_attention_maps("deit_tiny").maps, sparsity, prefix=1)
    result = polarise(masks, prefix=1)
    assert (np.sort(result.order, axis=-1) == np.arange(197)).all()
    assert (result.order[..., 0] == 0).all()
    polarised = result.apply(masks)
    assert np.array_equal(result.restore(polarised), masks)
    counts = polarised.sum(axis=2)
    for place in np.ndindex(result.globals.shape):
        number = result.globals[place]
        assert 1 <= number < 160
        assert counts[place][:number].min() > counts[place][number:].max()
        assert result.dense_density[place] > max(0.5, result.sparse_density[place])
    kept = result.dense_density * result.globals + result.sparse_density * (197 - result.globals)
    assert kept.sum() * 197 == pytest.approx(masks.sum())


def test_dense_mask_is_sparse_part_free_of_globals_beyond_cls():
    result = polarise(np.ones((1, 1, 6, 6), dtype=bool), prefix=1)
    assert result.globals.tolist() == [[1]]


def test_prefix_tokens_are_global():
    """However few rows keep them; without a prefix nothing has to be."""
    masks = np.random.default_rng(1).random((1, 2, 30, 30)) < 0.1
    assert polarise(masks, prefix=5).order[0, :, :5].tolist() == [[0, 1, 2, 3, 4]] * 2
    assert (polarise(masks, prefix=5).globals == 5).all()
    free = polarise(masks, prefix=0)
    assert (free.globals == 0).all()
    assert (free.dense_density == 0).all()
    np.testing.assert_allclose(free.sparse_density, masks.mean(axis=(2, 3)))
