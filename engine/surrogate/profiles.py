"""Radial profiles: k as a function of the squared scaled distance r2, and its derivative dk/dr2.

Each takes an array it may overwrite and returns (k, slope); k(0) = 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Profile = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
_SQRT5 = np.sqrt(5.0)


def matern52(r2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(1 + s + s^2 / 3) exp(-s) with s = sqrt(5 r2)."""
    s = np.sqrt(r2, out=r2)
    s *= _SQRT5
    e = np.exp(-s)
    k = s * s
    k *= 1 / 3
    s += 1.0
    k += s
    k *= e
    s *= e
    s *= -5 / 6
    return k, s


def rbf(r2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """exp(-r2 / 2)."""
    r2 *= -0.5
    k = np.exp(r2, out=r2)
    return k, -0.5 * k


PROFILES: dict[str, Profile] = {"matern52": matern52, "rbf": rbf}
