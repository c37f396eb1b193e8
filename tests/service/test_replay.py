"""A proposal's trial is run again: the same numbers, or a sentence that says which differ."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.errors import NotAllowed
from engine.governance import actions, audit, proposals, scope_changes
from engine.governance.actors import Actor
from engine.service.replay import replay
from engine.service.task import trial_seed
from engine.store import Store, tables
from engine.study import StudySpec
from tests.support.governance import ANA, RITA, VIEWER, WHY

SCOPE = {
    "name": "branin", "area": "model", "tier": "low", "safe": {"x": 0.0, "y": 5.0},
    "parameters": {"x": {"type": "float", "low": -5, "high": 10}, "y": {"type": "float", "low": 0, "high": 15}},
    "policy": {"evidence_required": False},
}  # fmt: skip


@pytest.fixture
def proposed(tmp_path: Path):
    """A store, and the id of a proposal made from a trial of the Branin function."""
    from engine.objectives import resolve
    from engine.objectives.context import Context

    with Store.open(tmp_path / "tunedesk.db", create=True) as store:
        spec = StudySpec.from_dict(
            {"name": "b", "objective": "engine.objectives.synthetic:branin", "budget": {"trials": 5}, "seed": 3}
        )
        study_id = actions.create_study(store, spec, ANA)
        store.register_engine("engine-1", "host", 1)
        lease = store.lease_study("engine-1", study_id)
        assert lease is not None
        point = {"x": 1.5, "y": 2.5}
        trial = store.start_trial(lease, store.add_trial(lease, point).number)
        context = Context(seed=trial_seed(spec.seed, 0), settings=spec.settings)
        value = resolve(spec.objective)(point, context)
        values = value if isinstance(value, dict) else {spec.objectives[0].name: value}
        store.finish_trial(lease, 0, trial.attempt, "complete", values)
        scope_changes.create_scope(store, SCOPE, RITA, reason=WHY)
        yield store, proposals.propose_trial(store, "branin", study_id, 0, ANA, rationale=WHY).id


def test_the_same_trial_gives_the_same_numbers(proposed) -> None:
    store, id_ = proposed
    said = replay(store, id_, RITA)
    assert (said.ok, said.same_code) == (True, True)
    assert said.text.startswith("It reproduces: all")
    review = proposals.reviews(store, id_)[-1]
    assert (review.verdict, review.actor, review.reason) == ("replay", "rita", said.text)
    assert audit.entries(store)[0].event["details"]["values"] == said.values


def test_other_numbers_and_other_code_are_said(proposed) -> None:
    store, id_ = proposed
    with store.transaction() as connection:
        sources = connection.scalar(sa.select(tables.proposals.c.sources))
        name = next(iter(sources["trial"]["values"]))
        sources["trial"]["values"][name] += 1e-3
        sources["code"]["sha256"] = "0" * 64
        connection.execute(sa.update(tables.proposals).values(sources=sources))
    said = replay(store, id_, RITA)
    assert (said.ok, said.same_code) == (False, False)
    assert f"It doesn't reproduce: {name} was" in said.text
    assert "code is another one" in said.text


def test_what_can_not_be_run_again(proposed) -> None:
    store, id_ = proposed
    with pytest.raises(NotAllowed, match="may not propose"):
        replay(store, id_, VIEWER)
    by_hand = proposals.propose(store, "branin", {"x": 1.0}, ANA, rationale=WHY)
    with pytest.raises(NotAllowed, match="comes from no trial"):
        replay(store, by_hand.id, Actor("rita", {"risk_manager"}))
