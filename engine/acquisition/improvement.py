"""Probability of improvement (Kushner 1964). Expected improvement is in ``log_ei``.

Every function takes posterior means and standard deviations of the same shape, smaller outcomes being better, and
returns (value, d value / d mean, d value / d std), each of that shape.
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr, ndtr

from engine.acquisition.normal import hazard, log_pdf

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]


def log_probability_of_improvement(mean: np.ndarray, std: np.ndarray, best: float, margin: float = 0.0) -> Triple:
    """log P(f <= best - margin) = log Phi(u) with u = (best - margin - mean) / std.

    A margin above 0, in the units of the outcome, keeps the maximum away from the incumbent, where a gain is sure and
    small.
    """
    u = (best - margin - mean) / std
    slope = hazard(u) / std
    return log_ndtr(u), -slope, -u * slope


def probability_of_improvement(mean: np.ndarray, std: np.ndarray, best: float, margin: float = 0.0) -> Triple:
    """P(f <= best - margin)."""
    u = (best - margin - mean) / std
    slope = np.exp(log_pdf(u)) / std
    return ndtr(u), -slope, -u * slope
