"""Balanced rows against the rule spelled out in plain Python."""

import numpy as np
import pytest

from model.attention.mask_source import MaskSource
from model.attention.synthetic import maps_of
from model.masks.balance import beats_of_entries, of_entries, sums_of_beats
from model.masks.strategies import LEARNED, STRATEGY_NAMES, make_masks, row_beats, sparsity_of
from model.network.names import DEIT_TINY
from rtl_gen.errors import UserError


def random_maps(seed: int, tokens: int = 21) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(tokens, 0.3), size=(3, 2, tokens))


@pytest.mark.parametrize("lanes", [2, 4, 8])
@pytest.mark.parametrize("prefix", [0, 1, 3])
def test_beats_are_ranks_in_banks(lanes: int, prefix: int):
    maps = random_maps(lanes)
    stays = np.broadcast_to(np.arange(maps.shape[-1]) < prefix, maps.shape)
    beats = beats_of_entries(maps, stays, lanes)
    for layer, head, row in np.ndindex(maps.shape[:3]):
        for bank in range(lanes):
            tokens = list(range(bank, maps.shape[-1], lanes))
            tokens.sort(key=lambda j: (j >= prefix, -maps[layer, head, row, j] * (j >= prefix), j))
            assert [beats[layer, head, row, token] for token in tokens] == list(range(len(tokens)))


def test_ties_keep_the_lower_index():
    nothing = np.zeros(7, dtype=np.bool_)
    assert beats_of_entries(np.full(7, 1 / 7), nothing, 2).tolist() == [0, 0, 1, 1, 2, 2, 3]


def test_sums_and_values_of_beats():
    beats = np.array([[0, 1, 1, 0], [1, 1, 0, 0]])
    values = np.array([[1.0, 2.0, 4.0, 8.0], [1.0, 2.0, 4.0, 8.0]])
    sums = sums_of_beats(values, beats)
    assert sums.tolist() == [[9.0, 6.0], [12.0, 3.0]]
    assert of_entries(sums, beats).tolist() == [[9.0, 6.0, 6.0, 9.0], [3.0, 3.0, 12.0, 12.0]]


def by_hand(maps: np.ndarray, lanes: int, threshold: float) -> np.ndarray:
    """ViTCoD's rule, one beat after the other; the first beats and CLS's row are whole."""
    kept = np.zeros(maps.shape, dtype=bool)
    for layer, head, row in np.ndindex(maps.shape[:3]):
        values = maps[layer, head, row]
        banks = [
            sorted(range(bank, len(values), lanes), key=lambda j, v=values: (j > 0, -v[j]))
            for bank in range(lanes)
        ]
        beats = [[bank[t] for bank in banks if t < len(bank)] for t in range(len(banks[0]))]
        kept[layer, head, row, beats[0]] = True
        total = 0.0
        for beat in sorted(beats, key=lambda beat, v=values: -v[beat].sum()):
            if total >= threshold:
                break
            kept[layer, head, row, beat] = True
            total += values[beat].sum()
    kept[:, :, 0] = kept[..., 0] = True
    np.put_along_axis(kept, maps.argmax(axis=-1, keepdims=True), values=True, axis=-1)
    return kept


@pytest.mark.parametrize("sparsity", [0.3, 0.5, 0.7])
def test_rule_by_hand(sparsity: float):
    maps = random_maps(5)
    kept = make_masks(maps, sparsity, "vitcod+lanes=4", prefix=1)
    wanted = round(sparsity * maps.size) / maps.size
    low, high = 0.0, 1.1
    for _ in range(60):
        middle = (low + high) / 2
        if sparsity_of(by_hand(maps, 4, middle)) >= wanted:
            low = middle
        else:
            high = middle
    assert np.array_equal(kept, by_hand(maps, 4, low))


@pytest.mark.parametrize("strategy", STRATEGY_NAMES)
@pytest.mark.parametrize("lanes", [8, 16])
def test_lanes_hardly_wait(strategy: str, lanes: int):
    """At 80 %, rows take the beats that their entries fill; unbalanced ones 1.3 times as many."""
    source = MaskSource(sparsity=0.8, strategy=f"{strategy}+lanes={lanes}")
    masks = source.masks(DEIT_TINY)
    assert sparsity_of(masks) == pytest.approx(0.8, abs=1e-4)
    assert masks.sum() / (row_beats(masks, lanes).sum() * lanes) > 0.98
    assert masks[:, :, 0].all()
    assert masks[..., 0].all()
    assert source.label == f"0.8-{strategy}+lanes={lanes}"


def test_more_attention_is_kept_than_balance_costs():
    """In whole beats, ViTCoD's rule keeps more of the attention at the same sparsity."""
    maps = maps_of(DEIT_TINY).maps
    plain, balanced = (
        make_masks(maps, 0.8, strategy, prefix=1) for strategy in ("vitcod", "vitcod+lanes=8")
    )
    assert (maps * balanced).sum() > (maps * plain).sum()


def test_scores_of_any_size():
    maps, scores = random_maps(6), np.random.default_rng(1).normal(size=(3, 2, 21, 21))
    kept = make_masks(maps, 0.5, f"{LEARNED}+lanes=4", scores, prefix=1)
    assert np.array_equal(
        kept, make_masks(maps, 0.5, f"{LEARNED}+lanes=4", scores + 5000, prefix=1)
    )


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("magic+lanes=8", "unknown strategy 'magic': expected one of vitcod"),
        ("vitcod+lanes=3", "lanes = 3: expected a power of two from 2 to 16"),
        ("vitcod+lanes=32", "lanes = 32: expected a power of two from 2 to 16"),
        ("vitcod+lanes=0", "lanes = 0: expected a power of two from 2 to 16"),
        ("vitcod+lanes=eight", r"expected vitcod or vitcod\+lanes=8"),
        ("vitcod+lanes=true", r"expected vitcod or vitcod\+lanes=8"),
        ("vitcod+banks=8", r"expected vitcod or vitcod\+lanes=8"),
        ("vitcod+lanes", "found 'lanes', expected each change once"),
    ],
)
def test_bad_names(strategy: str, message: str):
    with pytest.raises(UserError, match=message):
        make_masks(random_maps(4), 0.5, strategy, prefix=1)
