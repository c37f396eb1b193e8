"""Expected hypervolume improvement as an acquisition over the posteriors of two or three objectives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.acquisition.covariance import GivenValues, draw_at
from engine.acquisition.ehvi import Fronts, log_noisy_ehvi, log_noisy_ehvi_value
from engine.acquisition.functions import Predictor
from engine.acquisition.hypervolume import boxes, nondominated
from engine.surrogate.exact import Posterior


class ExpectedHypervolumeImprovement:
    """log EHVI over S fronts; without ``given`` over one front, with it draw s of the outcomes belongs to front s.

    posteriors: of the m objectives, smaller outcomes better. Built by ``over_front`` or ``over_draws``.
    """

    def __init__(
        self, posteriors: Sequence[Predictor], fronts: Fronts, given: Sequence[GivenValues] | None, name: str
    ) -> None:
        self.posteriors, self.fronts, self.given, self.name = list(posteriors), fronts, given, name

    @classmethod
    def over_front(
        cls, posteriors: Sequence[Predictor], Y: np.ndarray, reference: np.ndarray
    ) -> ExpectedHypervolumeImprovement:
        """Exact EHVI beyond outcomes Y (n, m) that are known, in the posteriors' units."""
        return cls(posteriors, Fronts.of([boxes(Y, reference)]), None, "log expected hypervolume improvement")

    @classmethod
    def over_draws(
        cls, posteriors: Sequence[Posterior], Z: np.ndarray, reference: np.ndarray, normals: np.ndarray
    ) -> ExpectedHypervolumeImprovement:
        """Noisy EHVI: the front of the rows Z (a, d), observed or pending, is drawn from standard normals (S, a, m)."""
        draws = np.stack([draw_at(p, Z, normals[:, :, j]) for j, p in enumerate(posteriors)], axis=-1)
        given = [GivenValues(p, Z, draws[:, :, j]) for j, p in enumerate(posteriors)]
        fronts = Fronts.of([boxes(draw, reference) for draw in draws])
        return cls(posteriors, fronts, given, "log noisy expected hypervolume improvement")

    def value(self, X: np.ndarray) -> np.ndarray:
        return log_noisy_ehvi_value(*self._moments(X), self.fronts)

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.given is not None:
            value, d_mean, d_std = log_noisy_ehvi(*self._moments(X), self.fronts)
            parts = [g.gradient(X, d_mean[:, :, j], d_std[:, :, j].sum(axis=0)) for j, g in enumerate(self.given)]
            return value, np.sum(parts, axis=0)
        found = [p.gradients(X) for p in self.posteriors]
        mean, std = (np.stack([f[i] for f in found], axis=-1)[None] for i in range(2))
        value, d_mean, d_std = log_noisy_ehvi(mean, std, self.fronts)
        slope = sum(
            d_mean[0, :, [j]].T * f[2] + d_std[0, :, [j]].T * f[3] for j, f in enumerate(found)
        )  # fmt: skip
        return value, np.asarray(slope)

    def _moments(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and deviations (S, n, m)."""
        if self.given is None:
            found = [p.predict(X) for p in self.posteriors]
            return tuple(np.stack([f[i] for f in found], axis=-1)[None] for i in range(2))  # type: ignore[return-value]
        pairs = [g.predict(X) for g in self.given]
        mean = np.stack([m for m, _ in pairs], axis=-1)
        std = np.stack([s for _, s in pairs], axis=-1)
        return mean, np.broadcast_to(std, mean.shape)


def contenders(mean: np.ndarray, std: np.ndarray, most: int, width: float = 2.0) -> np.ndarray:
    """Positions of the rows that may be on the front: with means and deviations (n, m), at most ``most`` of them.

    A row is out if even its optimistic outcome, ``width`` deviations below the mean, is dominated by the pessimistic
    outcome of another. Of too many, those stay whose means are dominated by the fewest.
    """
    low, high = mean - width * std, mean + width * std
    sure = high[nondominated(high)]
    beaten = ((sure <= low[:, None]).all(-1) & (sure < low[:, None]).any(-1)).any(1)
    rows = np.flatnonzero(~beaten)
    if len(rows) <= most:
        return rows
    by = ((mean[rows] <= mean[rows][:, None]).all(-1) & (mean[rows] < mean[rows][:, None]).any(-1)).sum(1)
    return np.sort(rows[np.argsort(by, kind="stable")[:most]])
