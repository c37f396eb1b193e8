"""What goes out of the optimizer: a suggestion with its reason, and the incumbent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Suggestion:
    """A configuration to evaluate. origin: "design" (space-filling) or "model". reason: JSON-able, why this one."""

    number: int
    params: dict[str, Any]
    origin: str = "model"
    reason: dict[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Best:
    """The incumbent. value and std: posterior of the first objective there (the observation itself where there is no
    noise to speak of), natural units; values: what was observed."""

    params: dict[str, Any]
    value: float
    std: float
    number: int
    values: Mapping[str, float]
