"""What the maximiser has to know of a search space, as arrays and functions of arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Domain:
    """The unit cube with the structure that suggestions must respect.

    cells: for each column the unit-cube positions of its values, None where it is continuous.
    ordered: (d,) booleans, False for categorical columns. snap(X): rows moved to cell centres, NaN where inactive.
    feasible(X) -> (m,) booleans for known constraints, None where there are none. sample(n, rng) -> n feasible
    snapped rows.
    """

    cells: tuple[np.ndarray | None, ...]
    ordered: np.ndarray
    snap: Callable[[np.ndarray], np.ndarray]
    feasible: Callable[[np.ndarray], np.ndarray] | None
    sample: Callable[[int, np.random.Generator], np.ndarray]

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def continuous(self) -> np.ndarray:
        return np.array([c is None for c in self.cells])

    @property
    def discrete(self) -> list[int]:
        return [j for j, c in enumerate(self.cells) if c is not None]

    def admit(self, X: np.ndarray) -> np.ndarray:
        """The rows of X, snapped, that satisfy the known constraints."""
        X = self.snap(X)
        return X if self.feasible is None else X[self.feasible(X)]
