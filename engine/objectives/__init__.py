"""What is tuned: functions ``f(params, context) -> float | dict`` with their documented spaces and baselines.

Belongs here: the catalogue, the allow-list, and one module (or folder) an area: strategy, model, risk, infrastructure,
exchange, pipeline, synthetic. Doesn't: optimization, storage, anything that knows of a study.
"""

from engine.objectives.catalogue import ObjectiveEntry, Setting, catalogue, check_allowed, find, resolve
from engine.objectives.context import Context, Infeasible
from engine.objectives.returns import ReturnSeries, return_series

__all__ = [
    "Context",
    "Infeasible",
    "ObjectiveEntry",
    "ReturnSeries",
    "Setting",
    "catalogue",
    "check_allowed",
    "find",
    "resolve",
    "return_series",
]
