"""Discrete knowledge gradient, exact by the upper envelope of lines (Frazier, Powell and Dayanik 2009).

An observation at x with standardised innovation z moves the posterior mean of a point a to mean_a + s_a(x) z, with
s_a(x) = cov(a, x) / sqrt(var(x) + noise). The knowledge gradient is how far the minimum of these means, over a set of
points and x itself, falls in expectation: min mean - E min_a [mean_a + s_a z].
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from engine.acquisition.log_ei import log_h
from engine.acquisition.normal import log_pdf

_BLOCK = 1 << 21  # (rows, lines, lines) numbers handled at a time: 16 MB


def log_knowledge_gradient(
    mean: np.ndarray, mean_x: np.ndarray, covariance: np.ndarray, variance_x: np.ndarray, noise: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """log KG of B points against A points, smaller outcomes being better.

    mean (A,) and mean_x (B,) posterior means of the set and of the points; covariance (B, A) between them; variance_x
    (B,) posterior variances; noise: variance of an observation there, a number or (B,). Returns (value (B,), d / d
    mean_x (B,), d / d covariance (B, A), d / d variance_x (B,)).
    """
    B, A = covariance.shape
    spread = np.sqrt(variance_x + noise)
    lines = np.concatenate([covariance, variance_x[:, None]], axis=1)
    levels = np.concatenate([np.broadcast_to(mean, (B, A)), mean_x[:, None]], axis=1)
    slopes = lines / spread[:, None]
    value, d_level, d_slope = log_envelope_gain(-levels, slopes)
    shared = -0.5 * (d_slope * slopes).sum(1) / (spread * spread)
    return value, -d_level[:, -1], d_slope[:, :-1] / spread[:, None], d_slope[:, -1] / spread + shared


def log_envelope_gain(level: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log of E max_i [level_i + slope_i z] - max_i level_i for standard normal z, over rows: all (B, L).

    With the lines of the envelope in order of slope and c_k where line k takes over from its predecessor this is
    log sum_k (slope_k - slope_k-1) h(-|c_k|), h as in expected improvement. Returns (value (B,), d / d level (B, L),
    d / d slope (B, L)); by the envelope theorem the derivatives need the intervals of the lines only.
    """
    B, L = level.shape
    if B * L * L > _BLOCK and B > 1:
        step = max(_BLOCK // (L * L), 1)
        parts = [log_envelope_gain(level[i : i + step], slope[i : i + step]) for i in range(0, B, step)]
        value, d_level, d_slope = (np.concatenate(part) for part in zip(*parts))
        return value, d_level, d_slope
    order = np.lexsort((level, slope), axis=-1)
    a, b = np.take_along_axis(level, order, 1), np.take_along_axis(slope, order, 1)
    left, right = _intervals(a, b)
    active = left < right
    # The slope of the active line before each, through the running maximum because slopes are in order.
    before = np.maximum.accumulate(np.where(active, b, -np.inf), axis=1)
    before = np.concatenate([np.full((B, 1), -np.inf), before[:, :-1]], axis=1)
    turn = active & np.isfinite(before)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(
            turn, np.log(np.where(turn, b - before, 1.0)) + log_h(-np.abs(np.where(turn, left, 0.0))), -np.inf
        )
    top = terms.max(axis=1)
    shift = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        value = shift + np.log(np.exp(terms - shift[:, None]).sum(axis=1))
    best = active & (left <= 0) & (right > 0)
    # P(line is the maximum), as a difference of tails on its own side of 0; for the best line minus what the others
    # take.
    share = np.where(left > 0, ndtr(-left) - ndtr(-right), ndtr(right) - ndtr(left))
    share = np.where(best, -ndtr(left) - ndtr(-right), share)
    scale = np.where(np.isfinite(value), value, np.inf)[:, None]
    d_level = np.where(active, share * np.exp(np.minimum(-scale, 700.0)), 0.0)
    ends = [np.exp(np.minimum(log_pdf(end) - scale, 700.0)) for end in (left, right)]
    d_slope = np.where(active, ends[0] - ends[1], 0.0)
    back = np.argsort(order, axis=1)
    return value, np.take_along_axis(d_level, back, 1), np.take_along_axis(d_slope, back, 1)


def _intervals(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each line a + b z, rows sorted by (b, a), is the maximum: from ``left`` to ``right`` (B, L), empty if
    left >= right.

    Of parallel lines only the highest counts, of equal ones the last.
    """
    gap = b[:, :, None] - b[:, None, :]  # (B, i, j)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        crossing = (a[:, None, :] - a[:, :, None]) / gap
    left = np.where(gap > 0, crossing, -np.inf).max(axis=2)
    right = np.where(gap < 0, crossing, np.inf).min(axis=2)
    hidden = np.zeros(a.shape, dtype=bool)
    hidden[:, :-1] = b[:, :-1] == b[:, 1:]
    return left, np.where(hidden, -np.inf, right)
