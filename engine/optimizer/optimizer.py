"""Ask and tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import InvalidInput, SpaceExhausted
from engine.optimizer.build import Modeller, make_record
from engine.optimizer.design import design
from engine.optimizer.history import History
from engine.optimizer.models import OutcomeModel
from engine.optimizer.options import Options
from engine.optimizer.plan import Planner, check_options
from engine.optimizer.reasons import candidate, design_reason, model_reason
from engine.optimizer.search import Searcher
from engine.optimizer.suggestion import Best, Suggestion
from engine.optimizer.surrogate import NOISELESS, Surrogate, incumbent_position
from engine.space import Objective, OutcomeConstraint, SearchSpace
from engine.surrogate.threads import one_blas_thread

_MIN_OBSERVATIONS = 2  # complete trials before a model of the objective is worth following
_SHOWN = 5  # candidates that are kept for the dashboard


class Optimizer:
    """Bayesian optimization of a search space by ask and tell.

    objectives: default one called "value", minimised. outcome_constraints: OutcomeConstraints or their text. options:
    see ``check_options``. The state is a pure function of these arguments and the sequence of tell, fail, abandon and
    add_pending calls: the same calls give the same suggestions, bit for bit, however often the process restarts
    between. Raises InvalidInput.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective] | None = None,
        seed: int = 0,
        outcome_constraints: Sequence[OutcomeConstraint | str] = (),
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.space = space
        self.objectives = tuple(objectives) if objectives else (Objective(),)
        self.outcome_constraints = tuple(
            OutcomeConstraint.parse(c) if isinstance(c, str) else c for c in outcome_constraints
        )
        names = [o.name for o in self.objectives]
        if len(set(names)) < len(names):
            raise InvalidInput("objectives", "two objectives have the same name.")
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise InvalidInput("seed", f"must be a whole number from 0, not {seed!r}.")
        self.seed = int(seed)
        self.options = Options(**check_options(options))
        self._planner = Planner(self.options, self.objectives, self.seed)
        self.number = 0
        self._initial = self.options.initial_trials(len(space))
        self._history = History(space, self.objectives, self.outcome_constraints)
        self._pending: dict[int, Suggestion] = {}
        self._seen: set[tuple] = set()
        self._modeller = Modeller(space, self.options)
        self._searcher = Searcher(space)
        self._fitted: tuple[int, list[OutcomeModel]] = (-1, [])
        self._nominated: list[np.ndarray] = []  # by the members of a portfolio, for each finished suggestion
        self._last: Surrogate | None = None
        self._candidates: list[dict[str, Any]] = []

    # --- ask --------------------------------------------------------------------------------------------

    def ask(self, n: int = 1) -> list[Suggestion]:
        """Exactly n new suggestions, pending from now on.

        Raises SpaceExhausted, and suggests nothing, if a finite space has fewer untried configurations.
        """
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise InvalidInput("n", f"must be a whole number from 1, not {n!r}.")
        left = self._searcher.untried(self._seen)
        if left is not None and left < n:
            raise SpaceExhausted(
                f"The space has {left} untried configurations and {n} were asked for: "
                + ("every one has been tried or is running." if left == 0 else f"ask for {left}, or widen the space.")
            )
        before = self.number
        out: list[Suggestion] = []
        try:
            for _ in range(n):
                out.append(self._suggest())
        except SpaceExhausted:
            for s in out:
                self._seen.discard(self.space.key(s.params))
                del self._pending[s.number]
            self.number = before
            raise
        return out

    def _suggest(self) -> Suggestion:
        number = self.number
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, number]))
        with one_blas_thread():
            if self._needs_design(number):
                row = self._design_row(number, rng)
                params, origin = self.space.decode(row[None])[0], "design"
                reason = design_reason(number, self._initial)
                self._candidates = []
            else:
                surrogate = self._surrogate()
                nominated = np.array(self._nominated) if self._nominated else None
                found = self._searcher.propose(surrogate, rng, self._seen, _SHOWN, nominated)
                decoded = self.space.decode(found.rows)
                params, origin = decoded[0], "model"
                reason = model_reason(surrogate, found.rows[0], found.values[0], found.acquisition)
                if found.nominees is not None:
                    reason["nominees"] = self.space.decode(found.nominees)
                self._candidates = [candidate(surrogate, *entry) for entry in zip(found.rows, found.values, decoded)]
                self._last = surrogate
        return self._register(Suggestion(number, params, origin, reason))

    def _needs_design(self, number: int) -> bool:
        complete = len(self._history.complete)
        if len(self._history) and not complete and len(self._history) >= self._initial:
            return False  # all failed so far: learn where trials succeed
        return number < self._initial or complete < _MIN_OBSERVATIONS

    def _design_row(self, number: int, rng: np.random.Generator) -> np.ndarray:
        rows = design(self.space, max(self._initial, number + 1), self.seed)
        for row in rows[number:]:
            if self.space.key(self.space.decode(row[None])[0]) not in self._seen:
                return row
        return self._searcher.random(rng, self._seen)

    # --- tell -------------------------------------------------------------------------------------------

    def tell(
        self,
        suggestion: Suggestion | Mapping[str, Any],
        value: float | Sequence[float] | Mapping[str, float],
        variance: float | None = None,
        constraints: Mapping[str, float] | None = None,
    ) -> None:
        """The outcome of a suggestion, or of a configuration that nobody asked for.

        value: a number, a sequence in the order of the objectives, or a mapping by name, which may hold the outcome
        constraints too. variance: known noise variance of the first objective. Raises InvalidInput and changes nothing.
        """
        values = self._values(value, constraints)
        if variance is not None and not (np.isfinite(variance) and variance >= 0):
            raise InvalidInput("variance", f"must be a finite number from 0, not {variance!r}.")
        number, params = self._identify(suggestion)
        self._history.add(params, "complete", values, number, None if variance is None else float(variance))
        self._settle(number, params)

    def fail(self, suggestion: Suggestion | Mapping[str, Any], reason: str = "", infeasible: bool = False) -> None:
        """The trial gave no value: it crashed, or (infeasible) it can't be run there. The model learns to keep away."""
        number, params = self._identify(suggestion)
        self._history.add(params, "infeasible" if infeasible else "failed", None, number)
        self._settle(number, params)

    def abandon(self, suggestion: Suggestion | Mapping[str, Any]) -> None:
        """No longer pending, teaches nothing, is never suggested again."""
        number, params = self._identify(suggestion)
        self._settle(number, params)

    def add_pending(
        self, number: int, params: Mapping[str, Any], origin: str = "model", reason: dict[str, Any] | None = None
    ) -> Suggestion:
        """A trial that runs already, as after a restart."""
        if number in self._pending:
            raise InvalidInput("number", f"trial {number} is pending already.")
        return self._register(Suggestion(int(number), self._accept(params), origin, dict(reason or {})))

    # --- what is known ----------------------------------------------------------------------------------

    @property
    def n_finished(self) -> int:
        """Trials that completed, failed or were infeasible."""
        return len(self._history)

    @property
    def pending(self) -> list[Suggestion]:
        return list(self._pending.values())

    @property
    def best(self) -> Best | None:
        """The incumbent of the first objective: under noise the best posterior mean. None before a feasible trial."""
        history = self._history
        if not len(history.complete):
            return None
        model = self._models()[0]
        with one_blas_thread():
            position = incumbent_position(history, model)
            if position is None:
                return None
            mean, std = model.natural(history.X[[position]])
        values = history.values[position]
        assert values is not None
        value = values[model.name] if model.noise_share < NOISELESS else float(mean[0])
        return Best(dict(history.params[position]), value, float(std[0]), history.numbers[position], dict(values))

    @property
    def front(self) -> list[Best]:
        """Feasible trials that none other is better than in every objective, by posterior means, from the best in the
        first objective on. With one objective, the incumbent alone."""
        if len(self.objectives) == 1:
            return [] if self.best is None else [self.best]
        surrogate = self.surrogate()
        if surrogate is None or not surrogate.has_objective:
            return []
        history, out = self._history, []
        with one_blas_thread():
            for position in surrogate.front():
                mean, std = surrogate.posterior(history.X[[position]])
                values = dict(history.values[position] or {})
                out.append(
                    Best(
                        dict(history.params[position]), float(mean[0]), float(std[0]), history.numbers[position], values
                    )
                )
        return out

    def predict(self, configurations: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the first objective at configurations (m): (m,), (m,), natural units.

        Raises InvalidInput before a trial has completed.
        """
        surrogate = self.surrogate()
        if surrogate is None or not surrogate.has_objective:
            raise InvalidInput("predict", "there is no completed trial to predict from yet.")
        return surrogate.posterior(self.space.encode([self._accept(c) for c in configurations]))

    def surrogate(self) -> Surrogate | None:
        """Models of the current state; None before a trial has finished."""
        if not len(self._history):
            return None
        if self._last is not None and len(self._last.history) == len(self._history):
            return self._last
        self._last = self._surrogate()
        return self._last

    def model_record(self) -> dict[str, Any] | None:
        """What ``rebuild`` needs beside the finished trials, JSON-able; None before a trial has finished."""
        surrogate = self.surrogate()
        return None if surrogate is None else make_record(surrogate)

    def candidates(self) -> list[dict[str, Any]]:
        """The best few candidates of the last suggestion by the model: params, acquisition, mean, std, p_feasible."""
        return [dict(c) for c in self._candidates]

    def preview(self) -> list[dict[str, Any]]:
        """The candidates that ``ask`` would choose from now, as ``candidates``; nothing is suggested or remembered.

        Empty before there is a model to follow and once a finite space is exhausted.
        """
        kept = self.number, self._candidates
        try:
            (suggestion,) = self.ask(1)
        except SpaceExhausted:
            return []
        shown = self.candidates()
        self._seen.discard(self.space.key(suggestion.params))
        del self._pending[suggestion.number]
        self.number, self._candidates = kept
        return shown

    # --- inside -----------------------------------------------------------------------------------------

    def _models(self) -> list[OutcomeModel]:
        n = len(self._history)
        if self._fitted[0] != n:
            self._fitted = n, self._modeller.fit(self._history)
        return self._fitted[1]

    def _surrogate(self) -> Surrogate:
        pending = self.space.encode([s.params for s in self._pending.values()]).reshape(-1, len(self.space))
        return Surrogate(self._history.snapshot(), self._models(), pending, self._planner.plan(self.number))

    def _register(self, suggestion: Suggestion) -> Suggestion:
        self._pending[suggestion.number] = suggestion
        self._seen.add(self.space.key(suggestion.params))
        self.number = max(self.number, suggestion.number + 1)
        return suggestion

    def _identify(self, suggestion: Suggestion | Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Number and checked configuration. A mapping that equals a pending suggestion is that suggestion."""
        if isinstance(suggestion, Suggestion):
            known = self._pending.get(suggestion.number)
            if known is not None and known.params == suggestion.params:
                return known.number, known.params
            return suggestion.number, self._accept(suggestion.params)
        params = self._accept(suggestion)
        key = self.space.key(params)
        for number, s in self._pending.items():
            if self.space.key(s.params) == key:
                return number, s.params
        return self.number, params

    def _settle(self, number: int, params: dict[str, Any]) -> None:
        suggestion = self._pending.pop(number, None)
        if suggestion is not None and "nominees" in suggestion.reason:
            self._nominated.append(self.space.encode([self._accept(p) for p in suggestion.reason["nominees"]]))
        self._seen.add(self.space.key(params))
        self.number = max(self.number, number + 1)

    def _accept(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """A checked configuration; one that breaks a known constraint is still data (the constraint may be newer)."""
        if not isinstance(params, Mapping):
            raise InvalidInput("params", f"must be a Suggestion or a mapping of parameters, not {params!r}.")
        try:
            return self.space.check(params)
        except InvalidInput as error:
            if error.field != "constraints":
                raise
            return {name: self.space[name].check(params[name]) for name in self.space.names if name in params}

    def _values(self, value: Any, constraints: Mapping[str, float] | None) -> dict[str, Any]:
        if isinstance(value, Mapping):
            values = dict(value)
        elif isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str):
            if len(value) != len(self.objectives):
                raise InvalidInput("value", f"has {len(value)} entries, there are {len(self.objectives)} objectives.")
            values = {o.name: v for o, v in zip(self.objectives, value)}
        elif len(self.objectives) > 1:
            raise InvalidInput("value", f"must give all {len(self.objectives)} objectives, as a list or by name.")
        else:
            values = {self.objectives[0].name: value}
        return values | dict(constraints or {})
