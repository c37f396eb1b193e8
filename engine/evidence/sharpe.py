"""How sure is a Sharpe ratio, once it is known how many were tried and how long the record is?

Units: every Sharpe ratio in this module is PER PERIOD (not annualised): mean / standard deviation (ddof 1) of returns
in excess of cash. To convert: annual / sqrt(periods per year); a variance of annual ratios / periods per year. Kurtosis
is the plain one (3 for a normal distribution), not the excess.

Sources: Bailey & López de Prado, "The Sharpe ratio efficient frontier", J. of Risk 15(2), 2012 (PSR, MinTRL);
"The deflated Sharpe ratio", J. of Portfolio Management 40(5), 2014 (DSR, expected maximum, effective trials);
Bailey, Borwein, López de Prado & Zhu, "Pseudo-mathematics and financial charlatanism", Notices of the AMS 61(5), 2014
(minimum backtest length).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from engine.errors import InvalidInput
from engine.evidence import inputs

EULER = 0.5772156649015329


@dataclass(frozen=True)
class Moments:
    """The four moments of a return series, per period."""

    observations: int
    mean: float
    deviation: float
    skew: float
    kurtosis: float

    @property
    def sharpe(self) -> float:
        return self.mean / self.deviation


@dataclass(frozen=True)
class TrialVariance:
    """Variance of the trials' per-period Sharpe ratios, and where it was taken from ("all" or "random")."""

    value: float
    source: str
    all: float
    random: float | None


@dataclass(frozen=True)
class Deflated:
    """A deflated Sharpe ratio with everything that went into it; ratios are per period."""

    probability: float
    sharpe: float
    hurdle: float
    expected_maximum: float
    trials: float
    variance: float


def moments(returns: ArrayLike) -> Moments:
    """Moments of excess returns (T,), T >= 4; skew and kurtosis are those of the sample (no bias correction)."""
    x = inputs.varying(returns, "returns", minimum=4)
    mean = float(np.mean(x))
    centred = x - mean
    # Scaled first: the fourth power of tiny returns would underflow.
    scaled = centred / np.max(np.abs(centred))
    second = np.mean(scaled**2)
    return Moments(
        observations=len(x),
        mean=mean,
        deviation=float(np.std(x, ddof=1)),
        skew=float(np.mean(scaled**3) / second**1.5),
        kurtosis=float(np.mean(scaled**4) / second**2),
    )


def column_sharpes(returns: ArrayLike) -> NDArray[np.float64]:
    """Per-period Sharpe ratio (N,) of each column of excess returns (T, N)."""
    x = inputs.matrix(returns, "returns", columns=1)
    return np.mean(x, axis=0) / np.std(x, axis=0, ddof=1)


def probabilistic_sharpe(
    sharpe: float, observations: float, hurdle: float = 0.0, skew: float = 0.0, kurtosis: float = 3.0
) -> float:
    """PSR: the probability that the true Sharpe ratio exceeds ``hurdle``.

    Φ[(SR − SR*)·sqrt(T − 1) / sqrt(1 − g3·SR + (g4 − 1)/4·SR²)], all per period.
    """
    inputs.number(sharpe, "sharpe")
    inputs.number(hurdle, "hurdle")
    inputs.number(observations, "observations", low=2)
    spread = _variance_factor(sharpe, skew, kurtosis)
    return float(ndtr((sharpe - hurdle) * math.sqrt((observations - 1) / spread)))


def minimum_track_record(
    sharpe: float, hurdle: float = 0.0, confidence: float = 0.95, skew: float = 0.0, kurtosis: float = 3.0
) -> float:
    """MinTRL: how many observations until PSR(hurdle) reaches ``confidence``, as a real number, not rounded.

    1 + (1 − g3·SR + (g4 − 1)/4·SR²)·(z / (SR − SR*))². Infinite if the ratio isn't above the hurdle: no record
    suffices.
    """
    inputs.number(sharpe, "sharpe")
    inputs.number(hurdle, "hurdle")
    inputs.number(confidence, "confidence", 0.5, 1.0, open_ends=True)
    spread = _variance_factor(sharpe, skew, kurtosis)
    if sharpe <= hurdle:
        return math.inf
    return 1.0 + spread * (float(ndtri(confidence)) / (sharpe - hurdle)) ** 2


