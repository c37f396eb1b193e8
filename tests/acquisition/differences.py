"""Finite differences, to hold analytic gradients against."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def elementwise(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """df_i / dx_i of a function that treats the elements of x apart."""
    return (function(x + step) - function(x - step)) / (2 * step)


def by_column(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """df_i / dx_ij of a function (n, k) -> (n,) that treats the rows of x apart."""
    out = np.empty_like(x)
    for j in range(x.shape[1]):
        move = np.zeros(x.shape[1])
        move[j] = step
        out[:, j] = (function(x + move) - function(x - move)) / (2 * step)
    return out
