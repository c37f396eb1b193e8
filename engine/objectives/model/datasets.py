"""Data sets with their cross-validation: stratified for independent rows, purged and embargoed for market rows."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from engine.objectives.data import load_series
from engine.objectives.strategy.backtest import rolling_mean

BUNDLED = ("breast_cancer", "digits", "wine")
MARKETS = {"sp500_direction": "sp500", "aapl_direction": "aapl", "ibm_direction": "ibm", "msft_direction": "msft"}
HORIZON = 5
"""Bars ahead whose direction a market data set predicts."""
_PAST = 126
_HELD_OUT = 0.25


@dataclass(frozen=True)
class Dataset:
    """X (n, p), y (n,) classes 0 … c-1; folds: (train, validation) rows of the tuning part; test: rows held out.

    fit: the rows of the tuning part that a model for the test rows may see.
    """

    X: np.ndarray
    y: np.ndarray
    folds: tuple[tuple[np.ndarray, np.ndarray], ...]
    fit: np.ndarray
    test: np.ndarray


@functools.lru_cache(maxsize=8)
def load(name: str, folds: int, split_seed: int) -> Dataset:
    """A data set with its splits; the same arguments give the same rows in every trial."""
    if name in MARKETS:
        X, y = market_rows(name)
        return _split_market(X, y, folds)
    from sklearn import datasets
    from sklearn.model_selection import StratifiedKFold, train_test_split

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    rows = np.arange(len(y))
    fit, test = train_test_split(rows, test_size=_HELD_OUT, stratify=y, random_state=split_seed)
    parts = StratifiedKFold(folds, shuffle=True, random_state=split_seed).split(fit, y[fit])
    return Dataset(X, y, tuple((fit[train], fit[validation]) for train, validation in parts), fit, test)


@functools.cache
def market_rows(name: str) -> tuple[np.ndarray, np.ndarray]:
    """(features at the close of a bar, whether the close HORIZON bars later is higher), oldest first.

    Features know nothing later than their bar: returns, volatilities, distances from averages and extremes, volume.
    """
    series = load_series(MARKETS[name])
    close, log = series.close, np.log(series.close)
    assert series.high is not None
    assert series.low is not None
    assert series.volume is not None
    returns = np.diff(log, prepend=log[0])
    squares = np.concatenate([[0.0], np.cumsum(returns**2)])
    sums = np.concatenate([[0.0], np.cumsum(close)])
    volumes = np.concatenate([[0.0], np.cumsum(series.volume)])
    columns = [_past_change(log, k) for k in (1, 2, 5, 10, 21, 63, _PAST)]
    columns += [np.sqrt(rolling_mean(squares, k)) for k in (5, 21, 63)]
    columns += [close / rolling_mean(sums, k) - 1 for k in (10, 50, 100)]
    columns += [np.log(series.high / series.low), rolling_mean(volumes, 5) / rolling_mean(volumes, 63) - 1]
    windows = np.lib.stride_tricks.sliding_window_view(close, 63)
    extremes = np.full((2, len(close)), np.nan)
    extremes[:, 62:] = windows.max(axis=1), windows.min(axis=1)
    columns += [close / extremes[0] - 1, close / extremes[1] - 1]
    last = len(close) - HORIZON
    return np.column_stack(columns)[_PAST:last], (close[_PAST + HORIZON :] > close[_PAST:last]).astype(int)


def _past_change(log: np.ndarray, k: int) -> np.ndarray:
    out = np.full(len(log), np.nan)
    out[k:] = log[k:] - log[:-k]
    return out


def purged_folds(n: int, folds: int, horizon: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(train, validation) rows of n rows in time: contiguous validation blocks; a training row is dropped if its label,
    which looks ``horizon`` rows ahead, overlaps a validation label, or it lies in the embargo of ``horizon`` rows after
    the block (López de Prado 2018, ch. 7)."""
    rows = np.arange(n)
    out = []
    for block in np.array_split(rows, folds):
        first, last = block[0], block[-1]
        out.append((rows[(rows + horizon < first) | (rows > last + 2 * horizon)], block))
    return out


def _split_market(X: np.ndarray, y: np.ndarray, folds: int) -> Dataset:
    n_fit = round(len(y) * (1 - _HELD_OUT))
    fit = np.arange(n_fit - HORIZON)  # the labels of the rows between reach into the test rows
    return Dataset(X, y, tuple(purged_folds(len(fit), folds, HORIZON)), fit, np.arange(n_fit, len(y)))
