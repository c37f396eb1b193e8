"""Splits of a time series into training and test periods that don't leak into each other.

Everything is in positions 0 … n − 1 of the series. The label of observation i covers the closed interval of positions
[i, label_end[i]]: with a return over the next five bars label_end[i] = i + 5. Without ``label_end`` it covers i alone.

Purge: a training observation whose interval meets that of any test observation is dropped. Embargo: the h observations
whose position follows the end of each test block's labels are dropped as well; nothing before the block is.

Source: López de Prado, Advances in Financial Machine Learning, 2018, chapters 7 (purge, embargo) and 12 (CPCV).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InvalidInput
from engine.evidence import inputs

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Ascending positions to train on and to test on."""

    train: Positions
    test: Positions


@dataclass(frozen=True)
class CombinatorialSplits:
    """All C(N, k) ways of testing on k of N groups, and the φ = C(N, k)·k/N whole histories they form.

    ``groups``: positions of each group. ``tested``: which k groups each split tests. ``paths`` (φ, N): the split that
    tests group g on path p; every (split, tested group) is used exactly once.
    """

    splits: tuple[Split, ...]
    groups: tuple[Positions, ...]
    tested: tuple[tuple[int, ...], ...]
    paths: NDArray[np.int64]


def embargo_length(observations: int, share: float) -> int:
    """How many observations an embargo of ``share`` of the series is: ceil(share·n)."""
    n = inputs.count(observations, "observations")
    # The product may carry a rounding error upwards: 0.07·100 must be 7.
    return math.ceil(inputs.number(share, "embargo", 0.0, 1.0) * n - 1e-9)


def purged_folds(
    observations: int, folds: int, *, label_end: ArrayLike | None = None, embargo: int = 0
) -> tuple[Split, ...]:
    """Purged k-fold: contiguous test folds (the first n mod k are one longer), trained on the rest after purge,
    embargo.
    """
    return tuple(
        Split(_training(test, _label_ends(observations, label_end), embargo), test)
        for test in _groups(observations, folds, "folds")
    )


def combinatorial_splits(
    observations: int, groups: int = 6, tested: int = 2, *, label_end: ArrayLike | None = None, embargo: int = 0
) -> CombinatorialSplits:
    """Combinatorial purged cross-validation: every choice of ``tested`` of ``groups`` contiguous groups."""
    parts = _groups(observations, groups, "groups")
    if inputs.count(tested, "tested") >= groups:
        raise InvalidInput("tested", f"must be below the number of groups ({groups}), not {tested}.")
    ends = _label_ends(observations, label_end)
    chosen = tuple(combinations(range(groups), tested))
    splits = []
    for choice in chosen:
        test = np.concatenate([parts[g] for g in choice])
        splits.append(Split(_training(test, ends, embargo), test))
    paths = np.empty((len(chosen) * tested // groups, groups), dtype=np.int64)
    for g in range(groups):
        paths[:, g] = [number for number, choice in enumerate(chosen) if g in choice]
    return CombinatorialSplits(tuple(splits), tuple(parts), chosen, paths)


def walk_forward(
    observations: int, train: int, test: int, *, anchored: bool = False, gap: int = 0, step: int | None = None
) -> tuple[Split, ...]:
    """Walk-forward windows: train on the past, test on what follows ``gap`` positions later, move on by ``step``.

    Rolling windows have ``train`` observations; anchored ones start at 0 and grow from ``train``. ``step`` defaults to
    ``test``, so that the tests follow each other without overlap; a last window that would be incomplete is left out.
    ``gap`` is the purge: at least the length of a label.
    """
    n = inputs.count(observations, "observations")
    inputs.count(train, "train", 2)
    inputs.count(test, "test")
    inputs.count(gap, "gap", 0)
    step = test if step is None else inputs.count(step, "step")
    if step < test:
        raise InvalidInput("step", f"of {step} is below the test length {test}: a period would be tested twice.")
    if train + gap + test > n:
        raise InvalidInput("observations", f"{n} are too few for {train} to train, {gap} between and {test} to test.")
    return tuple(
        Split(np.arange(0 if anchored else end - train, end), np.arange(end + gap, end + gap + test))
        for end in range(train, n - gap - test + 1, step)
    )


def _groups(observations: int, parts: int, field: str) -> list[Positions]:
    n = inputs.count(observations, "observations", 2)
    if inputs.count(parts, field, 2) > n:
        raise InvalidInput(field, f"{parts} are more than the {n} observations.")
    return np.array_split(np.arange(n), parts)


def _label_ends(observations: int, label_end: ArrayLike | None) -> Positions:
    if label_end is None:
        return np.arange(observations)
    ends = np.asarray(label_end)
    if ends.shape != (observations,) or not np.issubdtype(ends.dtype, np.integer):
        raise InvalidInput("label_end", f"must be {observations} whole positions, one for each observation.")
    if np.any(ends < np.arange(observations)):
        raise InvalidInput("label_end", "ends before its observation starts.")
    return ends.astype(np.int64)


def _training(test: Positions, ends: Positions, embargo: int) -> Positions:
    inputs.count(embargo, "embargo", 0)
    keep = np.ones(len(ends), dtype=bool)
    positions = np.arange(len(ends))
    for block in _blocks(test):
        last = int(np.max(ends[block]))
        # Closed intervals [i, ends[i]] and [block start, last] meet; the block's own labels cover it without holes.
        keep &= (ends < block[0]) | (positions > last)
        keep &= (positions <= last) | (positions > last + embargo)
    return positions[keep]


def _blocks(positions: Positions) -> Sequence[Positions]:
    return np.split(positions, np.flatnonzero(np.diff(positions) > 1) + 1)
