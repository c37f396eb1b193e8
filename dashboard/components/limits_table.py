"""The limits of a scope as a table that a person edits, and back to its definition: pure, no Streamlit."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from engine.errors import InvalidInput

TYPES = ("float", "int", "categorical")
COLUMNS: dict[str, str] = {
    "name": "string",
    "type": "string",
    "low": "float64",
    "high": "float64",
    "choices": "string",
    "safe": "string",
    "initial": "string",
    "max_step": "float64",
    "min_dwell": "float64",
    "switch_at": "float64",
    "explore": "string",
    "help": "string",
}
_NUMBERS = ("low", "high", "max_step", "min_dwell", "switch_at")


def to_frame(definition: Mapping[str, Any]) -> pd.DataFrame:
    """``ScopeDefinition.to_dict()`` -> the table; ``initial`` stays empty."""
    rows = []
    for name, entry in definition.get("parameters", {}).items():
        row: dict[str, Any] = {"name": name, "type": entry["type"], "help": entry.get("help", "")}
        row |= {key: entry.get(key) for key in _NUMBERS}
        row["choices"] = _words(entry.get("choices"))
        row["explore"] = _words(entry.get("explore"))
        row["safe"] = _word(definition["safe"][name])
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def from_frame(frame: pd.DataFrame, known: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The table -> (parameters, safe values, initial values). Raises InvalidInput for a row that can't be read.

    known: the parameters that the table was made from, for what it doesn't show, such as a grid or a log scale.
    """
    parameters: dict[str, Any] = {}
    safe: dict[str, Any] = {}
    initial: dict[str, Any] = {}
    for number, row in enumerate(frame.to_dict("records"), 1):
        given = {k: v for k, v in row.items() if not _missing(v)}
        if not set(given) - {"type"}:
            continue
        name = str(given.get("name", "")).strip()
        if not name:
            raise InvalidInput("parameters", f"row {number} has no name.")
        if name in parameters:
            raise InvalidInput(f"parameters.{name}", "stands twice: give every parameter a name of its own.")
        kind = given.get("type", "float")
        kept = {k: v for k, v in known.get(name, {}).items() if k in ("log", "step")}
        entry: dict[str, Any] = {"type": kind} | kept
        entry |= {key: _tidy(given[key]) for key in _NUMBERS if key in given}
        if kind == "categorical":
            entry = {k: v for k, v in entry.items() if k not in ("low", "high", "log", "step")}
            entry["choices"] = _values(str(given.get("choices", "")))
        if given.get("explore"):
            entry["explore"] = _values(str(given["explore"]))
        if given.get("help"):
            entry["help"] = str(given["help"])
        parameters[name] = entry
        if "safe" not in given:
            raise InvalidInput(f"safe.{name}", "is missing: give the value that the kill switch sets.")
        safe[name] = _value(str(given["safe"]), kind)
        if "initial" in given:
            initial[name] = _value(str(given["initial"]), kind)
    return parameters, safe, initial


def _tidy(value: float) -> float | int:
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(value)


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)) or value == ""


def _word(value: Any) -> str:
    return value if isinstance(value, str) and _read(value) == value else json.dumps(value)


def _words(values: Any) -> str:
    return ", ".join(map(_word, values)) if isinstance(values, (list, tuple)) else ""


def _values(text: str) -> list[Any]:
    return [_read(part.strip()) for part in text.split(",") if part.strip()]


def _value(text: str, kind: str) -> Any:
    value = _read(text.strip())
    return _tidy(value) if kind != "categorical" and isinstance(value, float) else value


def _read(text: str) -> Any:
    """What reads as JSON is that, everything else is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
