"""What the columns of X mean, and X prepared for kernels.

A categorical column holds (index + 1/2) / K and is measured by the Hamming distance: 1 where two rows differ, 0 where
they agree. As K one-hot features divided by sqrt(2) this is a squared Euclidean distance, so that kernels see numbers
only. A conditional column is NaN where it is inactive; columns with the same condition form a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

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
    all_numeric: bool = field(init=False, compare=False, repr=False)
    _one_hot: list[tuple[int, int]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        owner = np.repeat(np.arange(len(self.choices)), np.maximum(self.choices, 1))
        object.__setattr__(self, "owner", owner)
        numeric = np.array([c == 0 for c in self.choices], dtype=bool)
        starts = np.cumsum([0, *np.maximum(self.choices, 1)])
        object.__setattr__(self, "numeric", numeric)
        object.__setattr__(self, "all_numeric", bool(numeric.all()))
        object.__setattr__(self, "_one_hot", [(j, int(starts[j])) for j, k in enumerate(self.choices) if k])

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
        if self.all_numeric:
            return np.where(np.isnan(X), 0.0, X) if self.groups else X
        out = np.zeros((len(X), len(self.owner)))
        codes = self.codes(X)
        numeric = self.numeric[self.owner]
        out[:, numeric] = codes[:, self.numeric]
        active = ~np.isnan(X) if self.groups else None
        rows = np.arange(len(X))
        for j, start in self._one_hot:
            on = np.sqrt(0.5) if active is None else np.sqrt(0.5) * active[:, j]
            out[rows, start + codes[:, j].astype(int)] = on
        return out

    def codes(self, X: np.ndarray) -> np.ndarray:
        """(n, d) numeric columns as they are, categorical ones as the index of the choice; 0 where inactive."""
        if self.all_numeric and not self.groups:
            return X
        codes = np.where(np.isnan(X), 0.0, X) if self.groups else X.copy()
        for j, _ in self._one_hot:
            k = self.choices[j]
            codes[:, j] = np.clip(np.floor(codes[:, j] * k), 0, k - 1)
        return codes

    def numeric_part(self, by_feature: np.ndarray) -> np.ndarray:
        """(m, f) derivatives by feature -> (m, d) by column, 0 in the categorical ones."""
        if self.all_numeric:
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
        self._X = X

    def __len__(self) -> int:
        return len(self.F)

    @cached_property
    def codes(self) -> np.ndarray:
        """(n, d) numeric columns as they are, categorical ones as the index of the choice; 0 where inactive."""
        return self.columns.codes(self._X)


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
        codes = columns.codes(X)
        for j, k in enumerate(columns.choices):
            difference = codes[self.rows, j] - codes[self.cols, j]
            self.square[j] = difference * difference if k == 0 else difference != 0
        self.states = tuple(g[self.rows].astype(int) + g[self.cols] for g in columns.gates(X))
