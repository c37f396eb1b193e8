"""A scope: a named set of live parameters with its hard limits, pace of change, safe values and rules. Pure data.

The search space of a scope *is* its hard limits: the ranges and choices of the parameters and the constraints
between them. Nothing goes live outside of it, by whatever way.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

import numpy as np

from engine.errors import InvalidInput, InvalidStudy, TunedeskError
from engine.space import Categorical, Int, SearchSpace
from engine.space.parameters import Parameter
from engine.space.serialise import parameter_to_dict, space_from_dict

Tier = Literal["low", "high"]
APPROVERS: dict[Tier, int] = {"low": 1, "high": 2}
"""Distinct people who have to approve, neither author nor editor among them."""
AREAS = ("strategy", "model", "risk", "infrastructure", "exchange", "pipeline")
GLOBAL = "*"
"""Stands for every scope, where a kill switch or a freeze is meant."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_OWN_KEYS = ("max_step", "min_dwell", "switch_at", "explore")
_KEYS = ("name", "area", "tier", "description", "parameters", "constraints", "safe", "policy")


@dataclass(frozen=True)
class Pace:
    """How fast a parameter may move in a ramp.

    max_step: largest change in one step, in the parameter's units; None for no limit. min_dwell: seconds between two
    changes. switch_at: the part of a ramp, from 0 to 1, after which a categorical changes; 1 is the last step.
    """

    max_step: float | None = None
    min_dwell: float = 0.0
    switch_at: float = 1.0


@dataclass(frozen=True)
class Policy:
    """max_override_hours: longest manual override. review_hours: a proposal expires so long after it was submitted.
    rearm_hours: within which a second person has to confirm. evidence_required: a proposal needs an evidence pack."""

    max_override_hours: float = 24.0
    review_hours: float = 30 * 24.0
    rearm_hours: float = 24.0
    evidence_required: bool = False


@dataclass(frozen=True)
class ScopeDefinition:
    """Everything about a scope that a risk manager decides. ``safe``: the values that the kill switch sets.

    explore: the range that studies may search, where it differs from the hard limits: (low, high), or choices.
    """

    name: str
    area: str
    tier: Tier
    space: SearchSpace
    safe: Mapping[str, Any]
    paces: Mapping[str, Pace] = field(default_factory=dict)
    explore: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    description: str = ""

    @property
    def approvers(self) -> int:
        return APPROVERS[self.tier]

    def pace(self, name: str) -> Pace:
        return self.paces.get(name) or Pace()

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values as native Python ones, in the order of the parameters.

        Raises InvalidInput for one that is missing, unknown or out of its range, or a constraint that doesn't hold.
        """
        for name in values:
            if name not in self.space:
                raise InvalidInput(str(name), f"is not a parameter of {self.name}.")
        out = {}
        for p in self.space:
            if p.name not in values:
                raise InvalidInput(p.name, "has no value.")
            out[p.name] = p.check(values[p.name])
        # On the values themselves: a way through the unit cube would round a point off a limit that it lies on.
        arrays = {name: np.array([value], dtype=object if isinstance(value, str) else None)
                  for name, value in out.items()}  # fmt: skip
        for constraint in self.space.constraints:
            if constraint.violation(arrays)[0] > 0:
                raise InvalidInput("constraints", f"the values break {constraint.text}.")
        return out

    def problem(self, values: Mapping[str, Any]) -> str:
        """Why the values are outside of the hard limits; empty if they aren't."""
        try:
            self.check(values)
        except InvalidInput as error:
            return str(error)
        return ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; ``definition_from_dict`` is the inverse."""
        parameters = {}
        for p in self.space:
            pace, entry = self.pace(p.name), parameter_to_dict(p)
            entry |= {f.name: getattr(pace, f.name) for f in fields(Pace) if getattr(pace, f.name) != f.default}
            if p.name in self.explore:
                entry["explore"] = list(self.explore[p.name])
            parameters[p.name] = entry
        return {
            "name": self.name,
            "area": self.area,
            "tier": self.tier,
            "description": self.description,
            "parameters": parameters,
            "constraints": [c.text for c in self.space.constraints],
            "safe": dict(self.safe),
            "policy": {f.name: getattr(self.policy, f.name) for f in fields(Policy)},
        }


def definition_from_dict(data: Any) -> ScopeDefinition:
    """A scope file -> ScopeDefinition. Raises InvalidStudy with everything that is wrong with it."""
    if not isinstance(data, Mapping):
        raise InvalidInput("scope", "must be a mapping with name, area, tier, parameters and safe.")
    errors: list[InvalidInput] = []

    def attempt(read: Any, *arguments: Any) -> Any:
        try:
            return read(*arguments)
        except InvalidStudy as error:
            errors.extend(error.errors)
        except InvalidInput as error:
            errors.append(error)
        except TunedeskError as error:
            errors.append(InvalidInput("", str(error)))
        return None

    for key in data:
        if key not in _KEYS:
            errors.append(InvalidInput(str(key), f"is not a section of a scope; there are {', '.join(_KEYS)}."))
    name = attempt(_name, data.get("name"))
    area = attempt(_choice, "area", data.get("area"), AREAS)
    tier = attempt(_choice, "tier", data.get("tier", "high"), get_args(Tier))
    policy = attempt(_policy, data.get("policy") or {}, tier)
    space = attempt(_space, data)
    paces, explore = {}, {}
    for p in space or ():
        entry = data["parameters"][p.name]
        pace = attempt(_pace, p, entry)
        if pace is not None and pace != Pace():
            paces[p.name] = pace
        if entry.get("explore") is not None:
            explore[p.name] = attempt(_explore, p, entry["explore"])
    safe = data.get("safe")
    if not isinstance(safe, Mapping):
        errors.append(InvalidInput("safe", "is missing: give the values that the kill switch sets."))
    if errors:
        raise InvalidStudy(errors)
    draft = ScopeDefinition(
        name, area, tier, space, dict(safe or {}), paces, explore, policy, str(data.get("description") or "")
    )
    try:
        checked = draft.check(draft.safe)
    except InvalidInput as error:
        raise InvalidStudy([InvalidInput(f"safe.{error.field}", error.problem)]) from None
    return ScopeDefinition(**{f.name: getattr(draft, f.name) for f in fields(draft)} | {"safe": checked})


def definition_from_stored(data: Mapping[str, Any]) -> ScopeDefinition:
    """The inverse of ``to_dict`` for a definition that was validated before it was stored."""
    return _stored(json.dumps(data))


@functools.lru_cache(maxsize=512)
def _stored(text: str) -> ScopeDefinition:
    data = json.loads(text)
    plain = {name: _without_own(entry) for name, entry in data["parameters"].items()}
    space = space_from_dict({"parameters": plain, "constraints": data["constraints"]}, trusted=True)
    paces = {p.name: _pace(p, data["parameters"][p.name]) for p in space}
    explore = {n: tuple(e["explore"]) for n, e in data["parameters"].items() if e.get("explore") is not None}
    return ScopeDefinition(
        data["name"], data["area"], data["tier"], space, data["safe"], paces, explore, Policy(**data["policy"]),
        data["description"],
    )  # fmt: skip


def _without_own(entry: Any) -> Any:
    return {k: v for k, v in entry.items() if k not in _OWN_KEYS} if isinstance(entry, Mapping) else entry


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise InvalidInput("name", "must have 1 to 100 letters, digits, dots, dashes or underscores.")
    return value


def _choice(field_: str, value: Any, known: Sequence[str]) -> str:
    if value not in known:
        raise InvalidInput(field_, f"must be one of {', '.join(known)}, not {value!r}.")
    return value


def _space(data: Mapping[str, Any]) -> SearchSpace:
    parameters = data.get("parameters")
    if isinstance(parameters, Mapping):
        parameters = {name: _without_own(entry) for name, entry in parameters.items()}
    space = space_from_dict({"parameters": parameters, "constraints": data.get("constraints")})
    for p in space:
        if p.when:
            raise InvalidInput(f"parameters.{p.name}.when", "a live parameter always has a value: drop the condition.")
    return space


def _number(field_: str, value: Any, low: float, high: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InvalidInput(field_, f"must be a number, not {value!r}.")
    if not low <= value <= high:
        most = f" to {high:g}" if math.isfinite(high) else " or more"
        raise InvalidInput(field_, f"must be {low:g}{most}, not {value:g}.")
    return float(value)


def _pace(p: Parameter, entry: Mapping[str, Any]) -> Pace:
    where = f"parameters.{p.name}"
    max_step = entry.get("max_step")
    if max_step is not None:
        if isinstance(p, Categorical):
            raise InvalidInput(f"{where}.max_step", "a categorical has no step: it switches at once.")
        max_step = _number(f"{where}.max_step", max_step, 0.0)
        least = p.step or 0.0
        if max_step <= 0 or max_step < least * (1 - 1e-9):
            raise InvalidInput(f"{where}.max_step", "must be above 0 and at least the parameter's own step.")
        if isinstance(p, Int):
            max_step = float(max_step // p.step * p.step)
    dwell = _number(f"{where}.min_dwell", entry.get("min_dwell", 0.0), 0.0, 366 * 86400.0)
    return Pace(max_step, dwell, _number(f"{where}.switch_at", entry.get("switch_at", 1.0), 0.0, 1.0))


def _explore(p: Parameter, value: Any) -> tuple[Any, ...]:
    where = f"parameters.{p.name}.explore"
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidInput(where, f"must be a list: [low, high], or choices; not {value!r}.")
    if isinstance(p, Categorical):
        return tuple(value)
    if len(value) != 2:
        raise InvalidInput(where, "must be [low, high].")
    low, high = (_number(where, v, -math.inf) for v in value)
    if low > high:
        raise InvalidInput(where, f"low ({low:g}) is above high ({high:g}).")
    return low, high


def _policy(data: Any, tier: Tier | None) -> Policy:
    known = {f.name for f in fields(Policy)}
    if not isinstance(data, Mapping) or not set(data) <= known:
        raise InvalidInput("policy", f"may set {', '.join(sorted(known))}.")
    required = data.get("evidence_required", tier == "high")
    if not isinstance(required, bool):
        raise InvalidInput("policy.evidence_required", "must be true or false.")
    hours = {n: _number(f"policy.{n}", v, 0.01, 366 * 24.0) for n, v in data.items() if n != "evidence_required"}
    return Policy(**hours, evidence_required=required)
