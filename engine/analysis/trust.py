"""Can the model be believed? Leave-one-out predictions against what was observed, and a verdict in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import ndtr

Level = Literal["good", "watch", "bad", "unknown"]
MIN_OBSERVATIONS = 8
"""Below it a leave-one-out fit says next to nothing."""
GOOD_R2, FAIR_R2 = 0.6, 0.2
NOMINAL = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])


@dataclass(frozen=True)
class Trust:
    """Leave-one-out fit of one outcome.

    observed, mean, std (n,): natural units; each prediction is made without its own observation, std includes noise.
    inside (n,): the observation lies within two standard deviations. nominal, empirical (k,): calibration, the share
    of observations inside central intervals of that probability. level and text: the verdict.
    """

    outcome: str
    observed: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    inside: np.ndarray
    nominal: np.ndarray
    empirical: np.ndarray
    r2: float
    coverage: float
    level: Level
    headline: str
    text: str

    @property
    def n(self) -> int:
        return len(self.observed)


def trust(outcome: str, loo: Mapping[str, Any]) -> Trust:
    """The result of a surrogate's ``loo`` -> Trust. Rows that aren't finite are left out.

    ``z`` and ``r2``, if they are there, are on the scale on which the model is normal: a few huge values would
    otherwise decide alone.
    """
    observed, mean, std = (np.asarray(loo[key], dtype=float) for key in ("observed", "mean", "std"))
    ok = np.isfinite(observed) & np.isfinite(mean) & np.isfinite(std) & (std > 0)
    z = np.abs(np.asarray(loo["z"], dtype=float)[ok]) if "z" in loo else np.abs(observed - mean)[ok] / std[ok]
    observed, mean, std = observed[ok], mean[ok], std[ok]
    n = len(observed)
    inside = z <= 2.0
    probability = 2 * ndtr(z) - 1  # the central interval that just reaches the observation
    empirical = np.array([np.mean(probability <= p) if n else np.nan for p in NOMINAL])
    r2 = float(loo["r2"]) if "r2" in loo and n and np.ptp(observed) > 0 else _r2(observed, mean)
    coverage = float(inside.mean()) if n else float("nan")
    level, headline, text = _verdict(n, r2, coverage)
    return Trust(outcome, observed, mean, std, inside, NOMINAL, empirical, r2, coverage, level, headline, text)


def _r2(observed: np.ndarray, mean: np.ndarray) -> float:
    """Share of the variance that the predictions explain; NaN without any. In units of the largest value, since the
    squares of extreme ones would overflow."""
    unit = max(np.abs(observed).max(initial=0.0), np.abs(mean).max(initial=0.0))
    if unit == 0:
        return float("nan")
    observed, mean = observed / unit, mean / unit
    spread = float(np.sum((observed - observed.mean()) ** 2))
    return 1 - float(np.sum((observed - mean) ** 2)) / spread if spread > 0 else float("nan")


def _verdict(n: int, r2: float, coverage: float) -> tuple[Level, str, str]:
    if n < MIN_OBSERVATIONS:
        return (
            "unknown",
            "Too early to tell",
            f"{n} observation{'' if n == 1 else 's'}: the fit can be judged from {MIN_OBSERVATIONS} on.",
        )
    if not np.isfinite(r2):
        return "unknown", "Nothing to explain", "All observations are equal: there is nothing for a model to explain."
    share = f"{max(r2, 0):.0%} of the variation is predicted without the trial itself"
    honest = f"{coverage:.0%} of the trials lie inside their two-deviation band (95 % expected)"
    if coverage < 0.8:
        return (
            "bad" if coverage < 0.7 else "watch",
            "Overconfident",
            f"{share}, but only {honest}: the bands are too narrow, look at them with suspicion.",
        )
    if r2 >= GOOD_R2:
        return "good", "Trustworthy", f"{share}; {honest}."
    if r2 >= FAIR_R2:
        return "watch", "Rough guide", f"{share}; {honest}. Trends can be read, details can't."
    return (
        "bad",
        "Not predictive yet",
        f"{share}; {honest}. The outcome looks like noise to the model: more trials, fewer parameters or a less noisy "
        "objective would help.",
    )
