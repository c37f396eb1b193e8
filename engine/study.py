"""The study definition: what a study file, the New study page and the API all become before anything is written.

``StudySpec.from_dict`` reports everything that is wrong at once, each error naming its field.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from engine import objectives
from engine.errors import InvalidInput, InvalidStudy, NotAllowed, TunedeskError
from engine.space import SearchSpace
from engine.space.outcomes import Objective, OutcomeConstraint
from engine.space.serialise import space_from_dict

MAX_TRIALS = 1_000_000
MAX_WORKERS = 128
_MAX_SECONDS = 100 * 365 * 86_400
_KEYS = (
    "name", "objective", "parameters", "constraints", "objectives", "outcome_constraints", "budget", "workers", "seed",
    "settings", "trial_timeout", "max_attempts", "tags", "notes", "optimizer",
)  # fmt: skip


_OPTIONAL = {"settings": {}, "trial_timeout": 600.0, "max_attempts": 3, "tags": (), "notes": "", "optimizer": {}}


@dataclass(frozen=True)
class StudySpec:
    """A validated study.

    budget_trials: finished trials (complete, infeasible or failed for good) after which the study ends.
    budget_seconds: wall-clock seconds after which nothing new starts; None for no limit.
    trial_timeout: seconds after which a trial is killed and failed. max_attempts: runs of a trial whose worker died.
    settings: fixed arguments of the objective. optimizer: options of engine.optimizer.Optimizer.
    """

    name: str
    objective: str
    space: SearchSpace
    objectives: tuple[Objective, ...]
    outcome_constraints: tuple[OutcomeConstraint, ...] = ()
    budget_trials: int = 50
    budget_seconds: float | None = None
    workers: int = 1
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    trial_timeout: float = 600.0
    max_attempts: int = 3
    tags: tuple[str, ...] = ()
    notes: str = ""
    optimizer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def manual(self) -> bool:
        """Whether a person or another program evaluates the trials."""
        return self.objective == "manual"

    def to_dict(self) -> dict[str, Any]:
        """The study file that gives this study again; sections at their default are left out."""
        out: dict[str, Any] = {"name": self.name, "objective": self.objective, **self.space.to_dict()}
        if not out["constraints"]:
            del out["constraints"]
        out["objectives"] = [{"name": o.name, "direction": o.direction} for o in self.objectives]
        if self.outcome_constraints:
            out["outcome_constraints"] = [c.text for c in self.outcome_constraints]
        out["budget"] = {"trials": self.budget_trials}
        if self.budget_seconds is not None:
            out["budget"]["seconds"] = self.budget_seconds
        out |= {"workers": self.workers, "seed": self.seed}
        for key, default in _OPTIONAL.items():
            value = getattr(self, key)
            if value != default:
                out[key] = (
                    list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
                )
        return out

    @classmethod
    def from_dict(cls, data: Any) -> StudySpec:
        """A parsed study file -> StudySpec. Sections left out come from the objective's catalogue entry.

        Raises InvalidStudy with every error found.
        """
        if not isinstance(data, Mapping):
            raise InvalidStudy(
                [InvalidInput("study", "must be a mapping with name, objective, parameters and budget.")]
            )
        return _Reader(data).read()

    @classmethod
    def from_stored(cls, data: Mapping[str, Any]) -> StudySpec:
        """The inverse of ``to_dict`` for a definition that was validated before it was stored.

        It looks up no catalogue and searches for no feasible point, so that a reader without the objective's code
        can show the study, and a list of studies is quick.
        """
        budget = data["budget"]
        optional = {key: data.get(key, default) for key, default in _OPTIONAL.items()}
        return cls(
            name=data["name"],
            objective=data["objective"],
            space=space_from_dict(data, trusted=True),
            objectives=tuple(Objective(o["name"], o["direction"]) for o in data["objectives"]),
            outcome_constraints=tuple(OutcomeConstraint.parse(text) for text in data.get("outcome_constraints", ())),
            budget_trials=budget["trials"],
            budget_seconds=budget.get("seconds"),
            workers=data["workers"],
            seed=data["seed"],
            **optional | {"tags": tuple(optional["tags"])},
        )

    @classmethod
    def from_file(cls, path: str | Path) -> StudySpec:
        """Reads YAML (or JSON, which is YAML). Raises InvalidStudy naming the file and line that can't be read."""
        return cls.from_yaml(read_text(path), source=str(path))

    @classmethod
    def from_yaml(cls, text: str, source: str = "study file") -> StudySpec:
        return cls.from_dict(read_yaml(text, source))

    def to_yaml(self) -> str:
        import yaml

        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True, width=110)


