"""The return series behind the outcomes of a trading objective: what evidence and equity curves are computed on."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.objectives.catalogue import find
from engine.objectives.context import Context


@dataclass(frozen=True)
class ReturnSeries:
    """Returns of the bars that count, oldest first; all arrays have shape (m,).

    net: simple returns after costs. benchmark: of holding the market (for a portfolio: all of it equally), without
    costs. held_out: how many of the newest bars were not optimised on.
    """

    dates: np.ndarray
    net: np.ndarray
    benchmark: np.ndarray
    held_out: int
    bars_per_year: float


def return_series(path: str, params: Mapping[str, Any], context: Context | None = None) -> ReturnSeries | None:
    """Runs an objective of the catalogue for its returns; None if it has none to give.

    Raises Infeasible or InvalidInput as the objective itself does.
    """
    entry = find(path)
    if entry is None or not entry.returns:
        return None
    module, _, name = entry.returns.partition(":")
    return getattr(importlib.import_module(module), name)(params, context)
