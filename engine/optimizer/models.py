"""One outcome's model: fitted from the history, written to a record, rebuilt from it bit for bit.

Hyperparameters are a pure function of the finished trials: a fit starts from the one at the last *anchor*, a number of
observations on a fixed geometric ladder, whose own fit starts from the anchor before. A restarted optimizer climbs the
ladder again and arrives at the same numbers, and in steady state a suggestion costs one warm-started fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.surrogate.exact import Posterior
from engine.surrogate.fit import LogPosterior, maximise
from engine.surrogate.inputs import Columns, Pairs
from engine.surrogate.kernels import Kernel, kernel_from_dict, make_kernel
from engine.surrogate.linalg import NotPositiveDefinite
from engine.surrogate.priors import Prior
from engine.surrogate.warps import Output

_LADDER_START, _LADDER_GROWTH = 4, 1.3
_FIT_ROWS = 300  # hyperparameters are learnt from at most this many observations
_ANCHOR_ITERATIONS, _WARM_ITERATIONS = 50, 12


@dataclass(frozen=True)
class OutcomeModel:
    """Posterior of one outcome. sign: sign * outcome is modelled, smaller is better."""

    name: str
    role: str  # "objective", "constraint", "success" (did the trial run?) or "target" (a scalarisation)
    sign: float
    output: Output
    posterior: Posterior

    def natural(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the outcome in natural units: (m,), (m,)."""
        mean, std = self.output.natural(*self.posterior.predict(X))
        return self.sign * mean, std

    def limit(self, value: float) -> float:
        """A limit on the outcome in the model's units."""
        return float(self.output.forward(np.array([self.sign * value]))[0])

    @property
    def noise_share(self) -> float:
        """Noise variance over that of the standardised outcome."""
        given = self.posterior.given
        return self.posterior.noise + (0.0 if given is None else float(np.median(given)))

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "role": self.role,
            "sign": self.sign,
            "kernel": self.posterior.kernel.to_dict(),
            "theta": self.posterior.theta.tolist(),
            "mean": self.posterior.mean,
            "scale": self.posterior.scale,
            "output": self.output.to_dict(),
        }

    @classmethod
    def from_dict(
        cls, data: dict[str, Any], X: np.ndarray, y: np.ndarray, columns: Columns, variances: np.ndarray | None
    ) -> OutcomeModel:
        """Rebuilds the model of observations (X, y) from ``to_dict``; no fitting. y in natural units."""
        output = Output.from_dict(data["output"])
        signed = data["sign"] * y
        posterior = Posterior(
            kernel_from_dict(data["kernel"], columns), np.array(data["theta"]), X, output.forward(signed), columns,
            None if variances is None else output.noise(signed, variances), mean_scale=(data["mean"], data["scale"]),
        )  # fmt: skip
        return cls(data["name"], data["role"], data["sign"], output, posterior)


class Fitter:
    """Fits models of one outcome at growing numbers of observations, remembering the ladder of anchors."""

    def __init__(self, columns: Columns, transforms: tuple[str, ...], kernel: str, prior: Prior) -> None:
        self.columns, self.transforms, self.prior = columns, transforms, prior
        self.kernel: Kernel = make_kernel(kernel, columns)
        self._arrays = prior.arrays(self.kernel)
        self._anchors: dict[tuple[str, int], np.ndarray] = {}

    def fit(self, X: np.ndarray, y: np.ndarray, given: np.ndarray | None = None) -> tuple[Output, Posterior]:
        """The transform of best leave-one-out density and its posterior. y (n,) signed, smaller is better."""
        best: tuple[float, Output, Posterior] | None = None
        for kind in self.transforms:
            output = Output.of(y, kind)
            noise = None if given is None else output.noise(y, given)
            theta = self._theta(kind, X, y, given)
            posterior = self._posterior(theta, X, output.forward(y), noise)
            score = posterior.leave_one_out().log_density + float(output.log_slope(y).mean())
            if best is None or score > best[0]:
                best = score, output, posterior
        assert best is not None
        return best[1], best[2]

    def fit_labels(self, X: np.ndarray, labels: np.ndarray) -> Posterior:
        """Of labels +1 and -1 as they are, so that far from all trials neither is favoured."""
        return self._posterior(self._theta("none", X, labels, None), X, labels, None)

    def fit_once(self, X: np.ndarray, y: np.ndarray, starts: list[np.ndarray]) -> tuple[Output, Posterior]:
        """Without the ladder, for outcomes that change from one suggestion to the next."""
        kind = self.transforms[0]
        theta = self._search(kind, X, y, None, [self._arrays.mean, *starts], _WARM_ITERATIONS)
        output = Output.of(y, kind)
        return output, self._posterior(theta, X, output.forward(y), None)

    def _posterior(self, theta: np.ndarray, X: np.ndarray, z: np.ndarray, noise: np.ndarray | None) -> Posterior:
        try:
            return Posterior(self.kernel, theta, X, z, self.columns, noise, self.prior.scale)
        except NotPositiveDefinite:
            safe = self._arrays.mean.copy()
            safe[-1] = np.log(1e-2)
            return Posterior(self.kernel, safe, X, z, self.columns, noise, self.prior.scale)

    def _theta(self, kind: str, X: np.ndarray, y: np.ndarray, given: np.ndarray | None) -> np.ndarray:
        n, mode = len(y), self._arrays.mean
        start: np.ndarray | None = None
        for m in ladder(n):
            key = (kind, m)
            if key not in self._anchors:
                starts = [mode, mode - np.log(3.0)] if start is None else [start, mode]
                self._anchors[key] = self._search(kind, X[:m], y[:m], None if given is None else given[:m], starts,
                                                  _ANCHOR_ITERATIONS)  # fmt: skip
            start = self._anchors[key]
        if start is None:
            return self._search(kind, X, y, given, [mode], _ANCHOR_ITERATIONS)
        return self._search(kind, X, y, given, [start], _WARM_ITERATIONS)

    def _search(
        self, kind: str, X: np.ndarray, y: np.ndarray, given: np.ndarray | None, starts: list[np.ndarray],
        iterations: int,
    ) -> np.ndarray:  # fmt: skip
        rows = representative(y, _FIT_ROWS)
        X, y = X[rows], y[rows]
        z, noise = y, None
        if kind != "none":
            output = Output.of(y, kind)
            z = output.forward(y)
            noise = None if given is None else output.noise(y, given[rows])
        target = LogPosterior(self.kernel, self._arrays, Pairs(X, self.columns), z, noise)
        return maximise(target, starts, iterations).theta


def ladder(n: int) -> list[int]:
    """The anchors up to n: 4, 6, 8, 11, ..., each 1.3 times the one before."""
    out, m = [], _LADDER_START
    while m <= n:
        out.append(m)
        m = max(m + 2, round(m * _LADDER_GROWTH))
    return out


def representative(y: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` positions: the best third of them, the rest spread evenly over the order of arrival."""
    n = len(y)
    if n <= count:
        return np.arange(n)
    best = np.argsort(y, kind="stable")[: count // 3]
    others = np.setdiff1d(np.arange(n), best)
    spread = others[np.linspace(0, len(others) - 1, count - len(best)).round().astype(int)]
    return np.sort(np.concatenate([best, spread]))
