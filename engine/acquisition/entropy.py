"""Entropy search: how much an observation tells of the minimum, in nats; smaller outcomes are better.

Max-value entropy search (Wang and Jegelka 2017) asks after the value of the minimum, joint entropy search (Hvarfner
et al. 2022; Tu et al. 2022) after place and value, predictive entropy search (Hernández-Lobato et al. 2014) after the
place. Each averages over S sampled minima; with gamma = (mean - minimum) / std a value truncated at the sampled
minimum has variance std^2 (1 - r (r + gamma)), r = phi / Phi at gamma.
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr

from engine.acquisition.improvement import Triple
from engine.acquisition.normal import hazard, truncated_variance

Array = float | np.ndarray
_QUANTILES = np.array([0.25, 0.5, 0.75])
_FLOOR = 1e-12  # of a variance ratio: below it rounding decides


def sample_minimum_values(mean: np.ndarray, std: np.ndarray, count: int = 16, ceiling: float = np.inf) -> np.ndarray:
    """(count,) values of the minimum over points with means and deviations (n,), taken as independent.

    A Gumbel distribution of the minimum through the quartiles of P(min >= t) = prod_i Phi((mean_i - t) / std_i) (Wang
    and Jegelka 2017, section 3.1), read at evenly spaced probabilities, so that no random number is needed. No value
    is above ``ceiling``, for example the best posterior mean of an observed point.
    """
    low = np.full(3, float((mean - 8 * std).min()))
    high = np.full(3, float(mean.min() + std[np.argmin(mean)] * 8))
    target = np.log1p(-_QUANTILES)  # P(min < t) = q
    for _ in range(60):
        middle = 0.5 * (low + high)
        above = log_ndtr((mean - middle[:, None]) / std).sum(axis=1) > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    quartiles = 0.5 * (low + high)
    # For minima P(min < t) = 1 - exp(-exp((t - location) / scale)).
    inner = np.log(-np.log1p(-_QUANTILES))
    scale = max((quartiles[2] - quartiles[0]) / (inner[2] - inner[0]), 1e-12 * max(1.0, abs(quartiles[1])))
    location = quartiles[1] - scale * inner[1]
    even = (np.arange(count) + 0.5) / count
    return np.minimum(location + scale * np.log(-np.log1p(-even)), ceiling)


def max_value_entropy_search(mean: np.ndarray, std: np.ndarray, minima: np.ndarray) -> Triple:
    """MES without noise: mean over S minima of gamma phi / (2 Phi) - log Phi (Wang and Jegelka 2017, equation 6).

    mean, std (n,); minima (S,). Returns (value, d / d mean, d / d std), each (n,).
    """
    gamma = (mean[:, None] - minima) / std[:, None]
    r = hazard(gamma)
    value = (0.5 * gamma * r - log_ndtr(gamma)).mean(axis=1)
    # r' = -r (r + gamma), so d / d gamma = -(r + gamma r (r + gamma)) / 2.
    slope = -0.5 * (r + gamma * r * (r + gamma))
    return value, slope.mean(axis=1) / std, -(slope * gamma).mean(axis=1) / std


def gibbon(mean: np.ndarray, std: np.ndarray, minima: np.ndarray, noise: Array) -> Triple:
    """A lower bound of noisy MES: -1/2 mean log(1 - rho^2 r (r + gamma)), rho^2 = std^2 / (std^2 + noise).

    Moss et al. 2021 (GIBBON), equation 13 for one point; noise is a variance, a number or (n,). For a batch add
    ``repulsion``. Returns (value, d / d mean, d / d std), each (n,).
    """
    spread = np.broadcast_to(std[:, None], (len(std), len(minima)))
    value, d_mean, d_std = _truncation_gain(mean[:, None], spread, minima, np.asarray(noise, dtype=float))
    return value.mean(axis=1), d_mean.mean(axis=1), d_std.mean(axis=1)


def repulsion(variance: np.ndarray, variance_pending: np.ndarray, noise: Array) -> np.ndarray:
    """(n,) 1/2 log of the share of the predictive variance that pending points leave: GIBBON's batch term, at most 0.

    variance, variance_pending (n,): posterior variances without and with the pending points; noise as for ``gibbon``.
    """
    return 0.5 * np.log((variance_pending + noise) / (variance + noise))


def joint_entropy_search(
    variance: np.ndarray, mean_given: np.ndarray, std_given: np.ndarray, minima: np.ndarray, noise: Array
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The lower bound of JES: 1/2 log(variance + noise) - mean_s 1/2 log(truncated variance given minimum s + noise).

    variance (n,): posterior variances. mean_given, std_given (n, S): posterior given that f(x_s) = minima[s] without
    noise (``given_value``). Tu et al. 2022, equation 9; Hvarfner et al. 2022, equation 9. Returns (value (n,), d / d
    variance (n,), d / d mean_given (n, S), d / d std_given (n, S)).
    """
    noise = np.asarray(noise, dtype=float)
    gain, d_mean, d_std = _truncation_gain(mean_given, std_given, minima, noise)
    S = len(minima)
    column = noise[:, None] if noise.ndim else noise
    left = std_given * std_given + column
    value = 0.5 * np.log(variance + noise) - 0.5 * np.log(left).mean(axis=1) + gain.mean(axis=1)
    return value, 0.5 / (variance + noise), d_mean / S, (d_std - std_given / left) / S


