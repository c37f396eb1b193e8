"""The catalogue of objectives and the allow-list: which functions an engine may run, and what is known of each.

An objective is named by its import path ``package.module:function``. It may run if it is in the catalogue, if an
installed distribution registers it under the entry-point group ``tunedesk.objectives``, or if its module was allowed
by ``--objectives MODULE`` (environment: TUNEDESK_OBJECTIVES, comma-separated). Nothing typed in a browser runs code.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NoReturn

from engine.errors import InvalidInput, NotAllowed
from engine.objectives.context import Context
from engine.space import Categorical, Int, Parameter, SearchSpace
from engine.space.outcomes import Objective

ObjectiveFunction = Callable[..., Any]
ALLOW_VARIABLE = "TUNEDESK_OBJECTIVES"
_AREAS = ("strategy", "model", "risk", "infrastructure", "exchange", "pipeline", "synthetic")
"""Modules of this package that declare ``ENTRIES``; imported only when the catalogue is asked for."""


def _is_finite_number(value: Any) -> bool:
    # abs() <= max is False for NaN and infinity, and takes whole numbers that no float can hold.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


@dataclass(frozen=True)
class Setting:
    """A fixed argument of an objective that a study chooses once, such as the market.

    Without choices it takes values like its default: true or false, text, a number from low to high, and a whole one
    if the default is whole.
    """

    name: str
    default: Any
    help: str
    choices: tuple[Any, ...] | None = None
    low: float | None = None
    high: float | None = None

    def check(self, value: Any) -> Any:
        """The value as the objective gets it. Raises InvalidInput."""
        if self.choices is not None:
            if not isinstance(value, (str, int, float)) or value not in self.choices:
                self._refuse(f"{value!r} is not one of {', '.join(map(str, self.choices))}.")
            return value
        if isinstance(self.default, (bool, str)):
            if not isinstance(value, type(self.default)):
                self._refuse(f"must be {'true or false' if self.default in (True, False) else 'text'}, not {value!r}.")
            return value
        whole = isinstance(self.default, int)
        if not _is_finite_number(value) or (whole and value != int(value)):
            self._refuse(f"must be a {'whole ' if whole else ''}number, not {value!r}.")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            bounds = [f"at least {self.low:g}"] if self.low is not None else []
            bounds += [f"at most {self.high:g}"] if self.high is not None else []
            self._refuse(f"must be {' and '.join(bounds)}, not {value:g}.")
        return int(value) if whole else float(value)

    def _refuse(self, problem: str) -> NoReturn:
        raise InvalidInput(f"settings.{self.name}", problem)


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
    requires: Mapping[str, str] = field(default_factory=dict)
    """Module that it imports beyond the installation's own -> what to install, for people."""
    returns: str = ""
    """Path of a function with the same arguments that gives the ReturnSeries behind the outcomes; empty for none."""
    further: Mapping[str, Parameter] = field(default_factory=dict)
    """Parameters beyond the space that a study may tune, by name; the objective leaves them alone if it doesn't."""

    @property
    def slug(self) -> str:
        return self.path.rpartition(":")[2]

    @property
    def missing(self) -> list[str]:
        """What has to be installed before it runs here."""
        return [install for module, install in self.requires.items() if importlib.util.find_spec(module) is None]

    def check_parameter(self, name: str) -> None:
        """Raises InvalidInput if the objective has no parameter of this name."""
        if name not in self.space and name not in self.further:
            close = get_close_matches(name, [*self.space.names, *self.further], 1)
            hint = f"Did you mean {close[0]}?" if close else f"It has {', '.join(self.space.names)}."
            raise InvalidInput(f"parameters.{name}", f"is not a parameter of {self.slug}. {hint}")


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


def read_arguments(
    entry: ObjectiveEntry, params: Mapping[str, Any], context: Context | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What an objective of the catalogue works with: its parameters and settings, the absent ones at their default.

    A study may give a parameter other bounds than the entry's space, or leave it out. Parameters whose condition
    doesn't hold, and those without a default, are absent from the result (parents come before children in the space).
    Raises InvalidInput for a name or a value that the objective can't use.
    """
    space = entry.space
    for name in params:
        entry.check_parameter(name)
    values: dict[str, Any] = {}
    further = [p for name, p in entry.further.items() if name in params and name not in space]
    for p in (*space, *further):
        active = all(parent in values and values[parent] in wanted for parent, wanted in (p.when or {}).items())
        if not active or (p.name not in params and p.name not in entry.defaults):
            continue
        value = params.get(p.name, entry.defaults.get(p.name))
        if isinstance(p, Categorical):
            value = p.check(value)
        elif not _is_finite_number(value):
            raise InvalidInput(f"parameters.{p.name}", f"must be a number, not {value!r}.")
        else:
            value = round(value) if isinstance(p, Int) else float(value)
        values[p.name] = value
    given = context.settings if context else {}
    settings = {s.name: s.check(given[s.name]) if s.name in given else s.default for s in entry.settings}
    return values, settings


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
    raise NotAllowed(f"{path!r} is not on the allow-list. Start engine and dashboard with --objectives {module}.{hint}")


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
