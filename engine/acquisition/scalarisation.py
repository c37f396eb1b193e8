"""Many objectives rolled into one: ParEGO (Knowles 2006), for four objectives or more, where boxes become too many.

Every suggestion draws weights and improves the Tchebycheff value max_j w_j (y_j - ideal_j). Knowles fits a model to
that value; here each objective keeps its own, and the expected improvement of the maximum of independent Gaussians is
an integral over a product of normal distribution functions: smoother to model, and exact to the quadrature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from engine.acquisition.functions import Predictor
from engine.acquisition.normal import hazard

_LEAST_WEIGHT = 1e-3
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
_DECADES = 40.0  # natural ones; the integrand at the far end is below exp(-40) of that at the near end
_DEVIATIONS = 8.0


def simplex_weights(m: int, rng: np.random.Generator) -> np.ndarray:
    """(m,) weights that sum to 1, uniform on the simplex, none quite zero."""
    weights = np.maximum(rng.dirichlet(np.ones(m)), _LEAST_WEIGHT)
    return weights / weights.sum()


def tchebycheff(Y: np.ndarray, weights: np.ndarray, ideal: np.ndarray) -> np.ndarray:
    """(n,) max_j w_j (y_j - ideal_j) of objectives Y (n, m), smaller being better."""
    return ((Y - ideal) * weights).max(axis=1)


def log_tchebycheff_ei(mean: np.ndarray, std: np.ndarray, best: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log E max(best - max_j s_j, 0) for independent s_j with means and deviations (n, m), the weighted objectives.

    The expectation is the integral up to ``best`` of P(max_j s_j <= t) = prod_j Phi((t - mean_j) / std_j), a
    log-concave function, by 32 Gauss-Legendre nodes over the range where it matters. Returns (value (n,), d / d mean
    (n, m), d / d std (n, m)); the range is held for the derivatives.
    """
    top = np.minimum(best, (mean + _DEVIATIONS * std).max(axis=1))  # above it all but nothing is left to integrate over
    decay = (hazard((top[:, None] - mean) / std) / std).sum(axis=1)
    low = (mean - _DEVIATIONS * std).max(axis=1)
    with np.errstate(divide="ignore"):
        span = np.minimum(_DECADES / decay, np.where(low < top, top - low, np.inf))
        sure = np.log(best - top)
    t = top[:, None] - 0.5 * (1 - _NODES) * span[:, None]  # (n, q)
    z = (t[:, None, :] - mean[:, :, None]) / std[:, :, None]  # (n, m, q)
    terms = log_ndtr(z).sum(axis=1) + np.log(0.5 * _WEIGHTS) + np.log(span)[:, None]
    largest = np.maximum(terms.max(axis=1), sure)
    share = np.exp(terms - largest[:, None])
    mass = share.sum(axis=1) + np.exp(sure - largest)
    share /= mass[:, None]
    slope = hazard(z) / std[:, :, None]
    return largest + np.log(mass), -np.einsum("nq,nmq->nm", share, slope), -np.einsum("nq,nmq->nm", share, slope * z)


@dataclass(frozen=True)
class TchebycheffImprovement:
    """log EI of the weighted maximum of several posteriors' outcomes below ``best``.

    weights (m,), ideal (m,): s_j = weights_j (y_j - ideal_j).
    """

    posteriors: Sequence[Predictor]
    weights: np.ndarray
    ideal: np.ndarray
    best: float
    name: str = "log expected improvement of weighted objectives"

    def value(self, X: np.ndarray) -> np.ndarray:
        found = [p.predict(X) for p in self.posteriors]
        mean, std = (np.stack([f[i] for f in found], axis=1) for i in range(2))
        return log_tchebycheff_ei(self.weights * (mean - self.ideal), self.weights * std, self.best)[0]

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = [p.gradients(X) for p in self.posteriors]
        mean, std = (np.stack([f[i] for f in found], axis=1) for i in range(2))
        value, d_mean, d_std = log_tchebycheff_ei(self.weights * (mean - self.ideal), self.weights * std, self.best)
        d_mean, d_std = d_mean * self.weights, d_std * self.weights
        slope = np.zeros(X.shape)
        for j, f in enumerate(found):
            slope += d_mean[:, [j]] * f[2] + d_std[:, [j]] * f[3]
        return value, slope
