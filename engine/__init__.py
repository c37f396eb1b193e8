"""Tunedesk engine: everything that is true without a browser. The public API, imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.governance.consumer import live
    from engine.optimizer import Optimizer
    from engine.space import Categorical, Float, Int, Objective, OutcomeConstraint, SearchSpace

_HOMES = {
    "Float": "engine.space",
    "Int": "engine.space",
    "Categorical": "engine.space",
    "SearchSpace": "engine.space",
    "Objective": "engine.space",
    "OutcomeConstraint": "engine.space",
    "Optimizer": "engine.optimizer",
    "live": "engine.governance.consumer",
}
__all__ = ["Categorical", "Float", "Int", "Objective", "Optimizer", "OutcomeConstraint", "SearchSpace", "live"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
