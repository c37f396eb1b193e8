"""Checks of what comes in: each returns a float64 array or number, or raises InvalidInput with a sentence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InvalidInput

# Below this share of the largest magnitude a spread is rounding, not variation.
_ROUNDING = 1e-13


def series(values: ArrayLike, field: str, minimum: int = 2) -> NDArray[np.float64]:
    """A finite vector (T,) of at least ``minimum`` observations."""
    array = _floats(values, field)
    if array.ndim != 1:
        raise InvalidInput(field, f"must be one series, not an array of shape {array.shape}.")
    if len(array) < minimum:
        raise InvalidInput(field, f"has {len(array)} observations, at least {minimum} are needed.")
    return array


def varying(values: ArrayLike, field: str, minimum: int = 2) -> NDArray[np.float64]:
    """A finite vector (T,) whose values aren't all the same."""
    array = series(values, field, minimum)
    if is_flat(array[:, None])[0]:
        raise InvalidInput(field, "never varies, so a ratio to its risk has no meaning; was nothing traded?")
    return array


def matrix(values: ArrayLike, field: str, rows: int = 2, columns: int = 2) -> NDArray[np.float64]:
    """A finite matrix (T, N): one row a period, one column a configuration, no column without variation."""
    array = _floats(values, field)
    if array.ndim != 2:
        raise InvalidInput(field, f"must be a matrix of periods by configurations, not of shape {array.shape}.")
    if array.shape[0] < rows:
        raise InvalidInput(field, f"has {array.shape[0]} periods (rows), at least {rows} are needed.")
    if array.shape[1] < columns:
        raise InvalidInput(field, f"has {array.shape[1]} configurations (columns), at least {columns} are needed.")
    flat = np.flatnonzero(is_flat(array))
    if len(flat):
        raise InvalidInput(field, f"column {flat[0]} never varies; leave out configurations that never trade.")
    return array


def points(values: ArrayLike, field: str, dimensions: int | None = None) -> NDArray[np.float64]:
    """Points (n, d) of the unit cube; NaN marks a parameter that is inactive there."""
    array = np.atleast_2d(_floats(values, field, finite=False))
    if array.ndim != 2 or array.size == 0:
        raise InvalidInput(field, f"must be points by parameters, not of shape {array.shape}.")
    if dimensions is not None and array.shape[1] != dimensions:
        raise InvalidInput(field, f"has {array.shape[1]} parameters, not {dimensions}.")
    if not np.all(np.isnan(array) | ((array >= 0.0) & (array <= 1.0))):
        raise InvalidInput(field, "lies outside the unit cube.")
    return array


def number(value: float, field: str, low: float = -np.inf, high: float = np.inf, *, open_ends: bool = False) -> float:
    """A finite number within [low, high], or (low, high) with ``open_ends``."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise InvalidInput(field, f"{value!r} is not a number.") from None
    inside = low < result < high if open_ends else low <= result <= high
    if not np.isfinite(result) or not inside:
        brackets = "()" if open_ends else "[]"
        raise InvalidInput(field, f"must be a number in {brackets[0]}{low:g}, {high:g}{brackets[1]}, not {value!r}.")
    return result


def count(value: int, field: str, minimum: int = 1) -> int:
    """A whole number of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise InvalidInput(field, f"must be a whole number of at least {minimum}, not {value!r}.")
    return int(value)


def same_length(first: NDArray[np.float64], second: NDArray[np.float64], field: str, other: str) -> None:
    """Raise unless both have the same number of rows."""
    if len(first) != len(second):
        raise InvalidInput(
            field, f"has {len(first)} rows but {other} has {len(second)}; they must cover the same periods."
        )


def is_flat(array: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which columns (N,) of a matrix (T, N) hold one value only, rounding aside."""
    return np.ptp(array, axis=0) <= _ROUNDING * np.max(np.abs(array), axis=0)


def _floats(values: ArrayLike, field: str, finite: bool = True) -> NDArray[np.float64]:
    try:
        # Row by row in memory: sums round the same way however the caller keeps the array.
        array = np.array(values, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise InvalidInput(field, "holds something that is not a number.") from None
    if finite and not np.all(np.isfinite(array)):
        bad = int(np.sum(~np.isfinite(array)))
        raise InvalidInput(field, f"holds {bad} missing or infinite values; mend or leave out those observations.")
    return array
