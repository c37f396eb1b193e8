"""Spaces and objectives that the tests of this folder share, and the loop that plays ask and tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine import Categorical, Float, Int, Optimizer, SearchSpace


def mixed_space() -> SearchSpace:
    """A log float, integers, a categorical, a conditional float, and a known constraint."""
    return SearchSpace(
        [
            Float("lr", 1e-5, 1.0, log=True),
            Int("depth", 1, 8),
            Categorical("kernel", ["rbf", "matern"]),
            Float("gamma", 0.1, 10.0, log=True, when={"kernel": "rbf"}),
            Int("fast", 2, 100),
            Int("slow", 3, 300),
        ],
        constraints=["fast < slow"],
    )


def mixed_loss(p: dict[str, Any]) -> float:
    """0 at lr 1e-3, depth 4, kernel rbf with gamma 1, fast 20, slow 100."""
    shape = np.log10(p["gamma"]) ** 2 if p["kernel"] == "rbf" else 0.5
    return float(
        (np.log10(p["lr"]) + 3) ** 2
        + abs(p["depth"] - 4) / 2
        + shape
        + abs(p["fast"] - 20) / 50
        + abs(p["slow"] - 100) / 100
    )


def square() -> SearchSpace:
    return SearchSpace([Float("x", 0.0, 1.0), Float("y", 0.0, 1.0)])


def bowl(p: dict[str, Any]) -> float:
    return float((p["x"] - 0.3) ** 2 + (p["y"] - 0.7) ** 2)


def play(
    optimizer: Optimizer, loss: Callable[[dict[str, Any]], Any], trials: int, settle: Callable[..., None] | None = None
) -> list[dict[str, Any]]:
    """Runs trials one after the other; the configurations in order. settle(optimizer, suggestion) replaces tell."""
    params = []
    for _ in range(trials):
        (suggestion,) = optimizer.ask(1)
        params.append(suggestion.params)
        if settle is None:
            optimizer.tell(suggestion, loss(suggestion.params))
        else:
            settle(optimizer, suggestion)
    return params
