"""Portfolios of acquisition functions, and bounds on how much a search explores."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import log_ndtr

from engine.acquisition.hypervolume import nondominated
from engine.acquisition.log_ei import log_ei
from engine.acquisition.normal import log_pdf

Move = Literal["explore", "exploit", "free"]
_GOLDEN = (np.sqrt(5.0) - 1) / 2


def hedge_probabilities(means: np.ndarray, rate: float = 1.0) -> np.ndarray:
    """(k,) chances of k acquisition functions, by GP-Hedge (Hoffman, Brochu and de Freitas 2011).

    means (T, k): posterior means, standardised and smaller better, at what each function nominated in T rounds; its
    gain is minus their sum and the chances are proportional to exp(rate gain). Without rounds all are equal.
    """
    gains = -rate * means.sum(axis=0)
    weight = np.exp(gains - gains.max())
    return weight / weight.sum()


def mace_criteria(mean: np.ndarray, std: np.ndarray, best: float, kappa: float) -> np.ndarray:
    """(n, 3) what MACE trades off (Lyu et al. 2018): the negated confidence bound, log EI and log PI, each to be
    maximised.
    """
    return np.stack([kappa * std - mean, log_ei(mean, std, best), log_ndtr((best - mean) / std)], axis=1)


def mace_front(criteria: np.ndarray) -> np.ndarray:
    """Positions of the rows of criteria (n, k), each larger better, that no other row dominates."""
    return np.flatnonzero(nondominated(-criteria))


def exploration_share(mean: np.ndarray, std: np.ndarray, best: float) -> np.ndarray:
    """(n,) which part of the expected improvement comes from uncertainty: std phi / EI, 1 where the mean is no
    improvement.
    """
    u = (best - mean) / std
    with np.errstate(over="ignore"):
        share = np.exp(log_pdf(u) + np.log(std) - log_ei(mean, std, best))
    return np.where(u > 0, np.clip(share, 0.0, 1.0), 1.0)


def bounded_move(number: int, floor: float, ceiling: float) -> Move:
    """Whether suggestion ``number`` must explore, must not, or may do as it likes, so that the share that explores
    keeps between ``floor`` and ``ceiling`` in every run of suggestions, to within about one.

    Multiples of the golden ratio fill [0, 1) evenly (a Kronecker sequence): below the floor a suggestion explores,
    above the ceiling it exploits. No state, so a restarted search goes on alike.
    """
    place = (number * _GOLDEN) % 1.0
    if place < floor:
        return "explore"
    return "exploit" if place >= ceiling else "free"
