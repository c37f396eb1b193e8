"""Expected hypervolume improvement of independent Gaussian outcomes: exact for two and three objectives, in log form.

For any partition of the non-dominated region into boxes, EHVI = sum_k prod_j [psi_j(upper_kj) - psi_j(lower_kj)] with
psi_j(t) = E[max(t - y_j, 0)] = std_j h((t - mean_j) / std_j) (Yang et al. 2019, in the form for minimisation). The
logarithm keeps a gradient where EHVI underflows (Ament et al. 2023). Noisy EHVI (Daulton et al. 2021) averages it
over draws of the front, each with the posterior given that draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from engine.acquisition.hypervolume import Boxes
from engine.acquisition.log_ei import log_h
from engine.acquisition.normal import hazard, log_difference, log_pdf

_NARROW = 1e-5  # a side whose log psi differ by less is taken as a trapezoid: both errors are about 1e-11 there


@dataclass(frozen=True)
class Fronts:
    """The boxes of S fronts, prepared: for each objective the distinct edges, and the boxes as indices into them.

    edges: m arrays (S, E_j), padded by their last; low, high: m arrays (S, K) of indices, 0 standing for -inf and i
    for edge i - 1. A padding box has low = high, hence no volume.
    """

    edges: tuple[np.ndarray, ...]
    low: tuple[np.ndarray, ...]
    high: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, fronts: Sequence[Boxes]) -> Fronts:
        m = fronts[0].lower.shape[1]
        size = max(len(front) for front in fronts)
        edges: list[np.ndarray] = []
        low: list[np.ndarray] = []
        high: list[np.ndarray] = []
        for j in range(m):
            rows = [
                np.unique(np.concatenate([f.lower[:, j][np.isfinite(f.lower[:, j])], f.upper[:, j]])) for f in fronts
            ]
            width = max(len(row) for row in rows)
            edges.append(np.stack([np.pad(row, (0, width - len(row)), mode="edge") for row in rows]))
            for index, corner in ((low, [f.lower for f in fronts]), (high, [f.upper for f in fronts])):
                found = [np.searchsorted(row, c[:, j]) + np.isfinite(c[:, j]) for row, c in zip(rows, corner)]
                index.append(np.stack([np.pad(i, (0, size - len(i))) for i in found]))
        return cls(tuple(edges), tuple(low), tuple(high))


def log_ehvi(mean: np.ndarray, std: np.ndarray, front: Boxes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log EHVI over one front at means and deviations (n, m).

    Returns (value (n,), d / d mean (n, m), d / d std (n, m)).
    """
    value, d_mean, d_std = log_noisy_ehvi(mean[None], std[None], Fronts.of([front]))
    return value, d_mean[0], d_std[0]


def log_noisy_ehvi(mean: np.ndarray, std: np.ndarray, fronts: Fronts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log of the mean over S draws of EHVI, draw s with means mean[s] and deviations std[s], each (S, n, m).

    Returns (value (n,), d / d mean (S, n, m), d / d std (S, n, m)).
    """
    S, _, m = mean.shape
    sides = [_side(mean[:, :, j], std[:, :, j], fronts.edges[j], fronts.low[j], fronts.high[j]) for j in range(m)]
    total = np.sum([log_side for log_side, _, _ in sides], axis=0)  # (S, n, K)
    top = total.max(axis=(0, 2))
    shift = np.where(np.isfinite(top), top, 0.0)
    weight = np.exp(total - shift[None, :, None])
    mass = weight.sum(axis=(0, 2))
    with np.errstate(divide="ignore"):
        value = shift + np.log(mass) - np.log(S)
    weight /= np.where(mass > 0, mass, 1.0)[None, :, None]
    d_mean = np.stack([(weight * slope).sum(-1) for _, slope, _ in sides], axis=-1)
    d_std = np.stack([(weight * slope).sum(-1) for _, _, slope in sides], axis=-1)
    return value, d_mean, d_std


def _side(
    mean: np.ndarray, std: np.ndarray, edges: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log[psi(upper) - psi(lower)] of one objective and its derivatives by mean and std, each (S, n, K)."""
    S, n = mean.shape
    z = (edges[:, None, :] - mean[:, :, None]) / std[:, :, None]  # (S, n, E)
    log_psi, log_cdf, log_density = log_h(z) + np.log(std)[:, :, None], log_ndtr(z), log_pdf(z)

    def pick(values: np.ndarray, index: np.ndarray, below: float) -> np.ndarray:
        padded = np.concatenate([np.full((S, n, 1), below), values], axis=2)
        return np.take_along_axis(padded, np.broadcast_to(index[:, None, :], (S, n, index.shape[1])), axis=2)

    upper, lower = pick(log_psi, high, -np.inf), pick(log_psi, low, -np.inf)
    value = log_difference(upper, np.minimum(lower, upper))
    # The value cancels from the differences of derivatives too: all are divided by it in the exponent.
    safe = np.where(np.isfinite(value), value, np.inf)
    d_mean = np.exp(pick(log_cdf, low, -np.inf) - safe) - np.exp(pick(log_cdf, high, -np.inf) - safe)
    d_std = np.exp(pick(log_density, high, -np.inf) - safe) - np.exp(pick(log_density, low, -np.inf) - safe)
    closed = ((low > 0) & (high > low))[:, None, :]
    narrow = closed & (np.where(closed, upper, 0.0) - np.where(closed, lower, -np.inf) < _NARROW)
    if narrow.any():
        width = pick(z, high, 0.0) - pick(z, low, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):  # of the sides that aren't narrow
            middle = 0.5 * (pick(log_cdf, high, 0.0) + pick(log_cdf, low, 0.0)) + np.log(width * std[:, :, None])
        rate = hazard(z) / std[:, :, None]
        value = np.where(narrow, middle, value)
        d_mean = np.where(narrow, -0.5 * (pick(rate, high, 0.0) + pick(rate, low, 0.0)), d_mean)
        d_std = np.where(narrow, -0.5 * (pick(z * rate, high, 0.0) + pick(z * rate, low, 0.0)), d_std)
    return value, d_mean, d_std
