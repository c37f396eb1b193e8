"""Confidence bounds: UCB with a schedule (Srinivas et al. 2010) and pure exploration for batches (Contal et al. 2013).

Smaller outcomes are better, so the optimistic bound is mean - kappa std; its negative is the value to maximise.
"""

from __future__ import annotations

import numpy as np

from engine.acquisition.improvement import Triple

_PENALTY = 10.0  # outweighs any deviation of a standardised outcome (Vizier's value)


def kappa_schedule(trials: int, dimension: int, delta: float = 0.1, shrink: float = 0.2) -> float:
    """sqrt(beta) after ``trials`` observations in ``dimension`` dimensions.

    beta = 2 log(t^(d/2 + 2) pi^2 / (3 delta)) bounds the regret with probability 1 - delta (Srinivas et al. 2010,
    theorem 2); their section 6 divides it by 5, because the bound is loose: ``shrink``.
    """
    t = max(trials, 1)
    beta = 2 * ((dimension / 2 + 2) * np.log(t) + np.log(np.pi**2 / (3 * delta)))
    return float(np.sqrt(shrink * beta))


def confidence_bound(mean: np.ndarray, std: np.ndarray, kappa: float) -> Triple:
    """kappa std - mean: the negated optimistic bound. (value, d / d mean, d / d std), shaped as mean."""
    return kappa * std - mean, np.full_like(mean, -1.0), np.full_like(mean, kappa)


def plausible_limit(mean: np.ndarray, std: np.ndarray, kappa: float) -> float:
    """The posterior mean at the observed point (means and deviations (n,)) with the best optimistic bound.

    A point whose optimistic bound is above it can hardly be the minimum: the limit of ``pure_exploration`` (Vizier's
    form of Contal's relevant region).
    """
    return float(mean[np.argmin(mean - kappa * std)])


def pure_exploration(
    mean: np.ndarray, std: np.ndarray, std_pending: np.ndarray, limit: float, kappa: float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The deviation given pending points too, where a minimum is plausible: UCB-PE's second to last batch members.

    value = std_pending - 10 max(mean - kappa std - limit, 0); mean, std without the pending points, std_pending with
    them. Returns (value, d / d mean, d / d std, d / d std_pending).
    """
    excess = mean - kappa * std - limit
    out = np.where(excess > 0, _PENALTY, 0.0)
    return std_pending - out * excess, -out, kappa * out, np.ones_like(mean)
