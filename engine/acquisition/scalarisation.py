"""Many objectives rolled into one: ParEGO (Knowles 2006), for four objectives or more, where boxes become too many."""

from __future__ import annotations

import numpy as np

_AUGMENTATION = 0.05  # Knowles' rho: keeps points that are only weakly dominated off the optimum
_LEAST_WEIGHT = 1e-3


def simplex_weights(m: int, rng: np.random.Generator) -> np.ndarray:
    """(m,) weights that sum to 1, uniform on the simplex, none quite zero."""
    weights = np.maximum(rng.dirichlet(np.ones(m)), _LEAST_WEIGHT)
    return weights / weights.sum()


def tchebycheff(Y: np.ndarray, weights: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(n,) max_j w_j z_j + 0.05 sum_j w_j z_j of objectives Y (n, m), smaller being better.

    z is Y scaled so that ``low`` (m,) is 0 and ``high`` (m,) is 1; an objective that doesn't vary counts 0.
    """
    unit = np.maximum(np.maximum(np.abs(low), np.abs(high)), 1e-300)  # so that no span overflows
    span = high / unit - low / unit
    z = np.where(span > 0, (Y / unit - low / unit) / np.where(span > 0, span, 1.0), 0.0)
    weighted = z * weights
    return weighted.max(axis=1) + _AUGMENTATION * weighted.sum(axis=1)
