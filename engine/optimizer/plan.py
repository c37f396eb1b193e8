"""Which acquisition a suggestion is to maximise: chosen by the user, or by the number of objectives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.acquisition.portfolio import Move, bounded_move
from engine.acquisition.scalarisation import simplex_weights
from engine.errors import InvalidInput
from engine.optimizer.options import Options, check_values
from engine.space import Objective

SINGLE = ("ei", "pi", "ucb", "ts", "kg", "mes", "jes", "pes", "portfolio", "hedge")
MULTIPLE = ("ehvi", "parego")
MOST_BOXES = 3  # objectives up to which hypervolume improvement is exact


@dataclass(frozen=True)
class Plan:
    """acquisition: an entry of SINGLE or MULTIPLE. move: whether this suggestion must explore, must exploit, or is
    free. draw: what seeds random functions. reference: the reference point, natural units, None for one from the
    data. weights: of the objectives, where they are rolled into one.
    """

    acquisition: str = "ei"
    move: Move = "free"
    draw: tuple[int, ...] = (0,)
    reference: tuple[float, ...] | None = None
    weights: tuple[float, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**fields)


class Planner:
    """Plans the suggestions of one study. Raises InvalidInput where options and objectives don't go together."""

    def __init__(self, options: Options, objectives: Sequence[Objective], seed: int) -> None:
        m = len(objectives)
        kind = options.acquisition
        if kind == "auto":
            kind = "ei" if m == 1 else "ehvi" if m <= MOST_BOXES else "parego"
        known = SINGLE if m == 1 else MULTIPLE
        if kind not in known:
            several = "one objective" if m == 1 else f"{m} objectives"
            raise InvalidInput(
                "optimizer.acquisition", f"{kind!r} is not for {several}: take auto or one of {', '.join(known)}."
            )
        if kind == "ehvi" and m > MOST_BOXES:
            raise InvalidInput(
                "optimizer.acquisition", f"ehvi takes up to {MOST_BOXES} objectives, not {m}: take parego or auto."
            )
        self.kind, self._options, self._seed, self._objectives = kind, options, seed, m
        self._reference = self._checked(options.reference, [o.name for o in objectives])

    def plan(self, number: int) -> Plan:
        """For the suggestion of this number."""
        move = bounded_move(number, self._options.floor, self._options.ceiling)
        weights = None
        if self.kind == "parego":
            rng = np.random.default_rng(np.random.SeedSequence([self._seed, number, 2]))
            weights = tuple(simplex_weights(self._objectives, rng).tolist())
        return Plan(self.kind, move, (self._seed, number), self._reference, weights)

    @staticmethod
    def _checked(reference: Mapping[str, float] | None, names: Sequence[str]) -> tuple[float, ...] | None:
        if reference is None:
            return None
        if len(names) < 2:
            raise InvalidInput("optimizer.reference", "is for several objectives; this study has one.")
        if set(reference) != set(names):
            raise InvalidInput("optimizer.reference", f"must give a value for each of {', '.join(names)}.")
        return tuple(float(reference[name]) for name in names)


def check_options(options: Mapping[str, Any] | None, objectives: Sequence[Objective] | None = None) -> dict[str, Any]:
    """The options as they came, validated, also against the objectives where given. Raises InvalidInput naming the
    field.
    """
    checked = check_values(options)
    if objectives:
        Planner(Options(**checked), objectives, seed=0)
    return checked
