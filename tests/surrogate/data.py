"""Rows of mixed and conditional columns, and posteriors of them, for the tests of this folder."""

from __future__ import annotations

import numpy as np

from engine.surrogate.inputs import Columns

# Two numbers, a categorical of three choices, a conditional number, a conditional pair (number, categorical of four).
MIXED = Columns((0, 0, 3, 0, 0, 4), groups=((3,), (4, 5)))


def mixed_rows(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.random((n, 6))
    X[:, 2] = (rng.integers(3, size=n) + 0.5) / 3
    X[:, 5] = (rng.integers(4, size=n) + 0.5) / 4
    X[rng.random(n) < 0.4, 3] = np.nan
    X[rng.random(n) < 0.4, 4:] = np.nan
    return X