def read_text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InvalidStudy([InvalidInput(str(path), "is not a text file in UTF-8.")]) from None
    except OSError as error:
        raise InvalidStudy([InvalidInput(str(path), f"can't be read: {error.strerror}.")]) from None


def read_yaml(text: str, source: str = "study file") -> Any:
    """What a study file holds, not checked yet. Raises InvalidStudy naming the line and column that can't be read."""
    import yaml

    try:
        return yaml.load(text, Loader=_loader())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "not readable as YAML"
    except (RecursionError, ValueError):  # a date such as 2026-13-45, an integer of thousands of digits
        where, problem = "", "it is nested too deeply, or holds a date or number that doesn't exist"
    raise InvalidStudy([InvalidInput(source, f"{where}{problem}.")])


@functools.cache
def _loader() -> Any:
    """A safe YAML loader for files that people write.

    It refuses a key that stands twice (a parameter would silently replace another) and aliases (a few lines of them
    expand to gigabytes), and reads 1e-5 as the number that it is, which YAML 1.1 takes for text.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                event = self.peek_event()
                raise yaml.composer.ComposerError(
                    None, None, f"the alias *{event.anchor} can't be used in a study file", event.start_mark
                )
            return super().compose_node(parent, index)

    def mapping(loader: Any, node: Any) -> dict:
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the name {key.value} stands twice", key.start_mark
                )
            seen.add(str(key.value))
        loader.flatten_mapping(node)
        return dict(loader.construct_pairs(node, deep=True))

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
    )
    return Loader


class _Reader:
    """Collects errors while it reads; a section that fails doesn't hide the errors of the next."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.errors: list[InvalidInput] = []
        self.entry: objectives.ObjectiveEntry | None = None

    def read(self) -> StudySpec:
        for key in self.data:
            if key not in _KEYS:
                close = get_close_matches(str(key), _KEYS, 1)
                self.error(str(key), "is not a section of a study." + (f" Did you mean {close[0]}?" if close else ""))
        name, objective = self.attempt(self.name), self.attempt(self.objective)
        out: dict[str, Any] = dict(
            name=name,
            objective=objective,
            space=self.attempt(self.space),
            objectives=self.attempt(self.read_objectives),
            outcome_constraints=self.attempt(self.read_outcome_constraints),
            **(self.attempt(self.budget) or {}),
            workers=self.attempt(lambda: self.whole("workers", 1, 1, MAX_WORKERS)),
            seed=self.attempt(lambda: self.whole("seed", 0, 0, 2**53)),
            settings=self.attempt(self.settings),
            trial_timeout=self.attempt(lambda: self.positive("trial_timeout", self.data.get("trial_timeout", 600.0))),
            max_attempts=self.attempt(lambda: self.whole("max_attempts", 3, 1, 100)),
            tags=self.attempt(self.tags),
            notes=str(self.data.get("notes") or ""),
            optimizer=self.attempt(self.optimizer),
        )
        if not self.errors:
            self.attempt(lambda: _check_options(out["optimizer"], out["objectives"]))
        if self.errors:
            raise InvalidStudy(self.errors)
        return StudySpec(**out)

    def error(self, field: str, problem: str) -> None:
        self.errors.append(InvalidInput(field, problem))

    def attempt(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except InvalidStudy as error:
            self.errors.extend(error.errors)
        except InvalidInput as error:
            self.errors.append(error)
        except TunedeskError as error:
            self.errors.append(InvalidInput("", str(error)))
        return None

    def name(self) -> str:
        name = self.data.get("name")
        if not isinstance(name, str) or not name.strip():
            raise InvalidInput("name", "is missing: give the study a name.")
        if len(name) > 200 or any(ord(c) < 32 for c in name):
            raise InvalidInput("name", "may have 200 characters, without line breaks.")
        return name.strip()

    def objective(self) -> str:
        path: Any = self.data.get("objective")
        if path == "manual":
            return path
        try:
            objectives.check_allowed(path)
        except NotAllowed as error:
            raise InvalidInput("objective", str(error)) from None
        self.entry = objectives.find(path)
        return path

    def space(self) -> SearchSpace:
        if "parameters" not in self.data and self.entry is not None:
            if self.data.get("constraints") is None:
                return self.entry.space
            return SearchSpace.from_dict({**self.entry.space.to_dict(), "constraints": self.data["constraints"]})
        space = SearchSpace.from_dict(self.data)
        if self.entry is not None:
            for name in space.names:
                self.attempt(functools.partial(self.entry.check_parameter, name))
        return space

    def read_objectives(self) -> tuple[Objective, ...]:
        entries = self.data.get("objectives")
        if entries is None:
            return self.entry.objectives if self.entry else (Objective(),)
        if not isinstance(entries, (list, tuple)) or not entries:
            raise InvalidInput("objectives", "must be a list such as [{name: sharpe, direction: maximize}].")
        out = []
        for item in entries:
            if not isinstance(item, Mapping) or not set(item) <= {"name", "direction"} or "name" not in item:
                raise InvalidInput("objectives", f"{item!r} must be of the form {{name: sharpe, direction: maximize}}.")
            out.append(Objective(item["name"], item.get("direction", "minimize")))
        names = [o.name for o in out]
        for name in names:
            if names.count(name) > 1:
                raise InvalidInput("objectives", f"{name} stands twice.")
            self.known_outcome("objectives", name)
        return tuple(out)

    def read_outcome_constraints(self) -> tuple[OutcomeConstraint, ...]:
        texts = self.data.get("outcome_constraints")
        if texts is None:
            texts = self.entry.outcome_constraints if self.entry and "objectives" not in self.data else ()
        if isinstance(texts, str) or not isinstance(texts, (list, tuple)):
            raise InvalidInput("outcome_constraints", "must be a list such as ['max_drawdown <= 0.35'].")
        out = tuple(OutcomeConstraint.parse(text) for text in texts)
        for constraint in out:
            self.known_outcome("outcome_constraints", constraint.name)
        return out

    def known_outcome(self, field: str, name: str) -> None:
        if self.entry and self.entry.outcomes and name not in self.entry.outcomes:
            raise InvalidInput(
                field, f"{self.entry.slug} doesn't report {name}; it reports {', '.join(self.entry.outcomes)}."
            )

    def budget(self) -> dict[str, Any]:
        budget = self.data.get("budget", {"trials": 50})
        if not isinstance(budget, Mapping) or not budget:
            raise InvalidInput("budget", "must be a mapping such as {trials: 60}.")
        unknown = sorted(map(str, set(budget) - {"trials", "seconds"}))
        if unknown:
            raise InvalidInput(f"budget.{unknown[0]}", "is not known; a budget has trials and seconds.")
        trials = budget.get("trials", MAX_TRIALS if "seconds" in budget else 50)
        seconds = budget.get("seconds")
        return {
            "budget_trials": _whole("budget.trials", trials, 1, MAX_TRIALS),
            "budget_seconds": None if seconds is None else self.positive("budget.seconds", seconds),
        }

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        return _whole(key, self.data.get(key, default), low, high)

    def positive(self, field: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _MAX_SECONDS:
            raise InvalidInput(field, f"must be a number of seconds above 0 and below 100 years, not {value!r}.")
        return float(value)

    def settings(self) -> dict[str, Any]:
        given = self.data.get("settings") or {}
        if not isinstance(given, Mapping):
            raise InvalidInput("settings", "must be a mapping such as {market: wti}.")
        if self.entry is None:
            return dict(given)
        known = {s.name: s for s in self.entry.settings}
        for name in given:
            if name not in known:
                raise InvalidInput(
                    f"settings.{name}", f"is not known; this objective takes {', '.join(known) or 'none'}."
                )
        return {name: known[name].check(given.get(name, known[name].default)) for name in known}

    def tags(self) -> tuple[str, ...]:
        tags = self.data.get("tags") or ()
        if isinstance(tags, str) or not isinstance(tags, (list, tuple)) or not all(isinstance(t, str) for t in tags):
            raise InvalidInput("tags", "must be a list of words.")
        return tuple(dict.fromkeys(t.strip() for t in tags if t.strip()))

    def optimizer(self) -> dict[str, Any]:
        options = self.data.get("optimizer") or {}
        if not isinstance(options, Mapping):
            raise InvalidInput("optimizer", "must be a mapping of options.")
        return _check_options(options)


def _check_options(options: Mapping[str, Any], objectives: Sequence[Objective] | None = None) -> dict[str, Any]:
    from engine.optimizer import check_options  # on use: it brings scipy, which reading a study doesn't need otherwise

    return check_options(options, objectives)


def _whole(field: str, value: Any, low: int, high: int) -> int:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not low <= value <= high or value != int(value):  # a range would be searched for 1.5
        raise InvalidInput(field, f"must be a whole number from {low} to {high}, not {value!r}.")
    return int(value)
