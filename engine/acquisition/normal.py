"""Functions of the standard normal in forms that neither overflow nor cancel, shared by the acquisition functions."""

from __future__ import annotations

import numpy as np
from scipy.special import erfcx

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
_SQRT_2, _SQRT_2_OVER_PI = np.sqrt(2.0), np.sqrt(2 / np.pi)
_FAR = -50.0  # below it 1 - r (r + u) cancels and its asymptotic series is exact to rounding


def log_pdf(u: np.ndarray) -> np.ndarray:
    """log phi(u); -inf at infinity."""
    return -0.5 * u * u - _LOG_SQRT_2PI


def hazard(u: np.ndarray) -> np.ndarray:
    """phi(u) / Phi(u) = d log Phi / du: 0 at +inf, about -u far to the left."""
    return _SQRT_2_OVER_PI / erfcx(-np.asarray(u, dtype=float) / _SQRT_2)


def truncated_variance(u: np.ndarray) -> np.ndarray:
    """1 - r (r + u) with r = phi(u) / Phi(u): the variance of a standard normal kept below u, in (0, 1]."""
    u = np.asarray(u, dtype=float)
    near = np.maximum(u, _FAR)
    r = hazard(near)
    x = 1 / np.minimum(u, _FAR) ** 2
    return np.where(u > _FAR, np.clip(1.0 - r * (r + near), 0.0, 1.0), x * (1 - x * (6 - 50 * x)))


def log_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """log(exp(a) - exp(b)) for a >= b; -inf where they are equal."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.where(np.isneginf(b), -np.inf, b - a)
        return a + np.where(gap < -0.6931471805599453, np.log1p(-np.exp(gap)), np.log(-np.expm1(gap)))
