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
    sides = [_Side(mean[:, :, j], std[:, :, j], fronts, j) for j in range(mean.shape[2])]
    value, share = _log_mean([side.value for side in sides])
    slopes = [side.slopes() for side in sides]
    d_mean = np.stack([(share * by_mean).sum(-1) for by_mean, _ in slopes], axis=-1)
    d_std = np.stack([(share * by_std).sum(-1) for _, by_std in slopes], axis=-1)
    return value, d_mean, d_std


def log_noisy_ehvi_value(mean: np.ndarray, std: np.ndarray, fronts: Fronts) -> np.ndarray:
    """The value (n,) of ``log_noisy_ehvi`` alone, at a third of its cost."""
    return _log_mean([_Side(mean[:, :, j], std[:, :, j], fronts, j).value for j in range(mean.shape[2])])[0]


def _log_mean(sides: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """log of the mean over S of the sum over K of the product of exp(sides), each (S, n, K), and each box's share of
    it.
    """
    total = np.sum(sides, axis=0)
    top = total.max(axis=(0, 2))
    shift = np.where(np.isfinite(top), top, 0.0)
    share = np.exp(total - shift[None, :, None])
    mass = share.sum(axis=(0, 2))
    with np.errstate(divide="ignore"):
        value = shift + np.log(mass) - np.log(len(total))
    share /= np.where(mass > 0, mass, 1.0)[None, :, None]
    return value, share


class _Side:
    """``value``: log[psi(upper) - psi(lower)] of objective j for all boxes (S, n, K)."""

    def __init__(self, mean: np.ndarray, std: np.ndarray, fronts: Fronts, j: int) -> None:
        self._std = std[:, :, None]
        self._low, self._high = fronts.low[j], fronts.high[j]
        self._z = (fronts.edges[j][:, None, :] - mean[:, :, None]) / self._std  # (S, n, E)
        log_psi = log_h(self._z) + np.log(self._std)
        upper, lower = self._pick(log_psi, self._high), self._pick(log_psi, self._low)
        self.value = log_difference(upper, np.minimum(lower, upper))
        closed = ((self._low > 0) & (self._high > self._low))[:, None, :]
        self._narrow = closed & (np.where(closed, upper, 0.0) - np.where(closed, lower, -np.inf) < _NARROW)
        if self._narrow.any():
            width = self._pick(self._z, self._high, 0.0) - self._pick(self._z, self._low, 0.0)
            with np.errstate(divide="ignore", invalid="ignore"):  # of the sides that aren't narrow
                middle = self._middle(log_ndtr(self._z)) + np.log(width * self._std)
            self.value = np.where(self._narrow, middle, self.value)

    def slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """d value / d mean, d value / d std (S, n, K): from d psi / d mean = -Phi and d psi / d std = phi at both
        edges.
        """
        value = np.where(np.isfinite(self.value), self.value, np.inf)

        def rate(log_edge: np.ndarray) -> np.ndarray:  # divided in the exponent, where it can't underflow
            return np.exp(self._pick(log_edge, self._high) - value) - np.exp(self._pick(log_edge, self._low) - value)

        d_mean, d_std = -rate(log_ndtr(self._z)), rate(log_pdf(self._z))
        if self._narrow.any():
            slope = -hazard(self._z) / self._std
            d_mean = np.where(self._narrow, self._middle(slope), d_mean)
            d_std = np.where(self._narrow, self._middle(self._z * slope), d_std)
        return d_mean, d_std

    def _middle(self, values: np.ndarray) -> np.ndarray:
        return 0.5 * (self._pick(values, self._high, 0.0) + self._pick(values, self._low, 0.0))

    def _pick(self, values: np.ndarray, index: np.ndarray, below: float = -np.inf) -> np.ndarray:
        """Values (S, n, E) at the edges of the boxes (S, n, K); ``below`` stands for what they are at -inf."""
        S, n, _ = values.shape
        padded = np.concatenate([np.full((S, n, 1), below), values], axis=2)
        return np.take_along_axis(padded, np.broadcast_to(index[:, None, :], (S, n, index.shape[1])), axis=2)
