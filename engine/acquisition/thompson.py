"""Thompson sampling by whole functions: pathwise draws from the posterior (Wilson et al. 2020).

A prior draw from random features (Rahimi and Recht 2007) is corrected at the data (Matheron's rule): f(x) = m + g(x)
+ k(x, X) (K + N)^-1 (y - m - g(X) - e), with e ~ N(0, N). A draw can be evaluated and differentiated anywhere, at the
cost of a posterior mean; a joint sample of q points would cost O(q^3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.acquisition.ascent import ascend
from engine.acquisition.domain import Domain
from engine.surrogate.exact import Posterior
from engine.surrogate.inputs import Points
from engine.surrogate.kernels import Additive, Gated, Kernel, Mixture, Product, Radial

_DEGREES = {"matern12": 1, "matern32": 3, "matern52": 5}  # of freedom of the spectral density; rbf: a normal one


@dataclass(frozen=True)
class Features:
    """Q random features, each a product of P factors: phi_q(x)' phi_q(x') has the kernel as its expectation.

    Factor p of feature q at features F of a row: 1 where ``gate`` is a conditional group that is inactive there,
    otherwise level + amplitude sqrt(2) cos(F . frequency + phase). frequency (P, Q, f); phase, level, amplitude (P,
    Q); gate (P,), -1 for an unconditional factor.
    """

    frequency: np.ndarray
    phase: np.ndarray
    level: np.ndarray
    amplitude: np.ndarray
    gate: tuple[int, ...]

    @classmethod
    def of(cls, kernel: Kernel, theta: np.ndarray, features: int, count: int, rng: np.random.Generator) -> Features:
        """For a kernel with parameters theta over rows of ``features`` features. Raises ValueError for an unknown
        profile.
        """
        factors = _factors(kernel, theta, features, count, rng)
        frequency, phase, level, amplitude, gate = zip(*factors)
        return cls(np.stack(frequency), np.stack(phase), np.stack(level), np.stack(amplitude), gate)

    def value(self, points: Points) -> np.ndarray:
        """(n, Q)"""
        out = np.ones((len(points), self.phase.shape[1]))
        for p, gate in enumerate(self.gate):
            out *= self._factor(points, p, gate)
        return out

    def gradient(self, points: Points, weight: np.ndarray) -> np.ndarray:
        """(n, f) gradient by the features of points of sum_q weight_q phi_q; weight (Q,) or (n, Q)."""
        parts = [self._factor(points, p, gate) for p, gate in enumerate(self.gate)]
        out = np.zeros_like(points.F)
        for p, gate in enumerate(self.gate):
            others = np.broadcast_to(weight, parts[p].shape)
            for q, part in enumerate(parts):
                others = others * part if q != p else others
            slope = -np.sqrt(2) * self.amplitude[p] * np.sin(points.F @ self.frequency[p].T + self.phase[p])
            if gate >= 0:
                slope = np.where(points.gates[gate][:, None], slope, 0.0)
            out += (others * slope) @ self.frequency[p]
        return out

    def _factor(self, points: Points, p: int, gate: int) -> np.ndarray:
        wave = np.cos(points.F @ self.frequency[p].T + self.phase[p])
        wave *= np.sqrt(2) * self.amplitude[p]
        wave += self.level[p]
        return wave if gate < 0 else np.where(points.gates[gate][:, None], wave, 1.0)


Factor = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]


def _factors(kernel: Kernel, theta: np.ndarray, f: int, count: int, rng: np.random.Generator) -> list[Factor]:
    """The factors of a kernel's random features: (frequency, phase, level, amplitude, gate) each."""
    if isinstance(kernel, Product):
        factors, start = [], 0
        for part in kernel.parts:
            end = start + len(part.parameters())
            factors += _factors(part, theta[start:end], f, count, rng)
            start = end
        return factors
    if isinstance(kernel, Gated):
        # With a unit part that both states share: E over the phase leaves c between states, c^2 + (1 - c^2) k within.
        c = 1 / (1 + np.exp(-theta[0]))
        frequency, phase = _waves(kernel.inner, theta[1:], f, count, rng)
        return [(frequency, phase, np.full(count, c), np.full(count, np.sqrt(1 - c * c)), kernel.group)]
    frequency, phase = _waves(kernel, theta, f, count, rng)
    return [(frequency, phase, np.zeros(count), np.ones(count), -1)]


