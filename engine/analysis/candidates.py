"""Why a candidate: what the model expects of it, in numbers that a person can weigh, and in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import ndtr

from engine.space import Objective, SearchSpace


@dataclass(frozen=True)
class Explanation:
    """A candidate before it runs.

    mean, std: prediction of the first objective, natural units. gain: expected improvement over ``best``, natural
    units, never negative. p_better: probability of beating it. p_feasible: of meeting the outcome constraints.
    nearest: number of and unit-cube distance to the closest finished trial. kind: what drives it.
    """

    params: Mapping[str, Any]
    mean: float
    std: float
    best: float | None
    gain: float | None
    p_better: float | None
    p_feasible: float | None
    nearest: tuple[int, float] | None
    kind: Literal["exploit", "explore", "both", "unknown"]
    text: str


def explain(
    candidate: Mapping[str, Any],
    objective: Objective,
    best: float | None,
    space: SearchSpace | None = None,
    tried: Sequence[tuple[int, Mapping[str, Any]]] = (),
) -> Explanation:
    """A stored candidate {params, mean, std, acquisition, p_feasible} -> Explanation.

    best: value of the incumbent. tried: (number, params) of finished trials, for the nearest one.
    """
    params = candidate["params"]
    mean, std = (_number(candidate.get(key)) for key in ("mean", "std"))
    p_feasible = candidate.get("p_feasible")
    gain = p_better = None
    kind: Literal["exploit", "explore", "both", "unknown"] = "unknown"
    if best is not None and np.isfinite(mean) and np.isfinite(std):
        ahead = objective.sign * (best - mean)  # positive: the prediction itself beats the incumbent
        if std > 0:
            z = ahead / std
            p_better = float(ndtr(z))
            gain = float(max(ahead * ndtr(z) + std * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi), 0.0))
        else:
            p_better, gain = float(ahead > 0), max(float(ahead), 0.0)
        kind = "explore" if ahead <= 0 else "exploit" if ahead >= std else "both"
    near = _nearest(space, params, tried) if space is not None else None
    return Explanation(
        params, mean, std, best, gain, p_better, None if p_feasible is None else float(p_feasible), near, kind,
        _sentence(kind, p_better, p_feasible, near),
    )  # fmt: skip


def _sentence(kind: str, p_better: float | None, p_feasible: float | None, near: tuple[int, float] | None) -> str:
    start = {
        "exploit": "It goes for the gain: the prediction itself beats the best by more than its uncertainty.",
        "both": "It promises a gain and teaches something: the prediction beats the best, within its uncertainty.",
        "explore": "It explores: the prediction is not better than the best, but uncertain enough to surprise.",
        "unknown": "There is no best trial to compare with yet.",
    }[kind]
    parts = [start]
    if p_better is not None:
        parts.append(f"Chance to beat the best: {_percent(p_better)}.")
    if p_feasible is not None and p_feasible < 0.995:
        parts.append(f"Chance to meet the outcome constraints: {_percent(p_feasible)}.")
    if near is not None:
        parts.append(f"The nearest finished trial is #{near[0]}, {_distance(near[1])}.")
    return " ".join(parts)


def _percent(p: float) -> str:
    return "under 1 %" if p < 0.01 else "over 99 %" if p > 0.99 else f"{100 * p:.0f} %"


def _distance(d: float) -> str:
    word = "almost the same point" if d < 0.02 else "close by" if d < 0.1 else "some way off" if d < 0.3 else "far away"
    return f"{word} ({d:.2f} of the range)"


def _nearest(
    space: SearchSpace, params: Mapping[str, Any], tried: Sequence[tuple[int, Mapping[str, Any]]]
) -> tuple[int, float] | None:
    """Largest gap over the parameters, so that 0.1 reads as a tenth of a parameter's range; 1 if activity differs."""
    if not tried:
        return None
    here = space.encode([params])[0]
    gaps = np.abs(space.encode([p for _, p in tried]) - here)
    both_inactive = np.isnan(space.encode([p for _, p in tried])) & np.isnan(here)
    gaps = np.where(both_inactive, 0.0, np.where(np.isnan(gaps), 1.0, gaps))
    distance = gaps.max(axis=1)
    i = int(np.argmin(distance))
    return tried[i][0], float(distance[i])


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
