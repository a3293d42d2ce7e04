"""Statistics that several results share."""

from math import inf, log10

import numpy as np
from numpy.typing import ArrayLike


def standard_error(values: ArrayLike) -> float:
    """Of the mean of values; NaN for fewer than two."""
    values = np.asarray(values)
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan


def decibels(signal: float, error: float) -> float:
    """Of a signal's power over that of its error; infinite if there is no error."""
    if not error:
        return inf
    return 10 * log10(signal / error) if signal else -inf
