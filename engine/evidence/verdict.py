"""The gate: each check is green, amber, red or missing and says so in a sentence; together they say yes, not yet or no.

Everything here is frozen data that becomes the same JSON text every time, so that a verdict can be hashed and compared.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal

import numpy as np

from engine.errors import InvalidInput

Status = Literal["green", "amber", "red", "missing"]
Answer = Literal["yes", "not yet", "no"]

_DIGITS = 12


@dataclass(frozen=True)
class Band:
    """Thresholds of one check: green from ``green`` on, amber from ``amber`` on, red beyond; the direction is their
    order.

    ``high=True``: larger is better. A check that isn't ``required`` may be missing without holding up the verdict.
    """

    green: float
    amber: float
    high: bool = True
    required: bool = True

    def status(self, value: float) -> Status:
        sign = 1.0 if self.high else -1.0
        if sign * value >= sign * self.green:
            return "green"
        return "amber" if sign * value >= sign * self.amber else "red"


@dataclass(frozen=True)
class Gate:
    """Thresholds of all checks. The defaults are the house rule; a risk manager may change them, and the pack records
    them.
    """

    # Trading
    deflated_sharpe: Band = Band(0.95, 0.80)
    overfitting: Band = Band(0.20, 0.50, high=False)
    track_record: Band = Band(1.0, 0.5)
    backtest_length: Band = Band(1.0, 1.0, required=False)
    walk_forward: Band = Band(0.50, 0.25)
    consistency: Band = Band(0.60, 0.50, required=False)
    holdout: Band = Band(0.50, 0.0, required=False)
    benchmark: Band = Band(0.90, 0.50)
    trades: Band = Band(30, 15)
    costs: Band = Band(2.0, 1.0)
    sub_periods: Band = Band(0.75, 0.50, required=False)
    regimes: Band = Band(0.60, 0.30, required=False)
    # Any objective
    plateau: Band = Band(0.80, 0.60)
    robustness: Band = Band(0.80, 0.60, required=False)
    extrapolation: Band = Band(1.0, math.inf, high=False, required=False)
    # Repeated measurements
    replicates: Band = Band(5, 3)
    improvement: Band = Band(0.0, 0.0)
    sensitivity: Band = Band(-0.10, -0.25)
    limits: Band = Band(0.95, 0.80)
    model_trust: Band = Band(0.85, 0.0, required=False)

    @classmethod
    def from_dict(cls, changes: Mapping[str, Mapping[str, Any]]) -> Gate:
        """The default gate with some bands changed: {"overfitting": {"green": 0.1}, …}."""
        gate = cls()
        known = {field.name for field in fields(cls)}
        for name, change in changes.items():
            if name not in known:
                raise InvalidInput(f"gate.{name}", f"is not a check; there are {', '.join(sorted(known))}.")
            gate = replace(gate, **{name: _changed(name, getattr(gate, name), change)})
        return gate


@dataclass(frozen=True)
class Check:
    """One check: the number, the thresholds that were used, and what it means in a sentence.

    ``value`` is None if it could not be computed. ``green`` and ``amber`` are where these begin.
    """

    name: str
    title: str
    status: Status
    sentence: str
    value: float | None
    green: float | None
    amber: float | None
    required: bool


@dataclass(frozen=True)
class Verdict:
    """The answer in words with the checks it rests on."""

    answer: Answer
    sentence: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return self.answer == "yes"

    def check(self, name: str) -> Check:
        """The check of that name; InvalidInput if there is none."""
        for check in self.checks:
            if check.name == name:
                return check
        raise InvalidInput("check", f"{name!r} is not among {', '.join(c.name for c in self.checks)}.")


def missing(name: str, title: str, gate: Gate, reason: str) -> Check:
    """A check that could not be made, and why."""
    band: Band = getattr(gate, name)
    return Check(
        name, title, "missing", f"{title}: not known. {reason}", None, band.green, _finite(band.amber), band.required
    )


def graded(name: str, title: str, gate: Gate, value: float, sentence: str, *, status: Status | None = None) -> Check:
    """A check of ``value`` against its band; ``status`` overrides the band where more than the value counts."""
    if not math.isfinite(value):
        raise InvalidInput(name, "is not a finite number, so it can't be judged.")
    band: Band = getattr(gate, name)
    return Check(
        name,
        title,
        status or band.status(value),
        sentence,
        float(value),
        band.green,
        _finite(band.amber),
        band.required,
    )


def judge(checks: Sequence[Check]) -> Verdict:
    """No if any check is red; not yet if one is amber or a required one missing; otherwise yes."""
    if not checks:
        raise InvalidInput("checks", "are empty: nothing was examined, so there is nothing to judge.")
    red = [check.title for check in checks if check.status == "red"]
    amber = [check.title for check in checks if check.status == "amber"]
    unknown = [check.title for check in checks if check.status == "missing" and check.required]
    made = [check for check in checks if check.status != "missing"]
    doubts = [f"doubtful: {', '.join(amber)}"] * bool(amber) + [f"not known: {', '.join(unknown)}"] * bool(unknown)
    if red:
        rest = f" Also {'; '.join(doubts)}." if doubts else ""
        return Verdict("no", f"No. {len(red)} of {len(made)} checks fail: {', '.join(red)}.{rest}", tuple(checks))
    if doubts:
        return Verdict("not yet", f"Not yet. No check fails, but {'; '.join(doubts)}.", tuple(checks))
    return Verdict("yes", f"Yes. Every check passes ({len(made)} of {len(made)}).", tuple(checks))


def plain(value: Any) -> Any:
    """Dataclasses, tuples and numpy numbers as JSON-able data; floats rounded to 12 digits for a stable text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    if isinstance(value, float | np.floating):
        if math.isnan(value):
            raise InvalidInput("evidence", "holds a value that is not a number.")
        # + 0.0 turns a negative zero into zero.
        return float(f"{value:.{_DIGITS}g}") + 0.0 if math.isfinite(value) else None
    raise InvalidInput("evidence", f"can't be written as JSON: {type(value).__name__}.")


def canonical_json(value: Any) -> str:
    """One line of JSON with sorted keys: equal values give equal text."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _changed(name: str, band: Band, change: Mapping[str, Any]) -> Band:
    if not isinstance(change, Mapping) or not set(change) <= {"green", "amber", "required"}:
        raise InvalidInput(f"gate.{name}", "may set green, amber and required only.")
    for key, value in change.items():
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not (isinstance(value, bool) if key == "required" else number):
            raise InvalidInput(f"gate.{name}.{key}", f"can't be {value!r}.")
    result = replace(band, **change)
    if (result.green < result.amber) if band.high else (result.green > result.amber):
        raise InvalidInput(
            f"gate.{name}", f"green ({result.green:g}) would be easier to reach than amber ({result.amber:g})."
        )
    return result


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