def _waves(
    kernel: Kernel, theta: np.ndarray, f: int, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (count, f) and phases (count,) whose cosines have the kernel as their covariance."""
    if isinstance(kernel, Radial):
        frequency = np.zeros((count, f))
        places = kernel.features
        waves = rng.standard_normal((count, len(places)))
        if kernel.name != "rbf":
            if kernel.name not in _DEGREES:
                raise ValueError(f"the spectral density of {kernel.name!r} is not known; use rbf or a Matérn kernel.")
            nu = _DEGREES[kernel.name]
            waves /= np.sqrt(rng.chisquare(nu, size=(count, 1)) / nu)
        frequency[:, places] = waves * np.exp(-theta)[kernel.owner]
        return frequency, rng.uniform(0, 2 * np.pi, count)
    if isinstance(kernel, Additive):
        parts = [_waves(part, theta[i : i + 1], f, count, rng) for i, part in enumerate(kernel.parts)]
        return _choose(parts, rng.integers(len(parts), size=count))
    if isinstance(kernel, Mixture):
        share = 1 / (1 + np.exp(-theta[0]))
        cut = 1 + len(kernel.first.parameters())
        pair = [_waves(kernel.first, theta[1:cut], f, count, rng), _waves(kernel.second, theta[cut:], f, count, rng)]
        return _choose(pair, (rng.random(count) >= share).astype(int))
    raise ValueError(f"no random features are known for {type(kernel).__name__}.")


def _choose(parts: list[tuple[np.ndarray, np.ndarray]], index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(len(index))
    return np.stack([w for w, _ in parts])[index, rows], np.stack([b for _, b in parts])[index, rows]


class Paths:
    """S draws of the latent function from a posterior, in its standardised units; they share their random features."""

    def __init__(self, posterior: Posterior, draws: int, rng: np.random.Generator, count: int = 512) -> None:
        p = self.posterior = posterior
        self._features = Features.of(p.kernel, p.parameters, p.points.F.shape[1], count, rng)
        self._weight = rng.standard_normal((draws, count)) / np.sqrt(count)
        noise = p.noise + (0.0 if p.given is None else p.given)
        error = rng.standard_normal((len(p), draws)) * np.sqrt(noise * np.ones(len(p)))[:, None]
        residual = (p.y - p.mean)[:, None] / np.sqrt(p.scale) - self._features.value(p.points) @ self._weight.T
        self._update = p.solve(residual - error).T  # (S, n)

    def draw(self, X: np.ndarray) -> np.ndarray:
        """(S, m) the drawn functions at the rows of X (m, d)."""
        p, A = self.posterior, Points(X, self.posterior.columns)
        k, _ = p.kernel.cross(p.parameters, A, p.points)
        return p.mean + np.sqrt(p.scale) * (self._weight @ self._features.value(A).T + self._update @ k.T)

    def gradient(self, X: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row i of X under draw ``which[i]``: values (m,) and gradients (m, d), 0 by columns that aren't numeric."""
        p, A = self.posterior, Points(X, self.posterior.columns)
        k, cache = p.kernel.cross(p.parameters, A, p.points)
        weight, update = self._weight[which], self._update[which]
        slope = self._features.gradient(A, weight)
        slope += p.kernel.contract_inputs(p.parameters, A, p.points, cache, update)
        value = np.einsum("ij,ij->i", self._features.value(A), weight) + np.einsum("ij,ij->i", k, update)
        root = np.sqrt(p.scale)
        return p.mean + root * value, root * p.columns.numeric_part(slope)

    def minima(self, rows: np.ndarray, domain: Domain, calls: int = 15) -> tuple[np.ndarray, np.ndarray]:
        """Places (S, d) and values (S,) of the draws' minima over a domain.

        The best of ``rows`` (feasible and snapped) under each draw, improved along its continuous columns.
        """
        values = self.draw(rows)
        best, at = values.argmin(axis=1), np.arange(len(values))
        X, lowest = rows[best], values[at, best]
        free = domain.continuous & ~np.isnan(X)
        if not free.any():
            return X, lowest

        def negative(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            value, slope = self.gradient(batch, at)
            return -value, -slope

        low, high = np.zeros(len(domain)), np.ones(len(domain))
        moved, found = ascend(negative, X, free, low, high, calls, feasible=domain.feasible)
        better = -found < lowest
        return np.where(better[:, None], moved, X), np.where(better, -found, lowest)


@dataclass(frozen=True)
class ThompsonSample:
    """One drawn function, negated: its maximum is a sample of where the minimum is."""

    paths: Paths
    name: str = "Thompson sample"

    def value(self, X: np.ndarray) -> np.ndarray:
        return -self.paths.draw(X)[0]

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slope = self.paths.gradient(X, np.zeros(len(X), dtype=int))
        return -value, -slope
