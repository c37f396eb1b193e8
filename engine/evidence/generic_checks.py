"""The sentences of the checks that hold for every objective: stability, repeated runs, limits, the model."""

from __future__ import annotations

from collections.abc import Sequence

from engine.evidence.generic import Comparison, Effect, LimitDistance, ModelTrust
from engine.evidence.stability import Extrapolation, Plateau, Robustness
from engine.evidence.verdict import Check, Gate, graded, missing


def plateau(gate: Gate, result: Plateau | None) -> Check:
    name, title = "plateau", "Plateau"
    if result is None:
        return missing(name, title, gate, "Evaluate the neighbours of the point, or its model.")
    where = "measured" if result.source == "runs" else "according to the model, not measured"
    failures = f" {result.failed} of them failed." if result.failed else ""
    sentence = (
        f"{title}: {result.neighbours} neighbours that differ in one parameter by 5 or 10 % of its range keep "
        f"{100 * result.ratio:.0f} % of the gain in the median and {100 * (1 - result.worst_decile_drop):.0f} % in "
        f"the worst "
        f"tenth ({where}); {100 * gate.plateau.green:.0f} % is asked for.{failures}"
    )
    return graded(name, title, gate, result.ratio, sentence)


def robustness(gate: Gate, result: Robustness | None) -> Check:
    name, title = "robustness", "Robustness"
    if result is None:
        return missing(name, title, gate, "There is no model of the objective.")
    if result.kept is None:
        sentence = (
            f"{title}: the model expects {result.mean:.4g} here, no better than the baseline {result.baseline:.4g}."
        )
        return graded(name, title, gate, 0.0, sentence)
    sentence = (
        f"{title}: if all parameters miss their values a little ({100 * result.size:.0f} % of the range), the model "
        f"expects "
        f"{result.expected:.4g} instead of {result.mean:.4g} ± {result.deviation:.2g}, and {result.worst_decile:.4g} "
        f"in the "
        f"worst tenth; {100 * result.kept:.0f} % of the gain is kept."
    )
    return graded(name, title, gate, result.kept, sentence)


def extrapolation(gate: Gate, result: Extrapolation | None) -> Check:
    name, title = "extrapolation", "Nearness to trials"
    if result is None:
        return missing(name, title, gate, "There is no model of the objective.")
    if result.distance is None:
        sentence = f"{title}: no trial had the same active parameters, so the model is guessing here."
        return Check(name, title, "amber", sentence, None, gate.extrapolation.green, None, gate.extrapolation.required)
    what = (
        "the model knows this region" if result.distance <= gate.extrapolation.green else "the model is guessing here"
    )
    sentence = f"{title}: the nearest trial is {result.distance:.2f} lengthscales away; {what}."
    return graded(name, title, gate, result.distance, sentence)


def replicates(gate: Gate, result: Comparison) -> Check:
    runs = min(result.candidate.runs, result.baseline.runs)
    sentence = (
        f"Repeated runs: {result.candidate.runs} of the candidate and {result.baseline.runs} of the baseline; "
        f"{gate.replicates.green:.0f} of each are asked for."
    )
    if result.candidate.deterministic and result.baseline.deterministic:
        sentence += " All runs gave the same value: the interval can't tell anything about other data."
    return graded("replicates", "Repeated runs", gate, runs, sentence)


def improvement(gate: Gate, result: Comparison) -> Check:
    """Green if the whole interval is above the threshold, amber if only its middle is."""
    title = "Improvement"
    least = gate.improvement.green
    sentence = (
        f"{title}: {result.candidate.mean:.4g} against {result.baseline.mean:.4g} for the baseline, better by "
        f"{result.improvement:.4g}, with {100 * result.level:.0f} % confidence between {result.low:.4g} and "
        f"{result.high:.4g}."
    )
    status = "green" if result.low > least else "amber" if result.improvement > gate.improvement.amber else "red"
    if status == "amber":
        sentence += " It may be chance."
    return graded("improvement", title, gate, result.improvement, sentence, status=status)  # type: ignore[arg-type]


def sensitivity(gate: Gate, effects: Sequence[Effect] | None) -> Check:
    name, title = "sensitivity", "Sensitivity"
    if not effects:
        return missing(name, title, gate, "Run the candidate with each parameter 10 % lower and higher.")
    failed = [effect.parameter for effect in effects if effect.relative_change is None]
    if failed:
        sentence = f"{title}: moving {', '.join(failed)} by 10 % makes the run fail."
        return Check(name, title, "red", sentence, None, gate.sensitivity.green, gate.sensitivity.amber, True)
    changes = {effect.parameter: effect.relative_change or 0.0 for effect in effects}
    worst = min(changes, key=lambda parameter: (changes[parameter], parameter))
    value = changes[worst]
    what = f"makes it worse by {-100 * value:.1f} %" if value < 0 else "does not make it worse"
    sentence = (
        f"{title}: of {len(changes)} parameters moved by 10 %, {worst} does the most harm: it {what}; "
        f"at most {-100 * gate.sensitivity.green:.0f} % is asked for."
    )
    return graded(name, title, gate, value, sentence)


def limits(gate: Gate, distances: Sequence[LimitDistance]) -> Check:
    name, title = "limits", "Limits"
    if not distances:
        return Check(
            name,
            title,
            "missing",
            f"{title}: none were set.",
            None,
            gate.limits.green,
            gate.limits.amber,
            required=False,
        )
    nearest = min(distances, key=lambda distance: (distance.probability, distance.name))
    sign = "at most" if nearest.upper else "at least"
    sentence = (
        f"{title}: {nearest.name} is {nearest.mean:.4g} with {sign} {nearest.limit:.4g} allowed, kept in "
        f"{nearest.kept} of "
        f"{nearest.runs} runs; the next run keeps it with {100 * nearest.probability:.0f} % probability."
    )
    status = "red" if nearest.slack < 0 else gate.limits.status(nearest.probability)
    return graded(name, title, gate, nearest.probability, sentence, status=status)


def model_trust(gate: Gate, result: ModelTrust | None) -> Check:
    name, title = "model_trust", "Model"
    if result is None:
        return missing(name, title, gate, "There is no model of the objective.")
    sentence = (
        f"{title}: {100 * result.coverage:.0f} % of {result.observations} trials lie in the 95 % interval that the "
        f"model "
        f"predicts without them; it explains {100 * max(0.0, result.r_squared):.0f} % of the variation."
    )
    return graded(name, title, gate, result.coverage, sentence)
