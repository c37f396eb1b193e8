"""How a ramp is run: stages, dwell, and the gates between its steps. Pure.

A gate looks at one metric that was reported while the step's values were live. It passes, it fails, or it is
inconclusive: too few reports, or a value between the two limits. Inconclusive never goes on by itself.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import InvalidInput
from engine.governance.ramps import MAX_STEPS
from engine.space import OutcomeConstraint

Judgement = Literal["pass", "fail", "inconclusive"]
MAX_DWELL = 30 * 86400.0
_STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": statistics.fmean, "median": statistics.median, "min": min, "max": max, "last": lambda values: values[-1],
}  # fmt: skip


@dataclass(frozen=True)
class Gate:
    """``passes`` and ``fails`` are limits on the same metric; without ``fails`` whatever doesn't pass fails.

    statistic: of the values reported in the step. min_count: fewer reports are inconclusive.
    """

    passes: OutcomeConstraint
    fails: OutcomeConstraint | None = None
    statistic: str = "mean"
    min_count: int = 1

    @property
    def metric(self) -> str:
        return self.passes.name

    def judge(self, values: Sequence[float]) -> tuple[Judgement, str]:
        """The judgement and a sentence."""
        if len(values) < self.min_count:
            got = f"{len(values)} of {self.min_count} reports"
            return "inconclusive", f"{self.metric}: {got} since the step began."
        value = _STATISTICS[self.statistic](values)
        said = f"{self.statistic} of {self.metric} is {value:.6g} in {len(values)} reports"
        if self.fails is not None and self.fails.slack(value) >= 0:
            return "fail", f"{said}: fails by {self.fails.text}."
        if self.passes.slack(value) >= 0:
            return "pass", f"{said}: passes by {self.passes.text}."
        if self.fails is None:
            return "fail", f"{said}: {self.passes.text} is asked for."
        return "inconclusive", f"{said}: between {self.passes.text} and {self.fails.text}."

    def to_dict(self) -> dict[str, Any]:
        fails = None if self.fails is None else self.fails.text
        return {"pass": self.passes.text, "fail": fails, "statistic": self.statistic, "min_count": self.min_count}


@dataclass(frozen=True)
class RampOptions:
    """stages: steps that are wished. dwell: seconds at each step, or the parameters' own where that is longer."""

    stages: int = 1
    dwell: float = 0.0
    gates: tuple[Gate, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"stages": self.stages, "dwell": self.dwell, "gates": [gate.to_dict() for gate in self.gates]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> RampOptions:
        """{"stages": 5, "dwell": 3600, "gates": [{"pass": "drawdown <= 0.05", "fail": "drawdown >= 0.1"}]}.

        Raises InvalidInput naming the field.
        """
        data = data or {}
        if not isinstance(data, Mapping) or not set(data) <= {"stages", "dwell", "gates"}:
            raise InvalidInput("ramp", "may set stages, dwell and gates.")
        gates = data.get("gates") or ()
        if isinstance(gates, (str, Mapping)) or not isinstance(gates, Sequence):
            raise InvalidInput("ramp.gates", "must be a list of gates.")
        stages = _whole("ramp.stages", data.get("stages", 1), MAX_STEPS)
        dwell = data.get("dwell", 0.0)
        if isinstance(dwell, bool) or not isinstance(dwell, (int, float)) or not 0 <= dwell <= MAX_DWELL:
            raise InvalidInput("ramp.dwell", f"must be 0 to {MAX_DWELL:.0f} seconds, not {dwell!r}.")
        return cls(stages, float(dwell), tuple(_gate(f"ramp.gates[{i}]", gate) for i, gate in enumerate(gates)))


def judge(gates: Sequence[Gate], reported: Mapping[str, Sequence[float]]) -> tuple[Judgement, list[str]]:
    """All gates together: one that fails decides, then one that is inconclusive. No gates pass."""
    single = [gate.judge(reported.get(gate.metric, ())) for gate in gates]
    verdicts = {verdict for verdict, _ in single}
    together: Judgement = "fail" if "fail" in verdicts else "inconclusive" if "inconclusive" in verdicts else "pass"
    return together, [sentence for verdict, sentence in single if verdict == together]


def _gate(where: str, data: Any) -> Gate:
    if isinstance(data, Gate):
        return data
    if not isinstance(data, Mapping) or not set(data) <= {"pass", "fail", "statistic", "min_count"}:
        raise InvalidInput(where, "may set pass, fail, statistic and min_count.")
    try:
        passes = OutcomeConstraint.parse(data.get("pass", ""))
        fails = None if data.get("fail") is None else OutcomeConstraint.parse(data["fail"])
    except InvalidInput as error:
        raise InvalidInput(where, error.problem) from None
    if fails is not None and fails.name != passes.name:
        raise InvalidInput(where, f"pass and fail look at two metrics, {passes.name} and {fails.name}.")
    if fails is not None and fails.upper == passes.upper:
        raise InvalidInput(where, "pass and fail point the same way: one is <=, the other >=.")
    statistic = data.get("statistic", "mean")
    if statistic not in _STATISTICS:
        raise InvalidInput(f"{where}.statistic", f"must be one of {', '.join(_STATISTICS)}, not {statistic!r}.")
    return Gate(passes, fails, statistic, _whole(f"{where}.min_count", data.get("min_count", 1), 1_000_000))


def _whole(field: str, value: Any, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value not in range(1, high + 1):
        raise InvalidInput(field, f"must be a whole number from 1 to {high}, not {value!r}.")
    return int(value)


def finite(name: str, value: Any) -> float:
    """A reported metric. Raises InvalidInput for NaN and infinity: a gate must not judge on them."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InvalidInput(f"metrics.{name}", f"must be a finite number, not {value!r}.")
    return float(value)
