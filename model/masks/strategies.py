"""Static attention masks from averaged attention maps, at a wanted total sparsity.

A strategy gives every entry of the maps a cost; the cheapest entries of the whole network are kept
until the wanted number is reached, so that sparsity is met to the entry (ties aside) and the
threshold needs no search. Always kept, whatever they cost: rows and columns of the prefix tokens
(CLS and what stands beside it) and the largest entry of every row.

Maps are float (layers, heads, n, n), rows = queries, each row summing to 1. Masks are bool of the
same shape, True = kept. Sparsity is the fraction dropped of all layers * heads * n * n entries.
Equal averages in a row rank by token index, the lower one first.

A name with `+lanes=N`, as in vitcod+lanes=8, balances rows over the N banks of an array: see
model/masks/balance.py.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from model.files.changes import split_changes
from model.files.finite import check_finite
from model.masks.balance import beats_of_entries, of_entries, sums_of_beats
from model.network.shape import Network
from rtl_gen.config import LANES, check_power_of_two
from rtl_gen.errors import UserError

SPARSITY_MEANS = "Sparsity: share of entries dropped, which are True in a mask file"
"""What stands wherever a sparsity of masks is shown."""

Strategy = Callable[[np.ndarray], np.ndarray]
"""From maps (layers, heads, n, n) to the cost of every entry; lower = kept earlier."""


def vitcod_cost(maps: np.ndarray) -> np.ndarray:
    """ViTCoD's rule (HPCA 2023): one information threshold over all layers and heads.

    Each row, sorted in descending order, keeps entries until their sum reaches the threshold: an
    entry is kept if and only if the sum of those before it is below the threshold. That sum is the
    cost. (The authors' code keeps one entry more.)
    """
    order = _descending(maps)
    values = np.take_along_axis(maps, order, axis=-1)
    before = np.cumsum(values, axis=-1)
    before[..., 1:] = before[..., :-1].copy()
    before[..., 0] = 0
    return _scatter(order, before)


def layer_threshold_cost(maps: np.ndarray) -> np.ndarray:
    """ViTCoD's rule with one threshold a layer, so that all are about equally sparse."""
    layers = maps.shape[0]
    order = np.argsort(vitcod_cost(maps).reshape(layers, -1), axis=-1, kind="stable")
    rank = _scatter(order, np.broadcast_to(np.arange(order.shape[-1]), order.shape))
    earlier_layers_first = np.arange(layers)[:, None] / layers
    return (rank + earlier_layers_first).reshape(maps.shape)


def row_topk_cost(maps: np.ndarray) -> np.ndarray:
    """Every row keeps its k largest entries; of the rows' (k+1)-th, the largest fill the budget."""
    order = _descending(maps)
    rank = _scatter(order, np.broadcast_to(np.arange(order.shape[-1]), order.shape))
    return rank - maps / 2


MASK_STRATEGY = "vitcod"
"""How the paper makes masks."""

STRATEGIES: dict[str, Strategy] = {
    MASK_STRATEGY: vitcod_cost,
    "layer_threshold": layer_threshold_cost,
    "row_topk": row_topk_cost,
}
"""Those that follow from averaged maps alone."""

LEARNED = "learned"
"""The strategy whose costs are negative scores, learned from images (`attention.entry_scores`)."""

SCORE_TIE = 1 / 64
"""Averaged attention decides between scores that are alike."""

STRATEGY_NAMES = (*STRATEGIES, LEARNED)


@dataclass(frozen=True)
class MaskRule:
    """A strategy, and over how many banks it balances rows; None: it does not."""

    strategy: str
    lanes: int | None

    @classmethod
    def named(cls, name: str) -> "MaskRule":
        """From a name as users write it.

        Raises:
            UserError: there is no such strategy, or no array of so many lanes.
        """
        strategy, changes = split_changes(name, "strategy")
        if strategy not in STRATEGY_NAMES:
            expected = ", ".join(STRATEGY_NAMES)
            raise UserError(f"unknown strategy {strategy!r}: expected one of {expected}")
        lanes = changes.pop("lanes", None)
        if changes or type(lanes) not in (int, type(None)):
            raise UserError(f"strategy {name!r}: expected {strategy} or {strategy}+lanes=8")
        if lanes is not None:
            check_power_of_two(f"strategy {name!r}: lanes", lanes, *LANES)
        return cls(strategy, lanes)


def make_masks(
    maps: np.ndarray,
    sparsity: float,
    strategy: str = MASK_STRATEGY,
    scores: np.ndarray | None = None,
    *,
    prefix: int,
) -> np.ndarray:
    """Masks (True = kept) of the wanted sparsity.

    Args:
        maps: float (layers, heads, n, n).
        sparsity: fraction to drop.
        strategy: one of `STRATEGY_NAMES`, with or without `+lanes=N`.
        scores: as maps, for `LEARNED` alone.
        prefix: tokens in front whose rows and columns stay whole.

    Raises:
        UserError: unknown strategy, maps that are no probabilities, a sparsity out of reach, or no
            scores where the strategy needs them.
    """
    check_choice(sparsity, strategy)
    check_maps(maps)
    rule = MaskRule.named(strategy)
    if rule.strategy == LEARNED:
        scores = _checked_scores(scores, maps)
    if rule.lanes is None:
        costs = _costs(rule.strategy, maps, scores)
    else:
        worth = maps if scores is None else scores + SCORE_TIE * maps
        beats = beats_of_entries(worth, ~_of_no_need(maps, prefix), rule.lanes)
        sums = None if scores is None else _log_sums(scores, beats)
        by_beat = _costs(rule.strategy, sums_of_beats(maps, beats), sums)
        by_beat[..., 0] = -np.inf
        costs = of_entries(by_beat, beats)
    return keep_cheapest(costs, maps, sparsity, prefix)


def _costs(strategy: str, maps: np.ndarray, scores: np.ndarray | None) -> np.ndarray:
    """Of entries, or of beats by what their entries sum to; scores are logarithms."""
    return STRATEGIES[strategy](maps) if scores is None else -scores - SCORE_TIE * maps


def _log_sums(scores: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """Scores of beats from those of their entries, all logarithms to base 2."""
    shares = sums_of_beats(np.exp2(scores - scores.max()), beats)
    return np.log2(np.maximum(shares, np.finfo(np.float64).tiny))


def _checked_scores(scores: np.ndarray | None, maps: np.ndarray) -> np.ndarray:
    """Raise UserError unless there are scores of the maps' entries."""
    if scores is None:
        raise UserError(
            f"strategy {LEARNED} needs scores of the entries: learn some with "
            "`sparse-vit learn-scores`, or choose another strategy"
        )
    if scores.shape != maps.shape:
        raise UserError(f"entry scores have shape {scores.shape}: expected {maps.shape}")
    check_finite("entry scores", scores)
    return scores


def keep_cheapest(costs: np.ndarray, maps: np.ndarray, sparsity: float, prefix: int) -> np.ndarray:
    """Masks that keep the entries of least cost, and those that always stay.

    Raises:
        UserError: a sparsity out of reach.
    """
    droppable = _droppable(maps, sparsity, prefix)
    count = round(sparsity * maps.size)
    candidates = costs[droppable]
    if count == 0:
        return np.ones(maps.shape, dtype=bool)
    position = candidates.size - count
    threshold = np.partition(candidates, position)[position]
    return ~droppable | (costs < threshold)


def _droppable(maps: np.ndarray, sparsity: float, prefix: int) -> np.ndarray:
    """Entries that may be dropped; UserError if they are too few for a sparsity."""
    droppable = _of_no_need(maps, prefix)
    if round(sparsity * maps.size) > np.count_nonzero(droppable):
        share = np.count_nonzero(droppable) / maps.size
        raise UserError(
            f"sparsity = {sparsity}: prefix tokens (CLS) and the largest entry of every row always "
            f"stay, expected at most {np.floor(share * 1000) / 1000}"
        )
    return droppable


def largest_sparsity(maps: np.ndarray, prefix: int) -> float:
    """The most that masks from maps can drop."""
    return np.count_nonzero(_of_no_need(maps, prefix)) / maps.size


def _of_no_need(maps: np.ndarray, prefix: int) -> np.ndarray:
    """All entries but those that always stay."""
    droppable = np.ones(maps.shape, dtype=bool)
    droppable[:, :, :prefix, :] = False
    droppable[:, :, :, :prefix] = False
    largest = np.argmax(maps, axis=-1, keepdims=True)
    np.put_along_axis(droppable, largest, values=False, axis=-1)
    return droppable


def check_reach(
    sparsity: float, tokens: int, prefix: int, maps: Callable[[], Iterable[np.ndarray]]
) -> None:
    """Raise UserError if masks of a sparsity cannot be made; `maps` are asked for if in doubt."""
    patches = tokens - prefix
    most_kept = tokens**2 - patches**2 + patches  # of other rows than the prefix, an entry each
    if sparsity > 1 - most_kept / tokens**2:
        for found in maps():
            _droppable(found, sparsity, prefix)


def check_choice(sparsity: float, strategy: str) -> None:
    """Raise UserError for an unknown strategy or a sparsity that is no fraction."""
    MaskRule.named(strategy)
    if not 0 <= sparsity < 1:
        raise UserError(f"sparsity = {sparsity}: expected a fraction from 0 to below 1")


def sparsity_of(masks: np.ndarray) -> float:
    """Fraction of entries that are dropped."""
    return 1 - np.count_nonzero(masks) / masks.size


def row_beats(masks: np.ndarray, lanes: int) -> np.ndarray:
    """Beats of every row, int (..., n): the most entries that one bank holds, at least one.

    Token j lies in bank j mod lanes, and lanes work on the same row in step.
    """
    padding = -masks.shape[-1] % lanes
    padded = np.pad(masks, [(0, 0)] * (masks.ndim - 1) + [(0, padding)])
    banks = padded.reshape(*masks.shape[:-1], -1, lanes).sum(axis=-2)
    return np.maximum(banks.max(axis=-1), 1)


def check_maps(maps: np.ndarray) -> None:
    """Raise UserError unless `maps` is (layers, heads, n, n) of finite rows that sum to 1."""
    if maps.ndim != 4 or maps.shape[2] != maps.shape[3] or maps.shape[2] < 2 or 0 in maps.shape:
        raise UserError(
            f"attention maps have shape {maps.shape}: expected (layers, heads, n, n), n > 1"
        )
    check_finite("attention maps", maps)
    if not np.all(maps >= 0) or not np.allclose(maps.sum(axis=-1), 1, atol=1e-3):
        raise UserError("attention maps are no probabilities: expected rows >= 0 that sum to 1")


def check_maps_fit(maps: np.ndarray, network: Network, source: str = "") -> None:
    """Raise UserError unless `maps`, of a `source` that is named if it has one, are a network's."""
    if maps.shape != network.mask_shape:
        raise UserError(
            f"attention maps {source and source + ' '}have shape {maps.shape}: expected "
            f"{network.mask_shape} for {network.name}"
        )


def _descending(maps: np.ndarray) -> np.ndarray:
    """Token indices of every row from its largest entry down, ties in token order."""
    return np.argsort(-maps, axis=-1, kind="stable")


def _scatter(order: np.ndarray, values: np.ndarray) -> np.ndarray:
    """values[..., r] put at position order[..., r]."""
    result = np.empty(order.shape, dtype=values.dtype)
    np.put_along_axis(result, order, values, axis=-1)
    return result
