"""Rows that keep as many entries in every bank, so that no lane of the array waits for another.

Token j lies in bank j mod lanes, and a row takes as many beats as its fullest bank has kept entries
(`model.masks.strategies.row_beats`). A balanced row keeps whole beats: beat t holds the t-th best
entry of every bank, and the first one stays, since a row takes a beat in any case. What a strategy
says of entries it then says of beats, by what their entries sum to. The hardware takes no part.

The idea is that of bank-balanced sparsity (Cao et al., FPGA 2019), there of weights and with as
many entries in every row; here the strategy decides how many a row keeps.
"""

import numpy as np


def beats_of_entries(worth: np.ndarray, stays: np.ndarray, lanes: int) -> np.ndarray:
    """The beat of every entry, int (..., n), by its rank in its bank.

    Args:
        worth: float (..., n), larger = earlier; ties in token order.
        stays: bool (..., n), entries that come before all others.
        lanes: banks.
    """
    tokens = worth.shape[-1]
    ahead = np.where(stays, np.inf, worth)
    missing = -tokens % lanes
    padded = np.pad(ahead, [(0, 0)] * (worth.ndim - 1) + [(0, missing)], constant_values=-np.inf)
    banks = padded.reshape(*worth.shape[:-1], -1, lanes)
    order = np.argsort(-banks, axis=-2, kind="stable")
    beats = np.empty_like(order)
    places = np.arange(order.shape[-2])[:, None]
    np.put_along_axis(beats, order, np.broadcast_to(places, order.shape), axis=-2)
    return beats.reshape(padded.shape)[..., :tokens]


def sums_of_beats(values: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """What the entries of every beat sum to, (..., most beats), for values (..., n)."""
    count = beats.max() + 1
    return np.stack([(values * (beats == beat)).sum(axis=-1) for beat in range(count)], axis=-1)


def of_entries(by_beat: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """A value of every beat given to each of its entries."""
    return np.take_along_axis(by_beat, beats, axis=-1)
