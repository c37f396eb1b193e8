"""What the columns of X mean, and X prepared for kernels.

A categorical column holds (index + 1/2) / K and is measured by the Hamming distance: 1 where two rows differ, 0 where
they agree. As K one-hot features divided by sqrt(2) this is a squared Euclidean distance, so that kernels see numbers
only. A conditional column is NaN where it is inactive; columns with the same condition form a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Columns:
    """The meaning of d columns.

    choices: number of choices of each column, 0 if it is numeric.
    groups: the conditional columns, each group active or inactive together.
    """

    choices: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...] = ()
    owner: np.ndarray = field(init=False, compare=False, repr=False)
    numeric: np.ndarray = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        owner = np.repeat(np.arange(len(self.choices)), np.maximum(self.choices, 1))
        object.__setattr__(self, "owner", owner)
        object.__setattr__(self, "numeric", np.array([c == 0 for c in self.choices], dtype=bool))

    @classmethod
    def continuous(cls, d: int) -> Columns:
        return cls((0,) * d)

    def __len__(self) -> int:
        return len(self.choices)

    @property
    def unconditional(self) -> list[int]:
        grouped = {j for group in self.groups for j in group}
        return [j for j in range(len(self)) if j not in grouped]

    def features_of(self, columns: Sequence[int]) -> np.ndarray:
        """Positions of the features that belong to these columns."""
        return np.flatnonzero(np.isin(self.owner, list(columns)))

    def features(self, X: np.ndarray) -> np.ndarray:
        """(n, d) -> (n, f): numeric columns as they are, categorical ones one-hot; zeros where inactive."""
        if self.numeric.all():
            return np.nan_to_num(X) if self.groups else X
        parts = []
        for j, k in enumerate(self.choices):
            column = X[:, j]
            if k == 0:
                parts.append(np.nan_to_num(column)[:, None])
            else:
                index = np.floor(np.nan_to_num(column, nan=-1.0) * k)
                parts.append((index[:, None] == np.arange(k)) * np.sqrt(0.5))
        return np.concatenate(parts, axis=1)

    def numeric_part(self, by_feature: np.ndarray) -> np.ndarray:
        """(m, f) derivatives by feature -> (m, d) by column, 0 in the categorical ones."""
        if self.numeric.all():
            return by_feature
        out = np.zeros((len(by_feature), len(self)))
        out[:, self.numeric] = by_feature[:, self.numeric[self.owner]]
        return out

    def gates(self, X: np.ndarray) -> tuple[np.ndarray, ...]:
        """For each group (n,) booleans: where it is active."""
        return tuple(~np.isnan(X[:, group[0]]) for group in self.groups)


class Points:
    """Rows of X prepared for kernels: ``F`` (n, f) features and ``gates`` of the conditional groups."""

    def __init__(self, X: np.ndarray, columns: Columns) -> None:
        self.columns = columns
        self.F = columns.features(X)
        self.gates = columns.gates(X)

    def __len__(self) -> int:
        return len(self.F)


class Pairs:
    """All pairs i > j of n rows, N = n (n - 1) / 2, prepared for kernels.

    square: (d, N) squared distances by column. states: for each group (N,) the number of active ends, 0, 1 or 2.
    flat: (N,) positions in a flattened (n, n) matrix.
    """

    def __init__(self, X: np.ndarray, columns: Columns) -> None:
        n = len(X)
        self.n, self.columns = n, columns
        self.rows, self.cols = np.tril_indices(n, -1)
        self.flat = self.rows * n + self.cols
        self.square = np.empty((len(columns), len(self.rows)))
        for j, k in enumerate(columns.choices):
            column = np.nan_to_num(X[:, j]) if k == 0 else np.floor(np.nan_to_num(X[:, j], nan=-1.0) * k)
            difference = column[self.rows] - column[self.cols]
            self.square[j] = difference * difference if k == 0 else difference != 0
        self.states = tuple(g[self.rows].astype(int) + g[self.cols] for g in columns.gates(X))
