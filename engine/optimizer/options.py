"""The ``optimizer:`` section of a study file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from engine.errors import InvalidInput

TRANSFORMS = ("auto", "identity", "yeo-johnson")


@dataclass(frozen=True)
class Options:
    """initial: trials of the space-filling design, None for max(4, d + 1) up to 12. transform: of outcomes, "auto"
    by leave-one-out."""

    initial: int | None = None
    transform: str = "auto"

    def initial_trials(self, d: int) -> int:
        return self.initial if self.initial is not None else min(max(4, d + 1), 12)


def check_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """The options as they came, validated. Raises InvalidInput naming the field."""
    options = dict(options or {})
    known = tuple(Options.__dataclass_fields__)
    for key in options:
        if key not in known:
            close = get_close_matches(str(key), known, 1)
            hint = f" Did you mean {close[0]}?" if close else f" Known: {', '.join(known)}."
            raise InvalidInput(f"optimizer.{key}", f"is not an option.{hint}")
    initial = options.get("initial")
    if initial is not None and (isinstance(initial, bool) or not isinstance(initial, int) or not 1 <= initial <= 1000):
        raise InvalidInput("optimizer.initial", f"must be a whole number from 1 to 1000, not {initial!r}.")
    if options.get("transform", "auto") not in TRANSFORMS:
        raise InvalidInput(
            "optimizer.transform", f"must be one of {', '.join(TRANSFORMS)}, not {options['transform']!r}."
        )
    return options
