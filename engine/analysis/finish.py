"""When a study will have used its budget, from the pace of its latest trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RECENT = 30
"""Trials that the pace is taken from: the latest, since later trials may take longer than the first."""


@dataclass(frozen=True)
class Forecast:
    """seconds_left: until the budget is used; None if it can't be told, and ``text`` says why. text: in words."""

    seconds_left: float | None
    per_trial: float | None
    text: str


def forecast(finished_at: Sequence[float | None], n_finished: int, budget: int, *, running: bool = True) -> Forecast:
    """Finish times (seconds, any order) of the latest trials -> Forecast.

    The pace is trials per second of wall clock over the latest trials, so that workers in parallel count.
    """
    left = budget - n_finished
    if left <= 0:
        return Forecast(0.0, None, "Budget used.")
    if not running:
        return Forecast(None, None, "Nothing runs.")
    times = sorted(t for t in finished_at if t is not None)[-RECENT:]
    if len(times) < 3 or times[-1] <= times[0]:
        return Forecast(None, None, "Known after three trials.")
    per_trial = (times[-1] - times[0]) / (len(times) - 1)
    return Forecast(left * per_trial, per_trial, f"About {duration_words(left * per_trial)} left.")


def duration_words(seconds: float | None) -> str:
    """A duration as people say it, two units at most: ``4.2 s``, ``3 min 10 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds is None:
        return "–"
    seconds = max(0.0, float(seconds))
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    for big, unit, small, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= big:
            whole, part = divmod(round(seconds / small) * small, big)
            return f"{whole:.0f} {unit}" + (f" {part // small:.0f} {smaller}" if part else "")
    return f"{seconds:.0f} s"
