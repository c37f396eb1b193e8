"""The catalogue of objectives and the allow-list: which functions an engine may run, and what is known of each.

An objective is named by its import path ``package.module:function``. It may run if it is in the catalogue, if an
installed distribution registers it under the entry-point group ``tunedesk.objectives``, or if its module was allowed
by ``--objectives MODULE`` (environment: TUNEDESK_OBJECTIVES, comma-separated). Nothing typed in a browser runs code.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from engine.errors import InvalidInput, NotAllowed
from engine.space import SearchSpace
from engine.space.outcomes import Objective

ObjectiveFunction = Callable[..., Any]
ALLOW_VARIABLE = "TUNEDESK_OBJECTIVES"
_AREAS = ("strategy", "synthetic")
"""Modules of this package that declare ``ENTRIES``; imported only when the catalogue is asked for."""


def _is_finite_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Setting:
    """A fixed argument of an objective that a study chooses once, such as the market."""

    name: str
    default: Any
    help: str
    choices: tuple[Any, ...] | None = None

    def check(self, value: Any) -> Any:
        if self.choices is not None and value not in self.choices:
            raise InvalidInput(f"settings.{self.name}", f"{value!r} is not one of {', '.join(map(str, self.choices))}.")
        numeric = isinstance(self.default, (int, float)) and not isinstance(self.default, bool)
        if self.choices is None and numeric and not _is_finite_number(value):
            raise InvalidInput(f"settings.{self.name}", f"must be a number, not {value!r}.")
        return value


@dataclass(frozen=True)
class ObjectiveEntry:
    """What the catalogue knows of an objective. ``defaults`` is the baseline shown beside every result."""

    path: str
    title: str
    summary: str
    area: str
    space: SearchSpace
    objectives: tuple[Objective, ...]
    defaults: Mapping[str, Any]
    outcome_constraints: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    outcomes: Mapping[str, str] = field(default_factory=dict)
    """Every value that the objective returns -> what it means, with its unit."""

    @property
    def slug(self) -> str:
        return self.path.rpartition(":")[2]


@functools.cache
def catalogue() -> Mapping[str, ObjectiveEntry]:
    """Path -> entry, in the order of presentation."""
    entries: dict[str, ObjectiveEntry] = {}
    for area in _AREAS:
        module = importlib.import_module(f"engine.objectives.{area}")
        entries |= {entry.path: entry for entry in module.ENTRIES}
    for point in importlib.metadata.entry_points(group="tunedesk.objectives"):
        loaded = point.load()
        for entry in loaded if isinstance(loaded, (list, tuple)) else [loaded]:
            entries.setdefault(entry.path, entry)
    return entries


def find(path: str) -> ObjectiveEntry | None:
    """The catalogue's entry for a path, None if it has none (an allowed module's function, a command, manual)."""
    return catalogue().get(path)


def allowed_modules() -> list[str]:
    return [m.strip() for m in os.environ.get(ALLOW_VARIABLE, "").split(",") if m.strip()]


def check_allowed(path: str) -> None:
    """Raises InvalidInput or NotAllowed, in words, if an engine here would refuse the objective; imports nothing."""
    if not isinstance(path, str) or not path.strip():
        raise InvalidInput(
            "objective",
            "is missing: name one of the catalogue, such as engine.objectives.strategy:moving_average_cross.",
        )
    if path in catalogue():
        return
    module, colon, function = path.partition(":")
    if colon and function.isidentifier() and module in allowed_modules():
        return
    close = get_close_matches(path, catalogue(), 1, 0.5)
    hint = f" Did you mean {close[0]}?" if close else ""
    if not colon:
        raise InvalidInput("objective", f"{path!r} is unknown: an objective is written package.module:function.{hint}")
    if module.startswith("engine."):
        raise InvalidInput("objective", f"{path!r} is not in the catalogue.{hint}")
    raise NotAllowed(
        f"objective: {path!r} is not on the allow-list. Start engine and dashboard with --objectives {module}.{hint}"
    )


def resolve(path: str) -> ObjectiveFunction:
    """The function behind an allowed path. Raises InvalidInput or NotAllowed with the reason."""
    check_allowed(path)
    module, _, name = path.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidInput("objective", f"{path!r} can't be loaded: {error}.") from error
    if not callable(function):
        raise InvalidInput("objective", f"{path!r} is not a function.")
    return function