def expected_maximum(trials: float) -> float:
    """Expected largest of ``trials`` independent standard normal draws (an approximation, slightly high).

    (1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e)); 0 for one trial. N may be fractional (an effective number).
    """
    n = inputs.number(trials, "trials", low=1.0)
    if n == 1.0:
        return 0.0
    # Φ⁻¹(1 − p) as −Φ⁻¹(p): exact also for very many trials. Below N of about 1.3 the approximation turns negative.
    return max(0.0, float(-(1 - EULER) * ndtri(1 / n) - EULER * ndtri(1 / (n * math.e))))


def minimum_backtest_years(trials: float, target: float = 1.0) -> float:
    """MinBTL in years: below it, the best of ``trials`` skill-less trials reaches an annual Sharpe of ``target`` by
    luck.

    (E[max of N] / target)², which is below 2·ln(N) / target².
    """
    inputs.number(target, "target", low=0.0, high=math.inf, open_ends=True)
    return (expected_maximum(trials) / target) ** 2


def average_correlation(returns: ArrayLike) -> float:
    """Mean correlation between different columns of returns (T, N), in time and memory of order T·N."""
    x = inputs.matrix(returns, "returns")
    standard = (x - np.mean(x, axis=0)) / np.std(x, axis=0, ddof=1)
    n = x.shape[1]
    # The sum of all entries of the correlation matrix is the variance of the row sums.
    total = float(np.sum(np.sum(standard, axis=1) ** 2)) / (len(x) - 1)
    return min(1.0, (total - n) / (n * (n - 1)))


def effective_trials(trials: float, correlation: float) -> float:
    """How many independent trials the correlated ones are worth: ρ + (1 − ρ)·N, with ρ taken as 0 where negative."""
    n = inputs.number(trials, "trials", low=1.0)
    rho = max(0.0, inputs.number(correlation, "correlation", -1.0, 1.0))
    return rho + (1 - rho) * n


def trial_variance(sharpes: ArrayLike, random: ArrayLike | None = None) -> TrialVariance:
    """Variance (ddof 1) of the trials' Sharpe ratios (N,): of all, or of the ``random`` ones (mask (N,)) if that is
    larger.

    An optimiser crowds its trials around the best one: their variance shrinks and would flatter the deflated ratio.
    """
    values = inputs.series(sharpes, "sharpes")
    everything = float(np.var(values, ddof=1))
    chance: float | None = None
    if random is not None:
        mask = np.asarray(random)
        if mask.dtype != bool or mask.shape != values.shape:
            raise InvalidInput("random", f"must be {len(values)} true or false values, one for each trial.")
        if np.sum(mask) >= 2:
            chance = float(np.var(values[mask], ddof=1))
    if chance is not None and chance > everything:
        return TrialVariance(chance, "random", everything, chance)
    return TrialVariance(everything, "all", everything, chance)


def deflated_sharpe(
    sharpe: float, observations: float, trials: float, variance: float, skew: float = 0.0, kurtosis: float = 3.0
) -> Deflated:
    """DSR: the probability that the true Sharpe ratio exceeds what the best of ``trials`` lucky ones would show.

    PSR(SR0) with SR0 = sqrt(variance)·E[max of N]; ``variance`` is that of the trials' per-period Sharpe ratios.
    """
    maximum = expected_maximum(trials)
    inputs.number(variance, "variance", low=0.0)
    if variance == 0.0 and trials > 1:
        raise InvalidInput(
            "variance", "is zero: the trials' Sharpe ratios don't differ, so they tell nothing about luck."
        )
    hurdle = math.sqrt(variance) * maximum
    probability = probabilistic_sharpe(sharpe, observations, hurdle, skew, kurtosis)
    return Deflated(probability, float(sharpe), hurdle, maximum, float(trials), float(variance))


def _variance_factor(sharpe: float, skew: float, kurtosis: float) -> float:
    """1 − g3·SR + (g4 − 1)/4·SR²: positive for every distribution that isn't concentrated on two points."""
    inputs.number(skew, "skew")
    inputs.number(kurtosis, "kurtosis")
    if kurtosis < 1.0 + skew**2 - 1e-9 * (1.0 + skew**2):
        raise InvalidInput(
            "kurtosis",
            f"{kurtosis:g} is below 1 + skew² = {1 + skew**2:g}, which no distribution has; is it the excess kurtosis?",
        )
    factor = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if factor <= 1e-12:
        raise InvalidInput("returns", "take two values only, so their Sharpe ratio has no spread to judge by.")
    return factor
