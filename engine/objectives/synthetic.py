"""Test functions with a known best value: to see an optimizer work, and to test everything around it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.objectives.catalogue import ObjectiveEntry, Setting, read_arguments
from engine.objectives.context import Context, Infeasible
from engine.space import Categorical, Float, Int, Objective, SearchSpace

BRANIN = ObjectiveEntry(
    path="engine.objectives.synthetic:branin",
    title="Branin",
    summary=(
        "A smooth valley in two dimensions with three equal minima, 0.397887 at (-pi, 12.275), (pi, 2.275) and "
        "(9.42478, 2.475). Its surface is known, so the surrogate can be judged by eye."
    ),
    area="synthetic",
    space=SearchSpace([Float("x", -5.0, 10.0), Float("y", 0.0, 15.0)]),
    objectives=(Objective("value", "minimize"),),
    defaults={"x": 2.5, "y": 7.5},
    outcomes={"value": "Branin function, at best 0.397887"},
)

_HARTMANN_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)
_HARTMANN_C = np.array([1.0, 1.2, 3.0, 3.2])

HARTMANN6 = ObjectiveEntry(
    path="engine.objectives.synthetic:hartmann6",
    title="Hartmann, six dimensions",
    summary="Six local minima on the unit cube; the best, -3.32237, is at (0.202, 0.150, 0.477, 0.275, 0.312, 0.657).",
    area="synthetic",
    space=SearchSpace([Float(f"x{i}", 0.0, 1.0) for i in range(1, 7)]),
    objectives=(Objective("value", "minimize"),),
    defaults={f"x{i}": 0.5 for i in range(1, 7)},
    outcomes={"value": "Hartmann function, at best -3.32237"},
)

SLOW_NOISY_BOWL = ObjectiveEntry(
    path="engine.objectives.synthetic:slow_noisy_bowl",
    title="Slow noisy bowl",
    summary=(
        "A quadratic bowl, 0 at x = 2, y = -1, that takes its time, adds noise, reports a falling curve and, if asked "
        "to, fails: for trying out workers, early stopping, retries and failed trials."
    ),
    area="synthetic",
    space=SearchSpace([Float("x", -5.0, 5.0), Float("y", -5.0, 5.0)]),
    objectives=(Objective("value", "minimize"),),
    defaults={"x": 0.0, "y": 0.0},
    settings=(
        Setting("seconds", 1.0, "How long an evaluation sleeps.", low=0, high=86_400),
        Setting("noise", 0.1, "Standard deviation of the noise on the value.", low=0, high=1e6),
        Setting("steps", 10, "Points of the curve that it reports.", low=1, high=100_000),
        Setting("failure_share", 0.0, "Share of the evaluations that raise an error.", low=0, high=1),
        Setting("infeasible_share", 0.0, "Share of the square, at its left edge, that is infeasible.", low=0, high=1),
    ),
    outcomes={"value": "(x - 2)^2 + (y + 1)^2 plus noise", "noiseless": "The same without the noise"},
)

CONDITIONAL_WELLS = ObjectiveEntry(
    path="engine.objectives.synthetic:conditional_wells",
    title="Conditional wells",
    summary=(
        "A choice that decides which other parameters exist. bowl: at best 1 at centre = 0.3. comb: teeth, and a "
        "depth that only exists from 3 teeth on; the best of all is 0 at teeth = 5, depth = 0.1."
    ),
    area="synthetic",
    space=SearchSpace(
        [
            Categorical("shape", ("bowl", "comb")),
            Float("centre", -1.0, 1.0, when={"shape": "bowl"}),
            Int("teeth", 1, 8, when={"shape": "comb"}),
            Float("depth", 0.001, 10.0, log=True, when={"teeth": [3, 4, 5, 6, 7, 8]}),
        ]
    ),
    objectives=(Objective("value", "minimize"),),
    defaults={"shape": "bowl", "centre": 0.0},
    outcomes={"value": "At best 0"},
)


def branin(params: Mapping[str, Any], context: Context | None = None) -> float:
    """Branin's function (Dixon & Szegő 1978) on [-5, 10] x [0, 15]."""
    values, _ = read_arguments(BRANIN, params, context)
    x, y = values["x"], values["y"]
    valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def hartmann6(params: Mapping[str, Any], context: Context | None = None) -> float:
    """Hartmann's six-dimensional function (Dixon & Szegő 1978) on the unit cube."""
    values, _ = read_arguments(HARTMANN6, params, context)
    x = np.array([values[f"x{i}"] for i in range(1, 7)])
    return -float(_HARTMANN_C @ np.exp(-(_HARTMANN_A * (x - _HARTMANN_P) ** 2).sum(axis=1)))


def slow_noisy_bowl(params: Mapping[str, Any], context: Context | None = None) -> dict[str, float]:
    """The noise and the failures depend on the context's seed alone."""
    context = context or Context()
    values, settings = read_arguments(SLOW_NOISY_BOWL, params, context)
    if (values["x"] + 5) / 10 < settings["infeasible_share"]:
        raise Infeasible(f"x = {values['x']:g} lies in the infeasible part of the square.")
    rng = np.random.default_rng(context.seed)
    noiseless = (values["x"] - 2) ** 2 + (values["y"] + 1) ** 2
    value = noiseless + settings["noise"] * float(rng.standard_normal())
    fails = rng.random() < settings["failure_share"]
    for step in range(1, settings["steps"] + 1):
        time.sleep(settings["seconds"] / settings["steps"])
        if fails and 2 * step > settings["steps"]:
            raise RuntimeError("this evaluation was asked to fail (setting failure_share)")
        context.report(step, value + (1 + noiseless) * (1 / step - 1 / settings["steps"]))
    return {"value": value, "noiseless": noiseless}


def conditional_wells(params: Mapping[str, Any], context: Context | None = None) -> float:
    """A function on a conditional space; parameters that are inactive must be absent."""
    values, _ = read_arguments(CONDITIONAL_WELLS, params, context)
    if values["shape"] == "bowl":
        return 1 + (values["centre"] - 0.3) ** 2
    teeth = (values["teeth"] - 5) ** 2 / 4
    return teeth + (math.log10(values["depth"]) + 1) ** 2 / 4 if values["teeth"] >= 3 else teeth


ENTRIES = (BRANIN, HARTMANN6, SLOW_NOISY_BOWL, CONDITIONAL_WELLS)
