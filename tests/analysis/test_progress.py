"""Best so far, observations, finish time: also with no trial, one trial, failures and odd values."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine.analysis import duration_words, forecast, observations, progress
from engine.space import Objective
from tests.analysis import problems
from tests.analysis.problems import OBJECTIVE, SPACE, Trial


def test_the_best_line_is_the_running_best_of_feasible_trials():
    finished = problems.trials(80)
    found = progress(finished, OBJECTIVE, 80)
    feasible = [t for t in finished if t.feasible]
    running = np.maximum.accumulate([t.values["sharpe"] for t in feasible])
    improved = np.flatnonzero(np.diff(running, prepend=-np.inf) > 0)
    assert found.best_numbers.tolist() == [feasible[i].number for i in improved]
    assert found.best_value.tolist() == running[improved].tolist()
    assert len(found.unmeasured) == sum(t.state in ("failed", "infeasible") for t in finished)
    assert found.computed_on == "all 80 finished trials"


def test_the_line_survives_decimation_that_keeps_incumbents():
    finished = problems.trials(200)
    whole = progress(finished, OBJECTIVE, 200)
    thinned = [t for t in finished if t.incumbent or t.number % 10 == 0]
    found = progress(thinned, OBJECTIVE, 200)
    assert found.best_value.tolist() == whole.best_value.tolist()
    assert f"{len(thinned)} of 200" in found.computed_on


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_direction(direction):
    points = [Trial(i, "complete", {}, {"v": v}, True) for i, v in enumerate([3.0, 1.0, 5.0])]
    found = progress(points, Objective("v", direction), 3)
    assert found.best_value.tolist() == ([3.0, 1.0] if direction == "minimize" else [3.0, 5.0])


def test_nothing_and_one_trial_and_values_that_are_no_numbers():
    assert progress([], OBJECTIVE, 0).since_improvement == 0
    one = progress([Trial(0, "complete", {}, {"sharpe": 1.0}, True)], OBJECTIVE, 1)
    assert one.computed_on == "the only finished trial"
    odd = [Trial(i, "complete", {}, {"sharpe": v}, True) for i, v in enumerate([np.nan, np.inf, 0.3])]
    assert progress(odd, OBJECTIVE, 3).best_value.tolist() == [0.3]


def test_observations_keep_status_and_gaps():
    finished = problems.trials(40)
    seen = observations(finished, SPACE, "sharpe")
    assert len(seen) == seen.total == 40
    assert set(seen.status) == {"feasible", "infeasible", "failed"}
    assert np.isnan(seen.value[seen.status == "failed"]).all()
    inactive = [i for i, t in enumerate(finished) if "leverage" not in t.params]
    assert np.isnan(seen.at["leverage"][inactive]).all()


def test_many_observations_are_thinned_but_never_the_best():
    finished = [dataclasses.replace(t, number=i) for i, t in enumerate(problems.trials(300, failures=False))]
    seen = observations(finished, SPACE, "sharpe", max_points=50)
    assert len(seen) <= 60
    assert seen.computed_on == f"{len(seen)} of 300 finished trials"
    best = max(finished, key=lambda t: t.values["sharpe"]).number
    assert best in seen.numbers
    assert {t.number for t in finished if t.incumbent} <= set(seen.numbers.tolist())


def test_the_forecast_follows_the_pace_of_all_workers():
    found = forecast([float(t) for t in range(20)], 20, 50)
    assert found.seconds_left == pytest.approx(30)
    assert forecast([0.0, 1.0], 2, 50).seconds_left is None
    assert forecast([], 0, 50, running=False).text == "Nothing runs."
    assert forecast([1.0], 50, 50).text == "Budget used."
    assert forecast([1.0, 1.0, 1.0], 3, 50).seconds_left is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0.05, "50 ms"), (4.21, "4.2 s"), (59.4, "59 s"), (190, "3 min 10 s"), (7500, "2 h 5 min"),
     (3600, "1 h"), (273_600, "3 d 4 h"), (-3, "0 ms")],
)  # fmt: skip
def test_durations(seconds, words):
    assert duration_words(seconds) == words
