"""The engine's own figures, without a peer; ``python -m tests.benchmarks.engine`` adds Optuna."""

from __future__ import annotations

import time

import pytest

from tests.benchmarks import engine


@pytest.mark.benchmark
@pytest.mark.parametrize("measure", [engine.prediction, engine.acquisition, engine.against_grid])
def test_figures_are_within_their_limits(measure) -> None:
    assert measure()


@pytest.mark.benchmark
def test_a_suggestion_after_a_thousand_trials_takes_less_than_a_second() -> None:
    assert engine.ours(1000, 2, time.process_time) < 1.0
