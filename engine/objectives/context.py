"""What an objective is given besides its parameters, and how it says that a point is infeasible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Infeasible(Exception):
    """Raised by an objective where a point can't be evaluated by its nature (no trades, memory above the limit).

    The trial becomes *infeasible*: the engine learns to stay away. Any other exception makes it *failed*.
    """


def _no_report(step: int, value: float) -> None:
    """An objective run outside a study has nobody to report to."""


@dataclass(frozen=True)
class Context:
    """seed: of this trial. settings: the study's fixed arguments. report(step, value): a point of the trial's curve.

    scratch: a folder of the trial's own, made on demand by the service; None outside a study.
    """

    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    report: Callable[[int, float], None] = _no_report
    scratch: Path | None = None
