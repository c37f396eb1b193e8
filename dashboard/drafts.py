"""Studies that are being defined: study files as plain dictionaries, not checked yet.

A draft lives in the server's memory under an unguessable name that stands in the page's address, so that a reload, a
dropped connection or a visit to another page loses nothing. Restarting the server does.
"""

from __future__ import annotations

import copy
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from engine.errors import InvalidInput, InvalidStudy, TunedeskError
from engine.objectives import ObjectiveEntry
from engine.space.serialise import parameter_to_dict
from engine.study import StudySpec, read_yaml

MAX_DRAFTS = 200
MANUAL = "manual"
DEFAULT_TRIALS = 60
KEPT = ("budget", "workers", "seed", "trial_timeout", "max_attempts", "tags", "notes")
"""Sections that stay when another objective is chosen."""


@dataclass
class Draft:
    """content: the study file so far. launched: the study that it became."""

    content: dict[str, Any] = field(default_factory=dict)
    launched: str | None = None


class Drafts:
    """The most recent drafts of all sessions; safe to share between threads."""

    def __init__(self, most: int = MAX_DRAFTS) -> None:
        self._most = most
        self._drafts: OrderedDict[str, Draft] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> Draft | None:
        with self._lock:
            return self._drafts.get(name)

    def put(self, name: str, draft: Draft) -> None:
        with self._lock:
            self._drafts[name] = draft
            self._drafts.move_to_end(name)
            while len(self._drafts) > self._most:
                self._drafts.popitem(last=False)


def new_name() -> str:
    return secrets.token_urlsafe(12)


def from_entry(entry: ObjectiveEntry, old: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A draft with everything that the catalogue proposes for an objective; ``old`` gives what isn't about it."""
    content: dict[str, Any] = {
        "name": entry.slug.replace("_", "-"),
        "objective": entry.path,
        "settings": {setting.name: setting.default for setting in entry.settings},
        **entry.space.to_dict(),
        "objectives": [{"name": o.name, "direction": o.direction} for o in entry.objectives],
        "outcome_constraints": list(entry.outcome_constraints),
    }
    return content | _kept(old)


def from_manual(old: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A draft whose trials a person or another program evaluates."""
    content: dict[str, Any] = {
        "name": "manual-study",
        "objective": MANUAL,
        "parameters": {"x": {"type": "float", "low": 0, "high": 1}},
        "constraints": [],
        "objectives": [{"name": "value", "direction": "minimize"}],
        "outcome_constraints": [],
    }
    return content | _kept(old)


def from_spec(spec: StudySpec, name: str) -> dict[str, Any]:
    """A draft that repeats a study under another name."""
    return copy.deepcopy(spec.to_dict()) | {"name": name}


def further_parameter(entry: ObjectiveEntry, name: str) -> dict[str, Any]:
    """The definition of a parameter that the objective knows beyond its own space."""
    return parameter_to_dict(entry.further[name])


def check(content: Mapping[str, Any]) -> tuple[StudySpec | None, list[InvalidInput]]:
    """The study that a draft makes, or everything that is wrong with it. Writes nothing."""
    try:
        return StudySpec.from_dict(content), []
    except InvalidStudy as error:
        return None, list(error.errors)
    except InvalidInput as error:
        return None, [error]
    except TunedeskError as error:
        return None, [InvalidInput("", str(error))]


def parse(text: str) -> dict[str, Any]:
    """A study file, YAML or JSON, that may be wrong in any other way. Raises InvalidStudy if it can't be read."""
    content = read_yaml(text, "YAML")
    if not isinstance(content, Mapping):
        raise InvalidStudy([InvalidInput("YAML", "must have sections such as name, objective, parameters and budget.")])
    return {str(key): value for key, value in content.items()}


def dump(content: Mapping[str, Any]) -> str:
    """The draft as a study file, whatever is wrong with it."""
    return yaml.safe_dump(_plain_values(content), sort_keys=False, allow_unicode=True, width=110)


def file_name(content: Mapping[str, Any]) -> str:
    """A name for the downloaded file that every system takes."""
    return re.sub(r"[^\w.-]+", "-", str(content.get("name") or ""))[:80].strip("-.") or "study"


def _plain_values(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain_values(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_values(item) for item in value]
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)


def _kept(old: Mapping[str, Any] | None) -> dict[str, Any]:
    defaults: dict[str, Any] = {"budget": {"trials": DEFAULT_TRIALS}, "workers": 2, "seed": 0}
    return defaults | {key: old[key] for key in KEPT if old and key in old}
