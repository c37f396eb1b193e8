"""Radial profiles: k as a function of the squared scaled distance r2, and its derivative dk/dr2; k(0) = 1.

Both functions of a profile may overwrite their argument, and are written for few passes over memory: kernels spend
their time here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_SQRT5 = np.sqrt(5.0)


@dataclass(frozen=True)
class Profile:
    """value(r2) -> k; value_and_slope(r2) -> (k, dk/dr2)."""

    value: Callable[[np.ndarray], np.ndarray]
    value_and_slope: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def _matern52(r2: np.ndarray) -> np.ndarray:
    """(1 + s + s^2 / 3) exp(-s) with s = sqrt(5 r2)."""
    s = np.sqrt(r2)
    s *= -_SQRT5
    r2 *= 5 / 3
    r2 -= s
    r2 += 1.0
    r2 *= np.exp(s, out=s)
    return r2


def _matern52_slope(r2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    s = np.sqrt(r2)
    s *= _SQRT5
    e = np.exp(-s)
    r2 *= 5 / 3
    s += 1.0
    r2 += s
    r2 *= e
    s *= e
    s *= -5 / 6
    return r2, s


def _rbf(r2: np.ndarray) -> np.ndarray:
    """exp(-r2 / 2)."""
    r2 *= -0.5
    return np.exp(r2, out=r2)


def _rbf_slope(r2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    k = _rbf(r2)
    return k, -0.5 * k


PROFILES: dict[str, Profile] = {
    "matern52": Profile(_matern52, _matern52_slope),
    "rbf": Profile(_rbf, _rbf_slope),
}
