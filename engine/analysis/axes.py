"""How a parameter is drawn: type, order, labels and range of its axis, all from the search space.

Positions on an axis are numbers: the value itself, or for a categorical its index in the declared order, so that
labels that look alike (1 and "1", True and 1) stay apart. A parameter that is inactive has position NaN: a gap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from engine.space import Categorical, Float, SearchSpace
from engine.space.parameters import Parameter

Kind = Literal["linear", "log", "integer", "categorical"]


@dataclass(frozen=True)
class Axis:
    """One parameter's axis.

    low, high: the range to draw, in natural units (categorical: half a position beyond the first and last choice).
    log: whether positions are spaced by their logarithm. labels: the choices in declared order, else empty.
    condition: when the parameter is active, in words; empty if always.
    """

    name: str
    kind: Kind
    low: float
    high: float
    log: bool
    labels: tuple[str, ...] = ()
    condition: str = ""

    def position(self, value: Any) -> float:
        """Where a value lies; NaN for None on a numeric axis."""
        return float("nan") if value is None else float(value)


@dataclass(frozen=True)
class _Categories(Axis):
    parameter: Categorical | None = None

    def position(self, value: Any) -> float:
        assert self.parameter is not None
        return float(self.parameter.index(value))


def axis(parameter: Parameter) -> Axis:
    """The axis of a parameter."""
    condition = _condition(parameter.when)
    if isinstance(parameter, Categorical):
        labels = tuple(_label(c) for c in parameter.choices)
        n = len(labels)
        return _Categories(parameter.name, "categorical", -0.5, n - 0.5, False, labels, condition, parameter)
    kind: Kind = "log" if parameter.log else "linear" if isinstance(parameter, Float) else "integer"
    return Axis(parameter.name, kind, float(parameter.low), float(parameter.high), parameter.log, (), condition)


def axes(space: SearchSpace) -> tuple[Axis, ...]:
    """The axes of all parameters, in the space's order."""
    return tuple(axis(p) for p in space)


def positions(axis_: Axis, configurations: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """(n,) positions of a parameter in configurations; NaN where it is inactive."""
    return np.array([axis_.position(c[axis_.name]) if axis_.name in c else np.nan for c in configurations], dtype=float)


def grid(parameter: Parameter, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions and unit-cube columns of at most ``points`` distinct values, even on the parameter's own scale.

    Bounds are included; an integer or categorical with few values is taken whole.
    """
    if isinstance(parameter, Categorical):
        raw = np.arange(parameter.cardinality, dtype=float)
        return raw, (raw + 0.5) / parameter.cardinality
    if parameter.cardinality is not None and parameter.cardinality <= points:
        raw = np.minimum(parameter.low + np.arange(parameter.cardinality) * float(parameter.step or 1), parameter.high)
    else:
        raw = np.unique(parameter.values(np.linspace(0.0, 1.0, points)))
    return raw, parameter.encode(raw)


def format_value(value: Any) -> str:
    """A parameter's value as people read it: four significant digits, integers whole, text as it is."""
    if value is None or isinstance(value, (bool, str)):
        return _label(value)
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ") if abs(value) >= 100_000 else str(value)
    if not math.isfinite(value):
        return "–"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.3g}"
    return f"{value:.4g}"


def _label(choice: Any) -> str:
    return (
        "none"
        if choice is None
        else {True: "true", False: "false"}[choice]
        if isinstance(choice, bool)
        else str(choice)
    )


def _condition(when: Mapping[str, Any] | None) -> str:
    return " and ".join(f"{parent} is {' or '.join(map(_label, values))}" for parent, values in (when or {}).items())
