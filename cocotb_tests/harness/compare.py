"""Exact comparison of integer tensors with a message that says where to look."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

COMPARISONS_VARIABLE = "COMPARISONS_FILE"
"""Environment variable: a file that gets the number of values of each comparison, a line each."""


def assert_equal(name: str, actual: ArrayLike, expected: ArrayLike) -> None:
    """Raise AssertionError unless both integer arrays have the same shape and the same values.

    The message names the tensor, the first position that differs with both values, and how many
    elements differ. There is no tolerance.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    for array, role in ((actual, "actual"), (expected, "expected")):
        if array.size and array.dtype.kind not in "biuO":
            raise TypeError(f"{name}: {role} values have dtype {array.dtype}, not integers")
    if actual.shape != expected.shape:
        raise AssertionError(f"{name}: shape {actual.shape}, expected {expected.shape}")
    if COMPARISONS_VARIABLE in os.environ:
        with Path(os.environ[COMPARISONS_VARIABLE]).open("a") as file:
            file.write(f"{actual.size}\n")
    different = np.argwhere(actual != expected)
    if len(different):
        position = tuple(int(index) for index in different[0])
        where = f"{name}[{', '.join(map(str, position))}]" if position else name
        raise AssertionError(
            f"{where}: expected {expected[position]}, actual {actual[position]} "
            f"({len(different)} of {actual.size} elements differ)"
        )
