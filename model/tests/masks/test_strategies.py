"""Mask strategies against the rules spelled out in plain Python."""

import numpy as np
import pytest

from model.attention.maps import load_attention_maps
from model.masks.strategies import (
    STRATEGIES,
    check_maps,
    check_reach,
    make_masks,
    row_beats,
    sparsity_of,
)
from rtl_gen.errors import UserError


def random_maps(seed: int, shape=(3, 2), tokens: int = 13) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(tokens, 0.3), size=(*shape, tokens))


def threshold_rule(maps: np.ndarray, threshold: float) -> np.ndarray:
    """ViTCoD's rule, one entry after the other."""
    kept = np.zeros(maps.shape, dtype=bool)
    for layer, head, row in np.ndindex(maps.shape[:3]):
        values = maps[layer, head, row].tolist()
        total = 0.0
        for column in sorted(range(len(values)), key=lambda j: (-values[j], j)):
            if total >= threshold:
                break
            kept[layer, head, row, column] = True
            total += values[column]
    kept[:, :, 0, :] = True
    kept[:, :, :, 0] = True
    return kept


def searched(maps: np.ndarray, sparsity: float) -> np.ndarray:
    """The rule at the threshold that bisection finds."""
    low, high = 0.0, 1.1
    for _ in range(60):
        middle = (low + high) / 2
        if 1 - threshold_rule(maps, middle).mean() > sparsity:
            low = middle
        else:
            high = middle
    return threshold_rule(maps, high)


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.6, 0.7])
def test_vitcod_equals_bisection(sparsity: float):
    maps = random_maps(seed=round(100 * sparsity))
    wanted = round(sparsity * maps.size) / maps.size
    assert np.array_equal(make_masks(maps, sparsity, prefix=1), searched(maps, wanted))


def test_row_stops_when_the_sum_reaches_the_threshold():
    """Patch rows of halves, quarters and eighths: the sums 1/2 and 3/4 are met exactly."""
    row = [0.0, 0.125, 0.5, 0.25, 0.125]
    maps = np.array([[[[0.2] * 5, row, row, row, row]]])
    one, two = 0b10100, 0b10110
    for entries, expected in ((3 * 4, one), (2 * 4, two)):
        kept = make_masks(maps, entries / 25, prefix=1)[0, 0, 1:]
        columns = [bool(expected >> (4 - j) & 1) for j in range(5)]
        assert kept.tolist() == [columns] * 4


def test_ties_keep_the_lower_index():
    maps = np.full((1, 1, 8, 8), 1 / 8)
    kept = make_masks(maps, 28 / 64, "row_topk", prefix=1)[0, 0]
    assert kept[1:].tolist() == [[True] * 4 + [False] * 4] * 7
    kept = make_masks(maps, 28 / 64, "vitcod", prefix=1)[0, 0]
    assert kept[1:].tolist() == [[True] * 4 + [False] * 4] * 7


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.8])
def test_every_strategy(strategy: str, sparsity: float):
    maps = random_maps(3, tokens=31)
    kept = make_masks(maps, sparsity, strategy, prefix=1)
    assert kept.dtype == np.bool_
    assert sparsity_of(kept) == pytest.approx(sparsity, abs=0.5 / maps.size + 1e-9)
    assert kept[:, :, 0, :].all()
    assert kept[:, :, :, 0].all()
    assert np.take_along_axis(kept, maps.argmax(axis=-1, keepdims=True), axis=-1).all()


def test_budgets():
    maps = load_attention_maps("deit_tiny").maps
    by_layer = make_masks(maps, 0.7, "layer_threshold", prefix=1).mean(axis=(1, 2, 3))
    assert by_layer == pytest.approx(0.3, abs=0.005)
    of_rows = make_masks(maps, 0.7, "row_topk", prefix=1)[:, :, 1:].sum(axis=-1)
    assert np.percentile(of_rows, [1, 99]).tolist() in ([58, 60], [58, 59], [59, 60])
    assert make_masks(maps, 0.7, prefix=1).mean(axis=(1, 2, 3)).std() > 0.1


def test_row_beats():
    rng = np.random.default_rng(2)
    masks = rng.random((2, 3, 11, 11)) < 0.4
    for lanes in (2, 4, 8):
        beats = row_beats(masks, lanes)
        for place in np.ndindex(beats.shape):
            banks = [0] * lanes
            for token in range(11):
                banks[token % lanes] += bool(masks[place][token])
            assert beats[place] == max(*banks, 1)


@pytest.mark.parametrize(
    ("sparsity", "strategy", "message"),
    [
        (1.0, "vitcod", "sparsity = 1.0"),
        (-0.1, "vitcod", "sparsity = -0.1"),
        (80, "vitcod", "sparsity = 80"),
        (float("nan"), "vitcod", "sparsity = nan"),
        (0.99, "vitcod", "expected at most 0.7"),
        (0.5, "magic", "unknown strategy 'magic': expected one of vitcod"),
    ],
)
def test_bad_choices(sparsity: float, strategy: str, message: str):
    with pytest.raises(UserError, match=message):
        make_masks(random_maps(4), sparsity, strategy, prefix=1)


@pytest.mark.parametrize(
    "maps",
    [
        np.full((2, 3, 4), 0.25),
        np.full((1, 1, 3, 4), 0.25),
        np.full((1, 1, 4, 4), 0.5),
        np.full((1, 1, 4, 4), np.nan),
    ],
)
def test_bad_maps(maps: np.ndarray):
    with pytest.raises(UserError, match="attention maps"):
        make_masks(maps, 0.5, prefix=1)


@pytest.mark.parametrize(("prefix", "most"), [(0, 56 / 64), (1, 42 / 64), (3, 20 / 64)])
def test_reach_by_prefix(prefix: int, most: float):
    """Eight tokens on a diagonal of attention: 8 - p of the other rows' entries stay."""
    maps = np.full((1, 1, 8, 8), 0.01) + 0.92 * np.eye(8)
    kept = make_masks(maps, most, prefix=prefix)
    assert kept.sum() == 64 - round(64 * most)
    with pytest.raises(UserError, match="expected at most"):
        make_masks(maps, most + 1 / 64, prefix=prefix)
    asked = []
    check_reach(most, 8, prefix, lambda: asked.append(1) or [])
    assert not asked
    check_reach(most + 0.01, 8, prefix, lambda: asked.append(1) or [])
    assert asked


def test_maps_of_two_tokens_are_the_smallest():
    check_maps(random_maps(seed=0, tokens=2))
    with pytest.raises(UserError, match=r"shape \(3, 2, 1, 1\): expected .*, n > 1"):
        check_maps(random_maps(seed=0, tokens=1))


def test_the_largest_sparsity_is_told():
    """CLS's row and column stay, and of 12 rows a head the largest entry, if it is not CLS's."""
    maps = random_maps(4)
    largest = np.count_nonzero(maps[:, :, 1:].argmax(axis=-1))
    thousandths = (6 * 12 * 12 - largest) * 1000 // (6 * 13 * 13)
    with pytest.raises(UserError, match=f"expected at most {thousandths / 1000}$"):
        make_masks(maps, 0.99, "vitcod", prefix=1)