def given_value(
    mean: np.ndarray, variance: np.ndarray, covariance: np.ndarray,
    mean_at: np.ndarray, variance_at: np.ndarray, value_at: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Means and deviations (n, S) of n points, given f(x_s) = value_at[s] for each s alone, without noise.

    mean, variance (n,) of the points, mean_at, variance_at, value_at (S,) at the x_s, covariance (n, S) between them.
    """
    rate = covariance / variance_at
    left = variance[:, None] - rate * covariance
    return mean[:, None] + rate * (value_at - mean_at), np.sqrt(np.maximum(left, _FLOOR * variance[:, None]))


def predictive_entropy_search(
    mean: np.ndarray, variance: np.ndarray, covariance: np.ndarray,
    mean_at: np.ndarray, variance_at: np.ndarray, best: float, noise: Array,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """PES by assumed-density filtering: 1/2 log(variance + noise) - mean_s 1/2 log(variance given x_s is best + noise).

    Shapes as in ``given_value``, x_s being S sampled places of the minimum. The condition "x_s is the minimum" enters
    as two truncations, each replaced by a Gaussian of equal moments: f(x_s) <= ``best``, then f(x) >= f(x_s). This is
    the cheap form of Hernández-Lobato et al. 2014, section 2.2: their conditions on the gradient and the Hessian at
    x_s are left out. Returns (value (n,), d / d mean (n,), d / d variance (n,), d / d covariance (n, S)).
    """
    noise = np.asarray(noise, dtype=float)
    column = noise[:, None] if noise.ndim else noise
    S = len(mean_at)
    u = (best - mean_at) / np.sqrt(variance_at)
    kept = truncated_variance(u)
    at_mean, at_variance = mean_at - np.sqrt(variance_at) * hazard(u), variance_at * kept
    shift, shrink = (at_mean - mean_at) / variance_at, (1 - kept) / variance_at
    x_mean = mean[:, None] + covariance * shift
    x_variance = np.maximum(variance[:, None] - covariance * covariance * shrink, _FLOOR * variance[:, None])
    # f(x) - f(x_s) >= 0: what the difference loses of its variance, f(x) loses in the share that it explains.
    own = x_variance - covariance * kept
    difference = np.maximum(own + at_variance - covariance * kept, _FLOOR * (x_variance + at_variance))
    v = (x_mean - at_mean) / np.sqrt(difference)
    cut, d_cut = 1 - truncated_variance(v), -_kept_slope(v, hazard(v))
    explained = own * own / difference
    left = np.maximum(x_variance - explained * cut, _FLOOR * x_variance) + column
    value = 0.5 * np.log(variance + noise) - 0.5 * np.log(left).mean(axis=1)

    def rate(d_mean: Array, d_variance: Array, d_covariance: Array) -> np.ndarray:
        """d left, from what an input does to x_mean, to x_variance and to the covariance of f(x) and f(x_s)."""
        d_own = d_variance - d_covariance
        d_difference = d_own - d_covariance
        d_v = d_mean / np.sqrt(difference) - 0.5 * v / difference * d_difference
        d_explained = 2 * own / difference * d_own - explained / difference * d_difference
        return -0.5 / (S * left) * (d_variance - d_explained * cut - explained * d_cut * d_v)

    by_covariance = rate(shift, -2 * covariance * shrink, kept)
    return value, rate(1.0, 0.0, 0.0).sum(1), rate(0.0, 1.0, 0.0).sum(1) + 0.5 / (variance + noise), by_covariance


def _truncation_gain(mean: np.ndarray, std: np.ndarray, minima: np.ndarray, noise: np.ndarray) -> Triple:
    """-1/2 log(1 - rho^2 r (r + gamma)) and its derivatives by mean and std, all (n, S)."""
    column = noise[:, None] if noise.ndim else noise
    gamma = (mean - minima) / std
    r = hazard(gamma)
    kept = truncated_variance(gamma)
    share = std * std / (std * std + column)
    left = np.maximum(1 - share * (1 - kept), _FLOOR)
    # kept' = r ((r + gamma) (2 r + gamma) - 1), from r' = -r (r + gamma).
    d_gamma = -0.5 * share * _kept_slope(gamma, r) / left
    d_share = 0.5 * (1 - kept) / left
    return -0.5 * np.log(left), d_gamma / std, (-d_gamma * gamma + 2 * d_share * share * (1 - share)) / std


def _kept_slope(gamma: np.ndarray, r: np.ndarray) -> np.ndarray:
    """d truncated_variance / d gamma; about -2 / gamma^3 far to the left."""
    near = r * ((r + gamma) * (2 * r + gamma) - 1)
    return np.where(gamma > -50.0, near, -2 / np.minimum(gamma, -50.0) ** 3)
