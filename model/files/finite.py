"""Whether numbers are finite: asked of all that enters a computation or leaves for a file."""

import numpy as np
import torch
from torch import Tensor

from rtl_gen.errors import UserError


def check_finite(name: str, values: Tensor | np.ndarray, hint: str = "") -> None:
    """Raise UserError, with the number of bad values and a hint, unless all values are finite."""
    tensor = torch.as_tensor(values)
    bad = tensor.numel() - int(tensor.isfinite().sum())
    if bad:
        nans = int(tensor.isnan().sum())
        raise UserError(
            f"{name}: {bad:,} of {tensor.numel():,} values are not finite ({nans:,} NaN, "
            f"{bad - nans:,} infinite){hint}"
        )
