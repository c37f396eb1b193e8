"""What is optimised: a named value with a direction, and limits on other outcomes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from engine.errors import InvalidInput

Direction = Literal["minimize", "maximize"]
_LIMIT = re.compile(r"^\s*([A-Za-z_]\w*)\s*(<=|>=)\s*([-+0-9.eE]+)\s*$")


@dataclass(frozen=True)
class Objective:
    """A value to minimise or maximise."""

    name: str = "value"
    direction: Direction = "minimize"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise InvalidInput("objectives", f"{self.name!r} is not a usable name: take letters, digits and _.")
        if self.direction not in ("minimize", "maximize"):
            raise InvalidInput(
                f"objectives.{self.name}.direction", f"must be minimize or maximize, not {self.direction!r}."
            )

    @property
    def sign(self) -> float:
        """+1 if smaller is better, -1 if larger is: sign * value is always minimised."""
        return 1.0 if self.direction == "minimize" else -1.0


@dataclass(frozen=True)
class OutcomeConstraint:
    """A limit on an outcome that only the evaluation reveals, such as ``max_drawdown <= 0.35``."""

    name: str
    upper: bool
    limit: float

    @classmethod
    def parse(cls, text: str) -> OutcomeConstraint:
        match = _LIMIT.match(text) if isinstance(text, str) else None
        if not match:
            raise InvalidInput("outcome_constraints", f"{text!r} is not of the form 'max_drawdown <= 0.35'.")
        try:
            limit = float(match[3])
        except ValueError:
            limit = math.nan
        if not math.isfinite(limit):
            raise InvalidInput("outcome_constraints", f"{match[3]!r} in {text!r} is not a number.")
        return cls(match[1], match[2] == "<=", limit)

    @property
    def text(self) -> str:
        short = f"{self.limit:g}"
        exact = short if float(short) == self.limit else repr(self.limit)
        return f"{self.name} {'<=' if self.upper else '>='} {exact}"

    def slack(self, value: float) -> float:
        """Distance inside the limit: negative where it is broken."""
        return self.limit - value if self.upper else value - self.limit
