"""Points that no other one beats."""

import numpy as np
import pandas as pd


def undominated(costs: pd.Series, gains: pd.Series) -> list[bool]:
    """Whether no other point is at least as good in both respects and better in one."""
    cost, gain = costs.to_numpy(), gains.to_numpy()
    return [
        not np.any((cost <= c) & (gain >= g) & ((cost < c) | (gain > g)))
        for c, g in zip(cost, gain, strict=True)
    ]
