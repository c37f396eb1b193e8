"""What an executor is handed, what it hands back, and how an objective's return value is read."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

OutcomeState = Literal["complete", "infeasible", "failed", "lost", "unusable"]
"""lost: the worker died before it could answer, so another attempt may succeed. unusable: the objective can't be
loaded at all, so no other trial of the study can succeed either."""


def trial_seed(study_seed: int, number: int) -> int:
    """The seed of a trial: the same whenever and wherever it runs, and independent of the other trials'."""
    return int(np.random.SeedSequence([study_seed, number]).generate_state(1)[0])


@dataclass(frozen=True)
class TrialTask:
    """One run of one trial: plain data that crosses process and machine borders.

    objectives and limited: the outcomes that must come back (``limited`` those of outcome constraints).
    timeout: seconds. allowed: modules of the engine's allow-list that a worker elsewhere may not know.
    """

    number: int
    attempt: int
    objective: str
    params: dict[str, Any]
    seed: int
    settings: dict[str, Any]
    objectives: tuple[str, ...]
    limited: tuple[str, ...]
    timeout: float
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What came of a task. ``error`` is one sentence, empty for a complete trial; ``log`` is what it printed."""

    state: OutcomeState
    values: dict[str, float] = field(default_factory=dict)
    error: str = ""
    log: str = ""


class UnusableResult(Exception):
    """The objective returned something that teaches nothing; the message is a sentence for the trial's row."""


def read_result(
    result: Any, objectives: Sequence[str], limited: Sequence[str]
) -> tuple[dict[str, float], dict[str, Any]]:
    """An objective's return value -> (finite values by name, what was left out because it is no finite number).

    A number alone is the value of a single objective. Raises UnusableResult if an objective or a limited outcome is
    missing, not a number or not finite; other outcomes are only reported, so they are left out instead.
    """
    if isinstance(result, Mapping):
        given = {str(name): value for name, value in result.items()}
    elif len(objectives) == 1:
        given = {objectives[0]: result}
    else:
        raise UnusableResult(
            f"The objective returned {_show(result)}, but must return a dict with {' and '.join(objectives)}."
        )
    values: dict[str, float] = {}
    left_out: dict[str, Any] = {}
    for name, value in given.items():
        if _is_finite_number(value):
            values[name] = float(value)
        else:
            left_out[name] = value
    for name in dict.fromkeys((*objectives, *limited)):
        if name in left_out:
            raise UnusableResult(f"The objective returned {_show(left_out[name])} as {name}, not a finite number.")
        if name not in values:
            raise UnusableResult(f"The objective returned no {name}; it returned {', '.join(given) or 'nothing'}.")
    return values, left_out


def _is_finite_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _show(value: Any) -> str:
    plain = isinstance(value, numbers.Real) and not isinstance(value, bool)  # np.float64(nan) reads as nan
    text = repr(float(value)) if plain else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
