"""The three kinds of parameters and their maps to and from one unit-cube column each.

Column encoding: a float is linear (or linear in its logarithm) on [0, 1]. An integer k owns the cell
[k - 1/2, k + 1/2], so that every value has the same share of the column (on a log scale: of the logarithm).
A category i of K owns [i/K, (i+1)/K]. ``encode(decode(u))`` is the centre of the cell that u lies in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.errors import InvalidInput

Condition = Mapping[str, Any]
"""Parent parameter -> the value, or the list of values, for which the child is active."""

Choice = str | int | float | bool | None


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        raise InvalidInput("parameters", f"{name!r} is not a usable name: take letters, digits and _, a letter first.")


def _number(owner: str, bound: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InvalidInput(f"parameters.{owner}.{bound}", f"must be a number, not {value!r}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidInput(f"parameters.{owner}.{bound}", f"must be a finite number, not {number}.")
    return number


def _check_bounds(name: str, low: float, high: float, log: bool) -> None:
    if low >= high:
        raise InvalidInput(f"parameters.{name}", f"low ({low:g}) must be below high ({high:g}).")
    if log and low <= 0:
        raise InvalidInput(
            f"parameters.{name}.low", f"a log scale needs low above 0, not {low:g}. Raise low or take log off."
        )


def _normalise_condition(name: str, when: Condition | None) -> Condition | None:
    if when is None:
        return None
    if not isinstance(when, Mapping) or not when:
        raise InvalidInput(f"parameters.{name}.when", 'must map a parent to its value, such as {"kernel": "rbf"}.')
    return {parent: list(v) if isinstance(v, (list, tuple, set)) else [v] for parent, v in when.items()}


@dataclass(frozen=True)
class Float:
    """A real number in [low, high]; ``log`` spaces it by its logarithm; ``step`` counts from low."""

    name: str
    low: float
    high: float
    log: bool = False
    step: float | None = None
    when: Condition | None = None
    help: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        object.__setattr__(self, "low", _number(self.name, "low", self.low))
        object.__setattr__(self, "high", _number(self.name, "high", self.high))
        _check_bounds(self.name, self.low, self.high, self.log)
        if self.step is not None:
            step = _number(self.name, "step", self.step)
            if step <= 0 or step > self.high - self.low:
                raise InvalidInput(f"parameters.{self.name}.step", f"must lie between 0 and high - low, not {step:g}.")
            if self.log:
                raise InvalidInput(
                    f"parameters.{self.name}.step", "a step and a log scale don't go together: drop one of them."
                )
            object.__setattr__(self, "step", step)
        object.__setattr__(self, "when", _normalise_condition(self.name, self.when))

    @property
    def cardinality(self) -> int | None:
        """How many distinct values there are; None if uncountable."""
        return None if self.step is None else math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def encode(self, values: Sequence[float] | np.ndarray) -> np.ndarray:
        x = np.asarray(values, dtype=float)
        if self.step is not None and (n := self.cardinality) is not None:
            return (np.rint((x - self.low) / self.step) + 0.5) / n
        if self.log:
            return np.log(x / self.low) / math.log(self.high / self.low)
        return (x - self.low) / (self.high - self.low)

    def values(self, u: np.ndarray) -> np.ndarray:
        """Decoded numbers of unit-cube positions u, same shape."""
        u = np.minimum(np.maximum(u, 0.0), 1.0)
        if self.step is not None and (n := self.cardinality) is not None:
            return np.minimum(self.low + np.minimum(np.floor(u * n), n - 1) * self.step, self.high)
        if self.log:
            x = np.exp(math.log(self.low) + u * math.log(self.high / self.low))
        else:
            x = self.low + u * (self.high - self.low)
        return np.clip(x, self.low, self.high)

    def native(self, value: float) -> float:
        return float(value)

    def check(self, value: Any) -> float:
        x = _number(self.name, "value", value)
        slack = 1e-12 * max(abs(self.low), abs(self.high))
        if not self.low - slack <= x <= self.high + slack:
            raise InvalidInput(self.name, f"{x:g} lies outside {self.low:g} to {self.high:g}.")
        x = min(max(x, self.low), self.high)
        if self.step is not None:
            k = (x - self.low) / self.step
            if abs(k - round(k)) > 1e-6:
                raise InvalidInput(self.name, f"{x:g} is not a multiple of the step {self.step:g} above {self.low:g}.")
        return x


@dataclass(frozen=True)
class Int:
    """A whole number in [low, high], both included; ``log`` spaces it by its logarithm; ``step`` counts from low."""

    name: str
    low: int
    high: int
    log: bool = False
    step: int = 1
    when: Condition | None = None
    help: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        for bound in ("low", "high", "step"):
            value = _number(self.name, bound, getattr(self, bound))
            if value != int(value):
                raise InvalidInput(f"parameters.{self.name}.{bound}", f"must be a whole number, not {value:g}.")
            object.__setattr__(self, bound, int(value))
        _check_bounds(self.name, self.low, self.high, self.log)
        if self.step < 1 or self.step > self.high - self.low:
            raise InvalidInput(f"parameters.{self.name}.step", f"must lie between 1 and high - low, not {self.step}.")
        if self.log and self.step != 1:
            raise InvalidInput(
                f"parameters.{self.name}.step", "a step and a log scale don't go together: drop one of them."
            )
        object.__setattr__(self, "when", _normalise_condition(self.name, self.when))

    @property
    def cardinality(self) -> int:
        return (self.high - self.low) // self.step + 1

    def encode(self, values: Sequence[int] | np.ndarray) -> np.ndarray:
        x = np.asarray(values, dtype=float)
        if self.log:
            a, b = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return (np.log(x) - a) / (b - a)
        return (np.rint((x - self.low) / self.step) + 0.5) / self.cardinality

    def values(self, u: np.ndarray) -> np.ndarray:
        u = np.minimum(np.maximum(u, 0.0), 1.0)
        if self.log:
            a, b = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return np.clip(np.rint(np.exp(a + u * (b - a))), self.low, self.high)
        return self.low + np.minimum(np.floor(u * self.cardinality), self.cardinality - 1) * self.step

    def native(self, value: float) -> int:
        return int(value)

    def check(self, value: Any) -> int:
        x = _number(self.name, "value", value)
        if x != int(x):
            raise InvalidInput(self.name, f"must be a whole number, not {x:g}.")
        if not self.low <= x <= self.high:
            raise InvalidInput(self.name, f"{int(x)} lies outside {self.low} to {self.high}.")
        if (int(x) - self.low) % self.step:
            raise InvalidInput(self.name, f"{int(x)} is not a multiple of the step {self.step} above {self.low}.")
        return int(x)


@dataclass(frozen=True)
class Categorical:
    """One of several unordered choices, in the order in which they are shown."""

    name: str
    choices: tuple[Choice, ...]
    when: Condition | None = None
    help: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        if isinstance(self.choices, str) or not isinstance(self.choices, Sequence):
            raise InvalidInput(f"parameters.{self.name}.choices", f"must be a list, not {self.choices!r}.")
        choices = tuple(self.choices)
        if len(choices) < 2:
            raise InvalidInput(f"parameters.{self.name}.choices", f"needs at least two choices, has {len(choices)}.")
        for choice in choices:
            if not isinstance(choice, (str, int, float, bool, type(None))):
                raise InvalidInput(
                    f"parameters.{self.name}.choices", f"{choice!r} must be text, a number, true/false or null."
                )
            if isinstance(choice, float) and not math.isfinite(choice):
                raise InvalidInput(f"parameters.{self.name}.choices", f"{choice} is not a finite number.")
        if len({(type(c), c) for c in choices}) < len(choices):
            raise InvalidInput(f"parameters.{self.name}.choices", "names a choice twice.")
        object.__setattr__(self, "choices", choices)
        object.__setattr__(self, "when", _normalise_condition(self.name, self.when))

    @property
    def log(self) -> bool:
        return False

    @property
    def cardinality(self) -> int:
        return len(self.choices)

    def index(self, value: Any) -> int:
        """Position of a choice; True and 1 are told apart where both are choices."""
        for i, choice in enumerate(self.choices):
            if type(choice) is type(value) and choice == value:
                return i
        for i, choice in enumerate(self.choices):
            if choice == value and not isinstance(choice, bool) and not isinstance(value, bool):
                return i
        shown = ", ".join(map(str, self.choices))
        raise InvalidInput(self.name, f"{value!r} is not one of the choices: {shown}.")

    def encode(self, values: Sequence[Any]) -> np.ndarray:
        return (np.array([self.index(v) for v in values], dtype=float) + 0.5) / len(self.choices)

    def values(self, u: np.ndarray) -> np.ndarray:
        """Indices (floats) of the choices that own positions u."""
        n = len(self.choices)
        return np.minimum(np.floor(np.minimum(np.maximum(u, 0.0), 1.0) * n), n - 1)

    def native(self, value: float) -> Choice:
        return self.choices[int(value)]

    def check(self, value: Any) -> Choice:
        return self.choices[self.index(value)]


Parameter = Float | Int | Categorical
