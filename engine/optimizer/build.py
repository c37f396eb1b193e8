"""From the history to a Surrogate: by fitting, or from a record without fitting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import InvalidInput
from engine.optimizer.domains import columns_of
from engine.optimizer.history import STATES, History
from engine.optimizer.models import Fitter, OutcomeModel, Spec
from engine.optimizer.options import Options
from engine.optimizer.plan import MOST_BOXES, Plan
from engine.optimizer.surrogate import SUCCESS, Surrogate
from engine.space import Objective, OutcomeConstraint, SearchSpace
from engine.surrogate.priors import Prior
from engine.surrogate.threads import one_blas_thread

RECORD_VERSION = 1
_KERNEL = "matern52+matern52"
# Labels of success are clear: little noise; a border is a jump, which main effects and short lengthscales overfit.
_SUCCESS = (Spec("none", "matern52", Prior(lengthscale=0.3, lengthscale_floor=0.15, noise=1e-2, noise_sd=0.5)),)
_PLAIN = (Spec("identity", _KERNEL),)
_PRIOR = Prior(scale=6.0)
SPECS = tuple(Spec(transform, _KERNEL, _PRIOR) for transform in ("identity", "yeo-johnson", "log"))


class Modeller:
    """Fits all outcomes of one study, remembering what warm starts need."""

    def __init__(self, space: SearchSpace, options: Options) -> None:
        self.columns = columns_of(space)
        self._options = options
        self._specs = [s for s in SPECS if options.transform in ("auto", s.transform)]
        self._fitters: dict[str, Fitter] = {}

    def fit(self, history: History) -> list[OutcomeModel]:
        """Models of objectives and outcome constraints (where a trial completed), and of success (where one didn't)."""
        models: list[OutcomeModel] = []
        X, complete = history.X, history.complete
        with one_blas_thread():
            if len(complete):
                for name in history.names:
                    objective = next((o for o in history.objectives if o.name == name), None)
                    sign = objective.sign if objective else 1.0
                    first = name == history.objectives[0].name
                    given = history.given_variances() if first else None
                    plain = self._plain(len(history.objectives)) and objective is not None
                    fitter = self._fitter(name, _PLAIN if plain else None)
                    output, posterior = fitter.fit(X[complete], sign * history.outcome(name), given)
                    role = "objective" if objective else "constraint"
                    models.append(OutcomeModel(name, role, sign, output, posterior))
            if history.some_failed:
                # Labels as they are, not standardised: far from all trials neither side is favoured.
                output, posterior = self._fitter(SUCCESS, _SUCCESS).fit(X, -success_labels(history))
                models.append(OutcomeModel(SUCCESS, "success", -1.0, output, posterior))
        return models

    def _plain(self, objectives: int) -> bool:
        """Whether objectives go unwarped: a hypervolume below a given reference, and weights, are meant in natural
        units. Without a reference nothing says what a unit is worth, and a warp spreads the front.
        """
        if objectives == 1 or self._options.transform != "auto":
            return False
        return self._options.reference is not None or self._options.acquisition == "parego" or objectives > MOST_BOXES

    def _fitter(self, name: str, specs: Sequence[Spec] | None = None) -> Fitter:
        if name not in self._fitters:
            self._fitters[name] = Fitter(self.columns, specs or self._specs)
        return self._fitters[name]


def success_labels(history: History) -> np.ndarray:
    """(n,) +1 where a trial completed, -1 where it failed or was infeasible."""
    return np.array([1.0 if s == "complete" else -1.0 for s in history.states])


def make_record(surrogate: Surrogate) -> dict[str, Any]:
    """JSON-able: everything that ``rebuild`` needs beside the finished trials."""
    variances = surrogate.history.given_variances()
    return {
        "version": RECORD_VERSION,
        "observations": len(surrogate.history),
        "models": [m.to_dict() for m in surrogate.models],
        "plan": surrogate.plan.to_dict(),
        "variances": None if variances is None else variances.tolist(),
    }


def rebuild(
    space: SearchSpace,
    objectives: Sequence[Objective],
    outcome_constraints: Sequence[OutcomeConstraint],
    finished: Sequence[tuple[Mapping[str, Any], Mapping[str, float] | None, str]],
    record: Mapping[str, Any],
    pending: Sequence[Mapping[str, Any]] = (),
) -> Surrogate:
    """The surrogate as it stood when ``record`` was written, bit for bit, without fitting.

    finished: (params, values, state) in finished order; those beyond the record's observations are left out.
    Raises InvalidInput if the record is of another version or of more trials than there are.
    """
    if record.get("version") != RECORD_VERSION:
        raise InvalidInput("record", f"is of version {record.get('version')!r}, this engine reads {RECORD_VERSION}.")
    n = record["observations"]
    if n > len(finished):
        raise InvalidInput("record", f"stands on {n} finished trials, but there are {len(finished)}.")
    history = History(space, objectives, outcome_constraints)
    for number, (params, values, state) in enumerate(finished[:n]):
        if state not in STATES:
            raise InvalidInput("state", f"{state!r} is not one of {', '.join(STATES)}.")
        history.add(dict(params), state, values, number)
    variances = None if record["variances"] is None else np.array(record["variances"])
    columns = columns_of(space)
    models = []
    with one_blas_thread():
        for entry in record["models"]:
            first = entry["name"] == history.objectives[0].name
            if entry["role"] == "success":
                X, y = history.X, success_labels(history)
            else:
                X, y = history.X[history.complete], history.outcome(entry["name"])
            models.append(OutcomeModel.from_dict(entry, X, y, columns, variances if first else None))
        rows = space.encode(list(pending)).reshape(-1, len(space))
        return Surrogate(history, models, rows, Plan.from_dict(record["plan"]))
