"""Log expected improvement in a form that keeps its gradient where EI itself is zero in floating point.

Ament et al. 2023: log EI = log h(u) + log sigma with u = (best - mean) / sigma for minimisation and h(u) = phi(u) + u
Phi(u).
"""

from __future__ import annotations

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
_SQRT_HALF_PI = np.sqrt(np.pi / 2)
_FAR = -1e5  # below it, erfcx's own rounding exceeds what is left of 1 + u Phi / phi: its series takes over


def log_h(u: np.ndarray) -> np.ndarray:
    """log(phi(u) + u Phi(u)), accurate for every finite u."""
    u = np.asarray(u, dtype=float)
    log_phi = -0.5 * u * u - _LOG_SQRT_2PI
    near = np.maximum(u, -1.0)
    top = np.log(np.exp(-0.5 * near * near - _LOG_SQRT_2PI) + near * ndtr(near))
    # phi (1 + u Phi / phi) with Phi / phi = sqrt(pi / 2) erfcx(-u / sqrt 2): no cancellation down to about -1e5.
    low = np.clip(u, _FAR, -1.0)
    ratio = -low * _SQRT_HALF_PI * erfcx(-low / np.sqrt(2.0))
    series = 1 / (low * low) * (1 - 3 / (low * low) * (1 - 5 / (low * low)))
    tail = log_phi + np.where(low < -50, np.log(series), np.log(np.maximum(1.0 - ratio, 1e-300)))
    far = log_phi - 2 * np.log(np.maximum(-u, 1.0))
    return np.where(u > -1.0, top, np.where(u > _FAR, tail, far))


def log_ei(mean: np.ndarray, std: np.ndarray, best: float) -> np.ndarray:
    """log E[max(best - f, 0)] for f ~ N(mean, std^2): same shape as mean."""
    return log_h((best - mean) / std) + np.log(std)


def log_ei_gradient(
    mean: np.ndarray, std: np.ndarray, best: float, d_mean: np.ndarray, d_std: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """log EI (m,) and its gradient (m, d) from those of mean and std."""
    u = (best - mean) / std
    lh = log_h(u)
    slope = np.exp(np.clip(log_ndtr(u) - lh, -700, 700))  # d log h / du = Phi / h
    d_u = -(d_mean + u[:, None] * d_std) / std[:, None]
    return lh + np.log(std), slope[:, None] * d_u + d_std / std[:, None]


def log_cdf_gradient(
    mean: np.ndarray, std: np.ndarray, limit: float, d_mean: np.ndarray, d_std: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """log P(f <= limit) (m,) and its gradient (m, d)."""
    u = (limit - mean) / std
    value = log_ndtr(u)
    slope = np.exp(np.clip(-0.5 * u * u - _LOG_SQRT_2PI - value, -700, 700))
    return value, slope[:, None] * (-(d_mean + u[:, None] * d_std) / std[:, None])
