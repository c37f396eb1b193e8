"""The ``optimizer:`` section of a study file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from engine.errors import InvalidInput

TRANSFORMS = ("auto", "identity", "yeo-johnson", "log")
ACQUISITIONS = (
    "auto", "ei", "pi", "ucb", "ts", "kg", "mes", "jes", "pes", "portfolio", "hedge", "ehvi", "parego",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """initial: trials of the space-filling design, None for max(4, d + 1) up to 12. transform: of outcomes, "auto" by
    leave-one-out. acquisition: what a suggestion maximises, "auto" by the number of objectives. exploration: a
    mapping with floor and ceiling, the shares of suggestions that must and that may explore. reference: objective ->
    worst value of interest, for hypervolumes.
    """

    initial: int | None = None
    transform: str = "auto"
    acquisition: str = "auto"
    exploration: Mapping[str, float] | None = None
    reference: Mapping[str, float] | None = None

    def initial_trials(self, d: int) -> int:
        return self.initial if self.initial is not None else min(max(4, d + 1), 12)

    @property
    def floor(self) -> float:
        return float((self.exploration or {}).get("floor", 0.0))

    @property
    def ceiling(self) -> float:
        return float((self.exploration or {}).get("ceiling", 1.0))


def check_values(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """The options as they came, each valid by itself. Raises InvalidInput naming the field."""
    options = dict(options or {})
    _known(options, tuple(Options.__dataclass_fields__), "optimizer")
    initial = options.get("initial")
    if initial is not None and (isinstance(initial, bool) or not isinstance(initial, int) or not 1 <= initial <= 1000):
        raise InvalidInput("optimizer.initial", f"must be a whole number from 1 to 1000, not {initial!r}.")
    for field, allowed in (("transform", TRANSFORMS), ("acquisition", ACQUISITIONS)):
        if options.get(field, "auto") not in allowed:
            raise InvalidInput(f"optimizer.{field}", f"must be one of {', '.join(allowed)}, not {options[field]!r}.")
    _check_exploration(options.get("exploration"))
    _check_reference(options.get("reference"))
    return options


def _check_exploration(bounds: Any) -> None:
    if bounds is None:
        return
    if not isinstance(bounds, Mapping):
        raise InvalidInput("optimizer.exploration", f"must be a mapping with floor and ceiling, not {bounds!r}.")
    _known(bounds, ("floor", "ceiling"), "optimizer.exploration")
    for name, value in bounds.items():
        if not _is_number(value) or not 0 <= value <= 1:
            raise InvalidInput(f"optimizer.exploration.{name}", f"must be a share from 0 to 1, not {value!r}.")
    if bounds.get("floor", 0.0) > bounds.get("ceiling", 1.0):
        raise InvalidInput("optimizer.exploration", "has a floor above its ceiling.")


def _check_reference(reference: Any) -> None:
    if reference is None:
        return
    if not isinstance(reference, Mapping) or not reference:
        raise InvalidInput("optimizer.reference", f"must map each objective to a number, not {reference!r}.")
    for name, value in reference.items():
        if not _is_number(value) or not math.isfinite(value):
            raise InvalidInput(f"optimizer.reference.{name}", f"must be a finite number, not {value!r}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _known(options: Mapping[str, Any], known: tuple[str, ...], field: str) -> None:
    for key in options:
        if key not in known:
            close = get_close_matches(str(key), known, 1)
            hint = f" Did you mean {close[0]}?" if close else f" Known: {', '.join(known)}."
            raise InvalidInput(f"{field}.{key}", f"is not an option.{hint}")
