"""The search space: parameters, when each is active, the constraints between them, and the unit cube.

Arrays X have shape (n, d): a row a configuration, a column a parameter, NaN where it is inactive. A configuration
as users see it is a dict of native Python values without the inactive parameters.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from engine.errors import InvalidInput
from engine.space.constraints import Constraint
from engine.space.parameters import Categorical, Float, Int, Parameter
from engine.space.sampling import find_feasible, sample_feasible

Params = dict[str, Any]
ENUMERATION_LIMIT = 20_000
"""A finite space up to this size is enumerated: constraints are then exact and exhaustion is known."""


class SearchSpace:
    """An ordered set of parameters with conditions and known constraints.

    Raises InvalidInput, naming the field, if it is empty, a name stands twice, a condition or a constraint names
    nothing known, or no point satisfies the constraints. ``trusted`` skips the last, costly check: for a space that
    passed it before, such as a stored one.
    """

    def __init__(
        self, parameters: Sequence[Parameter], constraints: Sequence[str] = (), *, trusted: bool = False
    ) -> None:
        self.parameters: tuple[Parameter, ...] = tuple(parameters)
        if not self.parameters:
            raise InvalidInput("parameters", "the space is empty: add at least one parameter.")
        for p in self.parameters:
            if not isinstance(p, (Float, Int, Categorical)):
                raise InvalidInput("parameters", f"{p!r} is not a Float, an Int or a Categorical.")
        self.names: tuple[str, ...] = tuple(p.name for p in self.parameters)
        for name in self.names:
            if self.names.count(name) > 1:
                raise InvalidInput(f"parameters.{name}", "stands twice: give every parameter a name of its own.")
        self._column = {name: i for i, name in enumerate(self.names)}
        self._order = self._activation_order()
        if isinstance(constraints, str):
            constraints = [constraints]
        self.constraints: tuple[Constraint, ...] = tuple(Constraint(text, self.names) for text in constraints)
        if not trusted:
            self._check_satisfiable()

    # --- facts ------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)

    def __getitem__(self, name: str) -> Parameter:
        return self.parameters[self._column[name]]

    def __contains__(self, name: object) -> bool:
        return name in self._column

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchSpace) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.names, tuple(c.text for c in self.constraints)))

    def __repr__(self) -> str:
        return f"SearchSpace({list(self.parameters)!r}, constraints={[c.text for c in self.constraints]!r})"

    @property
    def conditional(self) -> bool:
        return any(p.when for p in self.parameters)

    @property
    def size(self) -> int | None:
        """Number of cells of a finite space before conditions and constraints; None if uncountable."""
        total = 1
        for p in self.parameters:
            if p.cardinality is None:
                return None
            total *= p.cardinality
        return total

    def column(self, name: str) -> int:
        return self._column[name]

    # --- between configurations and the unit cube --------------------------------------------------

    def encode(self, configurations: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Configurations -> X (n, d)."""
        X = np.full((len(configurations), len(self)), np.nan)
        for j, p in enumerate(self.parameters):
            rows = [i for i, c in enumerate(configurations) if p.name in c]
            if rows:
                X[rows, j] = p.encode([configurations[i][p.name] for i in rows])
        return X

    def decode(self, X: np.ndarray) -> list[Params]:
        """X (n, d) -> configurations of native Python values; inactive parameters are absent."""
        X = self.deactivate(np.atleast_2d(X))
        active = ~np.isnan(X)
        columns = [p.values(np.where(active[:, j], X[:, j], 0.5)) for j, p in enumerate(self.parameters)]
        return [
            {p.name: p.native(columns[j][i]) for j, p in enumerate(self.parameters) if active[i, j]}
            for i in range(len(X))
        ]

    def snap(self, X: np.ndarray) -> np.ndarray:
        """Moves integers, steps and categories to the centre of their cell, and sets inactive columns to NaN."""
        X = self.deactivate(np.array(np.atleast_2d(X), dtype=float))
        for j, p in enumerate(self.parameters):
            if p.cardinality is None:
                X[:, j] = np.clip(X[:, j], 0.0, 1.0)
                continue
            here = ~np.isnan(X[:, j])
            raw = p.values(X[here, j])
            X[here, j] = (raw + 0.5) / p.cardinality if isinstance(p, Categorical) else p.encode(raw)
        return X

    def deactivate(self, X: np.ndarray) -> np.ndarray:
        """X with NaN in the columns of parameters whose condition doesn't hold (a copy if anything changes)."""
        if not self.conditional:
            return X
        active = self.active(X)
        return np.where(active, X, np.nan)

    def active(self, X: np.ndarray) -> np.ndarray:
        """(n, d) booleans: which parameters are active at each row."""
        active = np.ones(X.shape, dtype=bool)
        for j in self._order:
            p = self.parameters[j]
            if not p.when:
                continue
            for parent, wanted in p.when.items():
                k = self._column[parent]
                values = self.parameters[k].values(_filled(X[:, k]))
                holds = np.isin(values, self._raw(parent, wanted)) & active[:, k]
                active[:, j] &= holds
        return active

    def values(self, X: np.ndarray, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        """Decoded columns (default: all) as constraints see them: numbers, or the choices themselves (objects)."""
        out: dict[str, np.ndarray] = {}
        for name in self.names if names is None else names:
            p = self[name]
            raw = p.values(_filled(X[:, self._column[name]]))
            out[p.name] = np.array(p.choices, dtype=object)[raw.astype(int)] if isinstance(p, Categorical) else raw
        return out

    def key(self, params: Mapping[str, Any]) -> tuple:
        """Identity of a decoded configuration: equal keys are the same experiment."""
        out: list[float | None] = []
        for p in self.parameters:
            if p.name not in params:
                out.append(None)
            elif isinstance(p, Categorical):
                out.append(p.index(params[p.name]))
            else:
                out.append(float(f"{params[p.name]:.12g}"))
        return tuple(out)

    # --- constraints ----------------------------------------------------------------------------------

    def violation(self, X: np.ndarray) -> np.ndarray:
        """Summed violation of the known constraints at decoded rows of X: (n,), 0 where all hold.

        A constraint on a parameter that is inactive at a row holds there.
        """
        total = np.zeros(len(X))
        if self.constraints:
            values = self.values(X, frozenset[str]().union(*(c.names for c in self.constraints)))
            active = self.active(X) if self.conditional else None
            for constraint in self.constraints:
                violation = constraint.violation(values)
                if active is not None:
                    columns = [self._column[n] for n in constraint.names]
                    violation = np.where(active[:, columns].all(axis=1), violation, 0.0)
                total += violation
        return total

    def feasible(self, X: np.ndarray) -> np.ndarray:
        """(n,) booleans: which rows satisfy every known constraint once decoded."""
        return self.violation(X) <= 0

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """n feasible, snapped rows, uniform in the unit cube given the constraints. Raises InvalidInput if it can't."""
        return sample_feasible(self, n, rng)

    def enumerate(self) -> np.ndarray | None:
        """All distinct feasible rows of a space of at most ENUMERATION_LIMIT cells; None if it is larger."""
        if self.size is None or self.size > ENUMERATION_LIMIT:
            return None
        columns = [(np.arange(p.cardinality) + 0.5) / p.cardinality if isinstance(p, Categorical)
                   else p.encode(self._all_values(p)) for p in self.parameters]  # fmt: skip
        X = self.deactivate(np.array(list(itertools.product(*columns))))
        if self.conditional:
            # NaN differs from NaN to unique, so inactive entries stand as -1 in the comparison.
            X = X[np.sort(np.unique(np.nan_to_num(X, nan=-1.0), axis=0, return_index=True)[1])]
        return X[self.feasible(X)]

    # --- checks of a single configuration ---------------------------------------------------------------

    def check(self, params: Mapping[str, Any]) -> Params:
        """The configuration with native values; raises InvalidInput naming what is missing, unknown, out of range."""
        for name in params:
            if name not in self._column:
                close = get_close_matches(str(name), self.names, 1)
                raise InvalidInput(
                    str(name), "is not a parameter of this space." + (f" Did you mean {close[0]}?" if close else "")
                )
        out: Params = {}
        for j in self._order:
            p = self.parameters[j]
            active = all(parent in out and out[parent] in wanted for parent, wanted in (p.when or {}).items())
            if active and p.name not in params:
                raise InvalidInput(p.name, "has no value.")
            if not active and p.name in params:
                raise InvalidInput(p.name, f"is inactive here: it needs {_show_condition(p.when)}.")
            if active:
                out[p.name] = p.check(params[p.name])
        out = {name: out[name] for name in self.names if name in out}
        row = self.encode([out])
        for constraint in self.constraints:
            if constraint.names <= out.keys() and constraint.violation(self.values(row))[0] > 0:
                raise InvalidInput("constraints", f"this point breaks {constraint.text}.")
        return out

    # --- study files --------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The ``parameters`` and ``constraints`` sections of a study file."""
        from engine.space.serialise import parameter_to_dict

        return {
            "parameters": {p.name: parameter_to_dict(p) for p in self.parameters},
            "constraints": [c.text for c in self.constraints],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SearchSpace:
        """Inverse of ``to_dict``; raises InvalidStudy with every parameter that is wrong, or InvalidInput."""
        from engine.space.serialise import space_from_dict

        return space_from_dict(data)

    # --- inside ---------------------------------------------------------------------------------------------

    def _all_values(self, p: Float | Int) -> np.ndarray:
        assert p.cardinality is not None
        step = p.step if p.step is not None else 1
        return np.minimum(p.low + np.arange(p.cardinality) * step, p.high)

    def _raw(self, name: str, wanted: Sequence[Any]) -> list[float]:
        p = self[name]
        return [float(p.index(v)) if isinstance(p, Categorical) else float(v) for v in wanted]

    def _activation_order(self) -> list[int]:
        """Columns, parents before children. Raises on unknown parents, impossible values and cycles."""
        for p in self.parameters:
            for parent, wanted in (p.when or {}).items():
                field = f"parameters.{p.name}.when"
                if parent not in self._column:
                    raise InvalidInput(field, f"{parent} is not a parameter.")
                if isinstance(self[parent], Float):
                    raise InvalidInput(field, f"{parent} is a float: a condition needs a categorical or an int.")
                for value in wanted:
                    try:
                        self[parent].check(value)
                    except InvalidInput as error:
                        raise InvalidInput(field, f"{parent} can never be {value!r}: {error.problem}") from None
        order: list[int] = []
        placed: set[str] = set()
        while len(order) < len(self.parameters):
            ready = [j for j, p in enumerate(self.parameters) if p.name not in placed and set(p.when or {}) <= placed]
            if not ready:
                stuck = ", ".join(n for n in self.names if n not in placed)
                raise InvalidInput("parameters", f"the conditions of {stuck} go round in a circle.")
            order += ready
            placed |= {self.names[j] for j in ready}
        return order

    def _check_satisfiable(self) -> None:
        if not self.constraints:
            return
        rows = self.enumerate()
        found = len(rows) > 0 if rows is not None else find_feasible(self) is not None
        if not found:
            texts = ", ".join(c.text for c in self.constraints)
            raise InvalidInput(
                "constraints", f"no point of the space satisfies {texts}. Widen the bounds or drop a constraint."
            )


def _filled(column: np.ndarray) -> np.ndarray:
    """A column with the middle of the cube where it is inactive."""
    return np.where(np.isnan(column), 0.5, column)


def _show_condition(when: Mapping[str, Any] | None) -> str:
    return " and ".join(f"{k} = {' or '.join(map(str, v))}" for k, v in (when or {}).items())
