"""Why a point was suggested, as numbers and in a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr

from engine.optimizer.surrogate import Surrogate


def design_reason(index: int, total: int) -> dict[str, Any]:
    return {
        "acquisition": "initial design",
        "explore": 1.0,
        "summary": f"Point {index + 1} of the space-filling initial design ({total} trials).",
    }


def model_reason(surrogate: Surrogate, row: np.ndarray, value: float, acquisition: str) -> dict[str, Any]:
    """acquisition: name; value: of it; move: "explore" or "exploit" where a bound on exploration asked for it;
    explore: share of the expected gain that comes from uncertainty; expected_gain and mean, std: of the (first)
    objective, natural units; p_feasible; nearest: distance to the nearest trial, 0 to 1 (root mean square over
    columns); summary: a sentence.
    """
    X = row[None]
    reason: dict[str, Any] = {
        "acquisition": acquisition,
        "move": surrogate.plan.move,
        "value": _number(value),
        "p_feasible": float(surrogate.p_feasible(X)[0]),
        "nearest": nearest(surrogate.history.X, row),
    }
    if surrogate.has_objective and surrogate.multi_objective and len(surrogate.front(1)):
        return reason | _multi_objective_reason(surrogate, X, reason)
    if not surrogate.has_objective or surrogate.improvement_below is None or surrogate.target is None:
        reason["explore"] = 1.0
        reason["summary"] = f"No feasible trial yet: here a trial succeeds with probability {reason['p_feasible']:.0%}."
        return reason
    mean, std = surrogate.posterior(X)
    target = surrogate.target
    m, s = (float(v[0]) for v in target.posterior.predict(X))
    u = (surrogate.improvement_below - m) / s
    density = np.exp(-0.5 * u * u) / np.sqrt(2 * np.pi)
    gain = s * (density + u * ndtr(u))
    explore = float(np.clip(s * density / gain, 0.0, 1.0)) if u > 0 and gain > 0 else 1.0
    edge = target.output.inverse(np.array([surrogate.improvement_below, surrogate.improvement_below - max(gain, 0.0)]))
    reason |= {
        "mean": _number(mean[0]),
        "std": _number(std[0]),
        "explore": explore,
        "expected_gain": _number(edge[0] - edge[1]),
    }
    leaning = "mostly explores" if explore > 0.66 else "mostly exploits" if explore < 0.33 else "explores and exploits"
    if surrogate.plan.move != "free":
        leaning = f"{surrogate.plan.move}s, as the bounds on exploration ask"
    reason["summary"] = (
        f"Predicted {mean[0]:.4g} ± {std[0]:.2g}; expected gain {reason['expected_gain']:.2g}; it {leaning}"
        f" ({explore:.0%} of the gain from uncertainty), {reason['nearest']:.2f} from the nearest trial."
    )
    return reason


def _multi_objective_reason(surrogate: Surrogate, X: np.ndarray, reason: dict[str, Any]) -> dict[str, Any]:
    """outcomes: objective -> [mean, std], natural units; mean, std: of the first; explore: mean over the objectives
    of the share of their variance that the data leave unknown at the point.
    """
    names = [o.name for o in surrogate.history.objectives]
    outcomes = {name: [_number(v[0]) for v in surrogate.posterior(X, name)] for name in names}
    posteriors = [surrogate.model(name).posterior for name in names]
    explore = float(np.clip(np.mean([p.predict(X)[1][0] ** 2 / p.scale for p in posteriors]), 0.0, 1.0))
    predicted = ", ".join(f"{name} {mean:.4g} ± {std:.2g}" for name, (mean, std) in outcomes.items())
    return {
        "mean": outcomes[names[0]][0],
        "std": outcomes[names[0]][1],
        "outcomes": outcomes,
        "explore": explore,
        "summary": (
            f"Predicted {predicted}; chosen to widen the front; {explore:.0%} of the variance there is unknown,"
            f" {reason['nearest']:.2f} from the nearest trial."
        ),
    }


def candidate(surrogate: Surrogate, row: np.ndarray, value: float, params: dict[str, Any]) -> dict[str, Any]:
    X = row[None]
    out: dict[str, Any] = {
        "params": params,
        "acquisition": _number(value),
        "p_feasible": float(surrogate.p_feasible(X)[0]),
    }
    if surrogate.has_objective:
        mean, std = surrogate.posterior(X)
        out |= {"mean": _number(mean[0]), "std": _number(std[0])}
    return out


def nearest(X: np.ndarray, row: np.ndarray) -> float:
    """Root-mean-square distance over columns to the nearest row of X; a column active in one of the two only
    counts 1."""
    if not len(X):
        return 1.0
    gap = np.abs(X - row)
    one = np.isnan(X) != np.isnan(row)
    gap = np.where(one, 1.0, np.nan_to_num(gap))
    return float(np.sqrt((gap**2).mean(1).min()))


def _number(value: Any) -> float:
    """A finite float, since JSON has no infinity."""
    return float(np.clip(np.nan_to_num(value), -np.finfo(float).max, np.finfo(float).max))
