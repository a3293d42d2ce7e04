"""Masks whose kept and dropped entries were swapped are told; no mask of a known rule is."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from model.attention.entry_scores import scores_for
from model.attention.synthetic import maps_of
from model.masks.strategies import LEARNED, STRATEGY_NAMES, make_masks, vitcod_cost
from model.masks.vitcod_file import check_masks, read_masks
from model.network.names import DEIT_BASE, DEIT_TINY, VIT_DIGITS
from model.network.shape import Network
from model.reference.forward import FloatReference
from rtl_gen.errors import InputWarning, UserError

SPARSITIES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
CASES = [
    (network, strategy)
    for network in (DEIT_TINY, DEIT_BASE, VIT_DIGITS)
    for strategy in STRATEGY_NAMES
    if strategy != LEARNED or network == DEIT_TINY
]


@pytest.fixture(scope="module")
def maps() -> dict[str, np.ndarray]:
    networks = (DEIT_TINY, DEIT_BASE, VIT_DIGITS)
    return {network.name: maps_of(network).maps for network in networks}


@pytest.mark.parametrize(("network", "strategy"), CASES, ids=lambda v: getattr(v, "name", v))
def test_own_masks_are_never_told(maps, network: Network, strategy: str):
    scores = scores_for(strategy, network.name)
    fewer = {VIT_DIGITS: SPARSITIES[:-1], DEIT_BASE: (0.5, 0.95)}  # large masks take seconds each
    for sparsity in fewer.get(network, SPARSITIES):
        check_masks(make_masks(maps[network.name], sparsity, strategy, scores, prefix=1), network)


@pytest.mark.parametrize(("network", "strategy"), CASES, ids=lambda v: getattr(v, "name", v))
def test_own_masks_swapped_are_told(maps, network: Network, strategy: str):
    """CLS's row, kept whole by all of them, is dropped whole: the message of the error says why."""
    scores = scores_for(strategy, network.name)
    masks = make_masks(maps[network.name], 0.7, strategy, scores, prefix=1)
    with pytest.raises(UserError, match=r"keeps nothing in layer 0, head 0, row 0 .*look swapped"):
        check_masks(~masks, network)
    swapped = ~masks
    swapped[:, :, 0] = True
    swapped[..., -1] |= ~swapped.any(axis=-1)
    with pytest.warns(InputWarning, match=r"100.0% of CLS's column, 0.0% of its row"):
        check_masks(swapped, network)


def published(maps: np.ndarray, sparsity: float) -> np.ndarray:
    """ViTCoD's rule as its authors coded it: one entry more a row, CLS by its attention alone."""
    costs = vitcod_cost(maps)
    kept = costs <= np.quantile(costs, 1 - sparsity)
    order = np.argsort(np.where(kept, np.inf, costs), axis=-1)
    np.put_along_axis(kept, order[..., :1], values=True, axis=-1)
    return kept


@pytest.mark.parametrize("sparsity", [0.5, 0.7, 0.9, 0.95])
@pytest.mark.parametrize("network", [DEIT_TINY, DEIT_BASE], ids=lambda network: network.name)
def test_masks_of_the_published_rule(maps, network: Network, sparsity: float):
    masks = published(maps[network.name], sparsity)
    check_masks(masks)
    with pytest.warns(InputWarning, match="look swapped"):
        check_masks(~masks)


@pytest.mark.parametrize("window", [1, 3, 10, 30])
def test_windows_without_cls(window: int):
    index = np.arange(197)
    masks = np.broadcast_to(abs(index[:, None] - index) <= window, (2, 3, 197, 197))
    check_masks(masks)
    with pytest.warns(InputWarning, match=r"100.0% of the diagonals"):
        check_masks(~masks)


@pytest.mark.parametrize("tokens", [1, 2, 197])
def test_dense_and_diagonal_masks(tokens: int):
    check_masks(np.ones((1, 1, tokens, tokens), dtype=np.bool_))
    check_masks(np.eye(tokens, dtype=np.bool_)[None, None])


def test_message_has_the_numbers():
    """10 tokens: the swapped mask keeps 9 of 90 entries besides those of CLS's row."""
    masks = np.zeros((1, 1, 10, 10), dtype=np.bool_)
    masks[0, 0, 0] = True
    masks[0, 0, range(1, 10), range(9, 0, -1)] = True  # the other diagonal
    masks[0, 0, 5, 5], masks[0, 0, 5, 6] = False, True
    with pytest.warns(InputWarning) as caught:
        check_masks(masks, name="mask file a.npy")
    numbers = re.findall(r"[\d.]+%", str(caught[0].message))
    assert numbers == ["100.0%", "0.0%", "100.0%", "81.0%"]
    assert str(caught[0].message).startswith("mask file a.npy: kept and dropped entries look swap")


def test_every_entrance_tells(tmp_path: Path, toy_network, toy_model):
    masks = np.ones(toy_network.mask_shape, dtype=np.bool_)
    masks[..., 1:, 0] = False
    masks[..., np.arange(1, 17), np.arange(1, 17)] = False
    path = tmp_path / "swapped.npy"
    np.save(path, ~masks)
    with pytest.warns(InputWarning, match=r"mask file .*swapped.npy: kept"):
        read_masks(path, toy_network)
    with pytest.warns(InputWarning, match="the mask: kept"):
        FloatReference(network=toy_network, model=toy_model, masks=masks)


def test_command_tells_once(tmp_path: Path, command, capsys):
    masks = np.ones(VIT_DIGITS.mask_shape, dtype=np.bool_)
    masks[..., 1:, 0] = False
    masks[..., np.arange(1, 50), np.arange(1, 50)] = False
    np.save(tmp_path / "swapped.npy", ~masks)
    words = ("image", "--model", "vit_digits", "--masks", tmp_path / "swapped.npy")
    with warnings.catch_warnings():
        assert command(*words, "--out", tmp_path) == 0
    printed = capsys.readouterr().err
    assert printed.startswith("warning: mask file ")
    assert printed.count("\n") == 1
    with warnings.catch_warnings():
        assert command("inspect-mask", tmp_path / "swapped.npy") == 0
    shown = capsys.readouterr()
    assert shown.err.count("warning: ") == 1
    assert "True in a mask" in " ".join(shown.out.split())


def test_places_half_way_to_all_dropped_are_not_told():
    """Three quarters of both places, at half of all: the next entry is one too many."""
    masks = np.ones((1, 4, 5, 5), bool)
    for row, others in ((1, [2, 3]), (2, [1, 3]), (3, [1, 2])):
        masks[..., row, [0, row, *others]] = False
    masks[0, :2, 0, 1] = False
    check_masks(masks)
    masks[0, 0, 0, 1], masks[0, 0, 4, 0] = True, False
    with pytest.warns(InputWarning, match=r"81.2% of CLS's column, .* a sparsity of 50.0%"):
        check_masks(masks)
