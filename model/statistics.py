"""Statistics that several results share."""

import numpy as np
from numpy.typing import ArrayLike


def standard_error(values: ArrayLike) -> float:
    """Of the mean of values; NaN for fewer than two."""
    values = np.asarray(values)
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan
