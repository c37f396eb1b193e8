"""The search space as it stands in a study file, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.errors import InvalidInput, InvalidStudy
from engine.space.parameters import Categorical, Float, Int, Parameter
from engine.space.search_space import SearchSpace

_KEYS = {
    "float": {"type", "low", "high", "log", "step", "when", "help"},
    "int": {"type", "low", "high", "log", "step", "when", "help"},
    "categorical": {"type", "choices", "when", "help"},
}


def parameter_to_dict(p: Parameter) -> dict[str, Any]:
    out: dict[str, Any] = {"type": type(p).__name__.lower()}
    if isinstance(p, Categorical):
        out["choices"] = list(p.choices)
    else:
        out |= {"low": p.low, "high": p.high}
        if p.log:
            out["log"] = True
        if p.step is not None and not (isinstance(p, Int) and p.step == 1):
            out["step"] = p.step
    if p.when:
        out["when"] = {k: v[0] if len(v) == 1 else list(v) for k, v in p.when.items()}
    if p.help:
        out["help"] = p.help
    return out


def parameter_from_dict(name: str, data: Any) -> Parameter:
    """One entry of ``parameters``; raises InvalidInput naming the field."""
    field = f"parameters.{name}"
    if not isinstance(data, Mapping):
        raise InvalidInput(field, "must be a mapping such as {type: int, low: 2, high: 100}.")
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in _KEYS:
        raise InvalidInput(f"{field}.type", f"must be float, int or categorical, not {kind!r}.")
    unknown = sorted(map(str, set(data) - _KEYS[kind]))
    if unknown:
        raise InvalidInput(
            f"{field}.{unknown[0]}", f"is not known; a {kind} takes {', '.join(sorted(_KEYS[kind] - {'type'}))}."
        )
    needed = ["choices"] if kind == "categorical" else ["low", "high"]
    for key in needed:
        if data.get(key) is None:
            raise InvalidInput(f"{field}.{key}", "is missing.")
    if not isinstance(data.get("log", False), bool):
        raise InvalidInput(f"{field}.log", f"must be true or false, not {data['log']!r}.")
    common: dict[str, Any] = {"when": data.get("when"), "help": str(data.get("help") or "")}
    if kind == "categorical":
        return Categorical(name, data["choices"], **common)
    if kind == "int":
        return Int(name, data["low"], data["high"], log=data.get("log", False), step=data.get("step") or 1, **common)
    return Float(name, data["low"], data["high"], log=data.get("log", False), step=data.get("step"), **common)


def space_from_dict(data: Mapping[str, Any], *, trusted: bool = False) -> SearchSpace:
    """``parameters`` and ``constraints`` of a study file -> SearchSpace; every wrong parameter is reported at once."""
    parameters = data.get("parameters")
    if not isinstance(parameters, Mapping):
        raise InvalidInput(
            "parameters", "must map each name to its definition, such as fast: {type: int, low: 2, high: 100}."
        )
    constraints = data.get("constraints") or []
    if isinstance(constraints, str) or not isinstance(constraints, (list, tuple)):
        raise InvalidInput("constraints", f"must be a list such as ['fast < slow'], not {constraints!r}.")
    parsed, errors = [], []
    for name, entry in parameters.items():
        try:
            parsed.append(parameter_from_dict(str(name), entry))
        except InvalidInput as error:
            errors.append(error)
    if errors:
        raise InvalidStudy(errors)
    return SearchSpace(parsed, constraints, trusted=trusted)
