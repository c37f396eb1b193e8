"""The search space as a table of text and numbers that a person edits, and back: pure, no Streamlit.

A row is a parameter. What the table can't say about one (its help text) is kept from the definition it came from.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import yaml

from engine.errors import InvalidInput

TYPES = ("float", "int", "categorical")
COLUMNS: dict[str, str] = {
    "name": "string",
    "type": "string",
    "low": "float64",
    "high": "float64",
    "log": "bool",
    "step": "float64",
    "choices": "string",
    "when": "string",
}
_NUMBERS = ("low", "high", "step")
_CLAUSE = re.compile(r"^\s*([^\s=:]+)\s*(?:==|=|:|\bin\b)\s*(.+?)\s*$")
_PLAIN = re.compile(r"^[A-Za-z_][\w./-]*$")
_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "and")


def to_frame(parameters: Any) -> pd.DataFrame:
    """``parameters`` of a study file -> the table. What isn't a parameter there is left out."""
    rows = []
    for name, entry in (parameters if isinstance(parameters, Mapping) else {}).items():
        entry = entry if isinstance(entry, Mapping) else {}
        row: dict[str, Any] = {"name": str(name), "type": entry.get("type"), "log": entry.get("log") is True}
        row |= {key: _as_number(entry.get(key)) for key in _NUMBERS}
        row["choices"] = _choices_text(entry.get("choices"))
        row["when"] = _condition_text(entry.get("when"))
        rows.append(row)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype(COLUMNS)


def from_frame(frame: pd.DataFrame, known: Any = None) -> tuple[dict[str, Any], list[InvalidInput]]:
    """The table -> ``parameters`` of a study file, and what can't be expressed there, each error naming its field.

    known: the definition that the table was made from, for the help texts. Empty rows are left out.
    """
    known = known if isinstance(known, Mapping) else {}
    parameters: dict[str, Any] = {}
    errors: list[InvalidInput] = []
    for number, row in enumerate(frame.to_dict("records"), 1):
        row = {key: None if _missing(value) else value for key, value in row.items()}
        if not any(value for key, value in row.items() if key not in ("log", "type")):
            continue
        name = str(row["name"] or "").strip()
        if not name:
            errors.append(InvalidInput("parameters", f"row {number} has no name."))
            continue
        if name in parameters:
            errors.append(InvalidInput(f"parameters.{name}", "stands twice: give every parameter a name of its own."))
            continue
        try:
            parameters[name] = _entry(name, row)
        except InvalidInput as error:
            errors.append(error)
            parameters[name] = {"type": row["type"]}
            continue
        old = known.get(name)
        if isinstance(old, Mapping) and old.get("help"):
            parameters[name]["help"] = old["help"]
    return parameters, errors


def _entry(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    kind = row["type"]
    out: dict[str, Any] = {"type": kind}
    if kind == "categorical":
        out["choices"] = _read_choices(f"parameters.{name}.choices", row["choices"] or "")
    else:
        for key in _NUMBERS:
            if row[key] is not None:
                out[key] = _tidy(row[key])
        if row["log"]:
            out["log"] = True
    if row["when"]:
        out["when"] = _read_condition(f"parameters.{name}.when", row["when"])
    return out


def _tidy(value: float) -> float | int:
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(value)


def _as_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)) or value == ""


# --- choices: long_only, long_short, 3, true, "with, comma" ------------------------------------------------


def _choices_text(choices: Any) -> str:
    return ", ".join(map(_scalar_text, choices)) if isinstance(choices, (list, tuple)) else ""


def _scalar_text(value: Any) -> str:
    """A scalar so that reading the text gives it back: plain where that is safe, quoted where not."""
    if isinstance(value, str):
        safe = _PLAIN.match(value) and value.lower() not in _WORDS
        return value if safe else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _read_choices(field: str, text: str) -> list[Any]:
    values = _scalars(field, text)
    if not values:
        raise InvalidInput(field, "is missing: write the choices with commas between them, such as sma, ema.")
    return values


def _scalars(field: str, text: str) -> list[Any]:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    out = []
    for part in _split(text, ","):
        part = part.strip()
        if not part:
            continue
        out.append(_scalar(part))
    return out


def _scalar(text: str) -> Any:
    """JSON first, which knows 1e-05; YAML for the rest; what that takes for a date or a list is text here."""
    for read in (_json, yaml.safe_load):
        try:
            value = read(text)
        except (ValueError, yaml.YAMLError):
            continue
        if value is None or isinstance(value, (str, bool, int, float)):
            return value
    return text


def _json(text: str) -> Any:
    def constant(name: str) -> Any:
        raise ValueError(name)  # NaN and Infinity are words here

    return json.loads(text, parse_constant=constant)


# --- conditions: kernel = rbf, matern and mode = fast -------------------------------------------------------


def _condition_text(when: Any) -> str:
    if not isinstance(when, Mapping):
        return ""
    clauses = []
    for parent, values in when.items():
        values = values if isinstance(values, (list, tuple)) else [values]
        clauses.append(f"{parent} = {', '.join(map(_scalar_text, values))}")
    return " and ".join(clauses)


def _read_condition(field: str, text: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for clause in _split(text, " and "):
        match = _CLAUSE.match(clause)
        values = _scalars(field, match[2]) if match else []
        if not match or not values:
            raise InvalidInput(field, f"{clause.strip()!r} is not of the form kernel = rbf.")
        out[match[1]] = values[0] if len(values) == 1 else values
    return out


def _split(text: str, separator: str) -> Iterable[str]:
    """Parts between separators, those inside quotes left whole."""
    part, quote = "", ""
    i = 0
    while i < len(text):
        if not quote and text.startswith(separator, i):
            yield part
            part = ""
            i += len(separator)
            continue
        sign = text[i]
        if quote and sign == "\\":
            part += text[i : i + 2]
            i += 2
            continue
        if sign in "\"'" and (not quote or quote == sign):
            quote = "" if quote else sign
        part += sign
        i += 1
    yield part
