"""Studies with real models: the real optimizer asks, a function answers, all of it goes through the store's verbs.

Import ``template`` and ``modelled`` into a test module to use them as fixtures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.governance import actions
from engine.optimizer import Optimizer
from engine.space import Objective, OutcomeConstraint, SearchSpace
from engine.store import Store, upgrade
from engine.store.records import StudyState
from engine.study import StudySpec
from tests.analysis import problems
from tests.dashboard.conftest import _opened, texts
from tests.dashboard.seeding import ANALYST

Answer = tuple[str, dict[str, float] | str]
"""('complete', values), ('failed', why) or ('infeasible', why)."""


def backtest(params: Mapping[str, Any], number: int) -> Answer:
    """Like a strategy: a hill in fast and slow, a drawdown that grows with the stop, now and then a failure."""
    if number % 9 == 8:
        return "failed", "ZeroDivisionError: float division by zero"
    if number % 11 == 7:
        return "infeasible", "No trades."
    return "complete", {"sharpe": problems.sharpe(params), "drawdown": 0.1 + params["stop"], "turnover": 12.0}


def spec(
    name: str = "modelled",
    space: SearchSpace = problems.SPACE,
    objectives: tuple[Objective, ...] = (problems.OBJECTIVE,),
    limits: tuple[OutcomeConstraint, ...] = (problems.LIMIT,),
    budget: int = 60,
) -> StudySpec:
    return StudySpec(
        name=name, objective="manual", space=space, objectives=objectives, outcome_constraints=limits,
        budget_trials=budget, workers=2,
    )  # fmt: skip


def tune(
    store: Store,
    study: StudySpec,
    n: int,
    evaluate: Callable[[Mapping[str, Any], int], Answer] = backtest,
    *,
    running: int = 0,
    end: StudyState | None = None,
    engine: str = "modelling-engine",
) -> str:
    """Runs n trials and leaves ``running`` more on their way; the study's id."""
    store.register_engine(engine, "testhost", 4242, lease_seconds=3600)
    study_id = actions.create_study(store, study, ANALYST)
    lease = store.lease_study(engine, study_id)
    assert lease is not None
    optimizer = Optimizer(study.space, study.objectives, seed=0, outcome_constraints=study.outcome_constraints)
    for i in range(n + running):
        [suggestion] = optimizer.ask(1)
        if (record := optimizer.model_record()) is not None:
            store.save_model(lease, min(i, n), record, optimizer.candidates())
        trial = store.add_trial(
            lease, suggestion.params, origin=suggestion.origin, reason=suggestion.reason, number=suggestion.number
        )
        store.start_trial(lease, trial.number)
        if i >= n:
            continue
        state, result = evaluate(suggestion.params, i)
        if state == "complete":
            assert isinstance(result, dict)
            store.finish_trial(lease, trial.number, 1, "complete", result, log=f"trial {i} done")
            optimizer.tell(suggestion, result)
        else:
            store.finish_trial(lease, trial.number, 1, state, error=str(result))  # type: ignore[arg-type]
            optimizer.fail(suggestion, str(result), infeasible=state == "infeasible")
    if end is not None:
        store.set_state(lease, end)
    return study_id


@dataclass
class Modelled:
    """A study of 30 finished trials and one that runs, in a store of its own."""

    store: Store
    id: str


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("modelled") / "modelled.db"
    upgrade(path)
    with Store.open(path) as store:
        return path, tune(store, spec(), 30, running=1)


@pytest.fixture
def modelled(template: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Modelled]:
    path, study_id = template
    for store in _opened(path, tmp_path, monkeypatch):
        yield Modelled(store, study_id)


def charts(app: AppTest) -> list[dict[str, Any]]:
    """The Plotly figures on a page, in order; those that live first."""
    assert not app.exception
    live = [json.loads(json.loads(c.proto.json)["figure"]) for c in app.get("bidi_component")]
    return live + [json.loads(c.proto.spec) for c in app.get("plotly_chart")]


def read(app: AppTest) -> str:
    """What the page says, without Markdown's escapes."""
    assert not app.exception
    return texts(app).replace("\\", "")
