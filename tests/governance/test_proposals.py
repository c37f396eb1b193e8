"""From a draft to its approval: who may, what an approval is bound to, and what takes it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from engine.errors import Conflict, InvalidInput, NotAllowed, NotFound
from engine.evidence import generic_pack
from engine.governance import Actor, audit, evidence_freeze, proposals, reviews, rollout
from engine.store import Store, tables
from tests.support.governance import (
    ADA,
    ALAN,
    ANA,
    ENGINE,
    EVIDENCE,
    REFUSED,
    RITA,
    RON,
    ROSE,
    SAFE,
    WHY,
    approved,
    make_proposal,
    make_scope,
    pass_time,
)  # fmt: skip
from tests.support.studies import leased, run_trial


@pytest.fixture
def scope(store: Store) -> str:
    return make_scope(store, tier="high")


def submitted(store: Store, **options: Any):
    return proposals.submit(store, make_proposal(store, **options).id, ANA)


def approve(store: Store, proposal: Any, actor: Actor, **options: Any):
    return reviews.approve(store, proposal.id, actor, WHY, digest=proposal.digest, **options)


def test_a_draft_holds_what_it_leads_to(store: Store, scope: str) -> None:
    p = make_proposal(store, changes={"fast": 45}, evidence=EVIDENCE, ramp={"stages": 2})
    assert (p.state, p.author, p.baseline_version) == ("draft", "ana", 1)
    assert p.params == SAFE | {"fast": 45}
    assert [step["fast"] for step in p.plan] == [28, 37, 45]
    assert proposals.diff(store, p.id) == {"fast": (20, 45)}
    assert len(p.digest) == len(p.evidence_digest or "") == 64
    assert proposals.get(store, p.id[:6]).id == p.id
    with pytest.raises(NotFound, match="no proposal"):
        proposals.get(store, "nothing")


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({"fast": 500}, {}, "outside 2 to 100"),
        ({"fast": 100}, {}, "break fast < slow"),
        ({"speed": 1}, {}, "not a parameter"),
        ({"fast": 20}, {}, "nothing changes"),
        ({"fast": 30}, {"ramp": {"stages": 0}}, "ramp.stages"),
        ({"fast": 30}, {"evidence": {"kind": "trading"}}, "no verdict"),
    ],
)
def test_what_can_not_be_proposed(store: Store, scope: str, changes: Any, options: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        make_proposal(store, changes=changes, **options)
    with pytest.raises(InvalidInput, match="rationale"):
        proposals.propose(store, scope, {"fast": 30}, ANA, rationale=" ")
    assert proposals.page(store)[1] == 0


def test_two_people_approve_in_a_high_tier(store: Store, scope: str) -> None:
    p = submitted(store)
    p = approve(store, p, RITA)
    assert (p.state, p.note) == ("in_review", "1 of 2 approvals.")
    with pytest.raises(Conflict, match="already"):
        approve(store, p, Actor("RITA ", {"admin"}))  # the same person, written otherwise
    p = approve(store, p, RON)
    assert (p.state, p.note) == ("approved", "Approved by rita, ron.")
    with pytest.raises(NotAllowed, match="it can't be approved: it is approved"):
        approve(store, p, ROSE)


def test_one_person_approves_in_a_low_tier(store: Store) -> None:
    make_scope(store, tier="low")
    assert approved(store).state == "approved"


def test_nobody_approves_their_own_admins_and_editors_included(store: Store) -> None:
    make_scope(store, tier="low")
    boss = Actor("ana", {"admin", "risk_manager"})
    p = submitted(store)
    with pytest.raises(NotAllowed, match="somebody else"):
        approve(store, p, boss)
    p = proposals.edit(store, p.id, RITA, changes={"fast": 31})
    with pytest.raises(NotAllowed, match="somebody else"):
        approve(store, p, RITA)
    p = proposals.edit(store, p.id, ADA, title="another")
    with pytest.raises(NotAllowed, match="somebody else"):
        approve(store, p, Actor("Ada", {"admin"}))
    assert approve(store, p, RON).state == "approved"


def test_an_engine_proposes_and_never_approves(store: Store) -> None:
    make_scope(store, tier="low")
    p = proposals.submit(store, make_proposal(store, actor=ENGINE).id, ENGINE)
    for roles in ({"engine"}, {"engine", "admin"}, {"engine", "risk_manager"}):
        with pytest.raises(NotAllowed, match="people decide"):
            approve(store, p, Actor("engine-2", roles))
        with pytest.raises(NotAllowed, match="people decide"):
            reviews.reject(store, p.id, Actor("engine-2", roles), WHY)
    assert approve(store, p, RITA).state == "approved"


EDITS: list[Callable[[Store, str], Any]] = [
    lambda store, id_: proposals.edit(store, id_, ALAN, changes={"fast": 31}),
    lambda store, id_: proposals.edit(store, id_, ALAN, rationale="other words"),
    lambda store, id_: proposals.edit(store, id_, ALAN, ramp={"stages": 3}),
    lambda store, id_: proposals.edit(store, id_, ALAN, evidence=EVIDENCE),
    lambda store, id_: reviews.request_changes(store, id_, ROSE, WHY),
    lambda store, id_: reviews.reject(store, id_, ROSE, WHY),
    lambda store, id_: proposals.withdraw(store, id_, ANA, WHY),
]


@pytest.mark.parametrize("act", EDITS)
@pytest.mark.parametrize("people", [(RITA,), (RITA, RON)])
def test_what_revokes_approvals(store: Store, scope: str, act: Any, people: tuple[Actor, ...]) -> None:
    p = approved(store, by=people)
    act(store, p.id)
    said = [r for r in proposals.reviews(store, p.id) if r.verdict == "approve"]
    assert len(said) == len(people)
    assert all(r.revoked_at is not None and r.revoked_because for r in said)
    after = proposals.get(store, p.id)
    assert after.state != "approved"
    if after.state == "in_review":
        approve(store, after, RITA)
        assert proposals.get(store, p.id).state == "in_review"  # one of two again


def test_an_approval_is_of_what_was_looked_at(store: Store, scope: str) -> None:
    old = submitted(store)
    proposals.edit(store, old.id, ANA, changes={"fast": 31})
    with pytest.raises(Conflict, match="isn't the one that was looked at"):
        approve(store, old, RITA)
    with pytest.raises(Conflict, match="changed in the meantime"):
        proposals.edit(store, old.id, ANA, title="late", revision=old.revision)


def test_another_version_going_live_suspends_what_was_compared_with_the_old_one(store: Store) -> None:
    make_scope(store, tier="low")
    in_review, agreed, planned = submitted(store, changes={"fast": 25}), approved(store), approved(store)
    rollout.schedule(store, planned.id, agreed.now + 3600, RITA)
    draft = make_proposal(store, changes={"fast": 26})
    winner = rollout.start(store, approved(store, changes={"fast": 22}).id, RITA)
    assert winner.state == "live"
    for p in (in_review, agreed, planned):
        found = proposals.get(store, p.id)
        assert found.state == "suspended"
        assert "Version 2 went live" in found.note
        assert all(r.revoked_at for r in proposals.reviews(store, p.id))
        with pytest.raises(NotAllowed, match="suspended"):
            rollout.start(store, p.id, RITA)
    with pytest.raises(NotAllowed, match="rebase"):
        proposals.submit(store, draft.id, ANA)
    again = proposals.rebase(store, agreed.id, ANA)
    assert (again.state, again.baseline_version, again.params["fast"]) == ("in_review", 2, 30)
    assert again.digest != agreed.digest
    assert proposals.diff(store, agreed.id) == {"fast": (22, 30)}
    assert approve(store, again, RITA).state == "approved"
    assert proposals.submit(store, proposals.rebase(store, draft.id, ANA).id, ANA).state == "in_review"


def test_limits_are_checked_again_at_every_stage(store: Store) -> None:
    from engine.governance import scope_changes
    from tests.support.governance import make_definition

    make_scope(store, tier="low")
    waiting, agreed, draft = submitted(store), approved(store), make_proposal(store)
    tight = make_definition()
    tight["parameters"]["fast"]["high"] = 25
    scope_changes.change_limits(store, "sma", tight, RITA, WHY)
    for act in (
        lambda: approve(store, waiting, RITA),
        lambda: rollout.start(store, agreed.id, RITA),
        lambda: rollout.schedule(store, agreed.id, agreed.now + 60, RITA),
        lambda: proposals.submit(store, draft.id, ANA),
    ):
        with pytest.raises(NotAllowed, match="outside of today's limits"):
            act()


def test_an_overdue_proposal_is_expired_for_everybody_at_once(store: Store, scope: str) -> None:
    p = approved(store, by=(RITA, RON))
    pass_time(store, 31 * 86400)
    assert proposals.get(store, p.id).state == "expired"
    assert proposals.page(store, states=["expired"])[1] == 1
    with pytest.raises(NotAllowed, match="it is expired"):
        rollout.start(store, p.id, RITA)
    assert rollout.tick(store) == [f"The proposal {p.id} for sma expired."]
    assert rollout.tick(store) == []
    with store.snapshot() as connection:
        assert connection.scalar(sa.select(tables.proposals.c.state)) == "expired"


def test_evidence_is_frozen_and_its_no_is_heard(store: Store) -> None:
    make_scope(store, tier="high", policy={})
    pack = generic_pack([1.0, 1.2, 0.9, 1.1, 1.0], [2.0, 2.1, 1.9, 2.2, 2.0])
    bare = make_proposal(store)
    with pytest.raises(NotAllowed, match="without an evidence pack"):
        proposals.submit(store, bare.id, ANA)
    p = make_proposal(store, evidence=pack)
    assert p.evidence_digest == pack.digest
    assert evidence_freeze.altered(p) == ""
    p = submitted(store, evidence=REFUSED)
    with pytest.raises(NotAllowed, match=r"evidence says no.*1 of 12 checks"):
        approve(store, p, RITA)
    approve(store, p, RITA, despite_evidence=True)
    assert audit.entries(store)[0].event["details"]["despite_evidence"] is True


@pytest.mark.parametrize(
    "tamper",
    [
        {"evidence": EVIDENCE | {"kind": "generic"}},
        {"params": SAFE | {"fast": 31}},
        {"ramp": {"stages": 1, "dwell": 0.0, "gates": []}},
        {"evidence_digest": "0" * 64},
    ],
)
def test_a_row_changed_past_the_program_goes_nowhere(store: Store, tamper: dict[str, Any]) -> None:
    make_scope(store, tier="low")
    p = approved(store, evidence=EVIDENCE, ramp={"stages": 2})
    with store.transaction() as connection:
        connection.execute(sa.update(tables.proposals).values(**tamper))
    with pytest.raises(NotAllowed, match="altered"):
        rollout.start(store, p.id, RITA)


def test_a_trial_becomes_a_proposal_with_its_origin(store: Store) -> None:
    from engine.space import Float, Int, SearchSpace

    make_scope(store, tier="low")
    space = SearchSpace([Int("fast", 2, 100), Float("x", 0, 1)])
    study_id, lease = leased(store, space=space)
    trial = store.start_trial(lease, store.add_trial(lease, {"fast": 33, "x": 0.5}).number)
    with pytest.raises(NotAllowed, match="is running"):
        proposals.propose_trial(store, "sma", study_id, 0, ANA, rationale=WHY)
    store.finish_trial(lease, 0, trial.attempt, "complete", {"sharpe": 1.0, "drawdown": 0.1})
    p = proposals.propose_trial(store, "sma", study_id, 0, ENGINE, rationale=WHY, sources={"data": {"sha256": "abc"}})
    assert (p.study_id, p.trial_number, p.changes) == (study_id, 0, {"fast": 33})
    assert p.sources["trial"]["values"] == {"sharpe": 1.0, "drawdown": 0.1}
    assert len(p.sources["study"]["sha256"]) == 64
    assert p.sources["data"] == {"sha256": "abc"}
    assert audit.entries(store, study_id)[0].event["details"]["trial"] == 0
    other, lease = leased(store, "other", engine="engine-2")
    run_trial(store, lease)
    with pytest.raises(InvalidInput, match="no such parameter in common"):
        proposals.propose_trial(store, "sma", other, 0, ANA, rationale=WHY)
    run_trial(store, lease, drawdown=0.9)
    with pytest.raises(NotAllowed, match="breaks the study's outcome constraints"):
        proposals.propose_trial(store, "sma", other, 1, ANA, rationale=WHY)


def test_the_code_of_an_objective_is_hashed_without_importing_it() -> None:
    code = evidence_freeze.code_of("engine.objectives.synthetic:branin")
    assert len(code["sha256"] or "") == 64
    assert evidence_freeze.code_of("manual")["sha256"] is None
    assert evidence_freeze.code_of("no.such.module:f")["sha256"] is None


def test_withdrawing_is_for_authors_and_comments_are_for_all(store: Store, scope: str) -> None:
    p = submitted(store)
    with pytest.raises(NotAllowed, match="Only its authors"):
        proposals.withdraw(store, p.id, ALAN, WHY)
    assert reviews.comment(store, p.id, ALAN, "why not 28?").verdict == "comment"
    assert proposals.withdraw(store, p.id, ADA, WHY).state == "withdrawn"
    with pytest.raises(NotAllowed, match="it is withdrawn"):
        approve(store, p, RITA)


@pytest.mark.parametrize("reason", ["", "  ", "ok", None])
def test_a_decision_needs_a_reason(store: Store, scope: str, reason: Any) -> None:
    p = submitted(store)
    for act in (reviews.reject, reviews.request_changes, proposals.withdraw):
        with pytest.raises(InvalidInput, match="say why"):
            act(store, p.id, ADA, reason)
    with pytest.raises(InvalidInput, match="say why"):
        reviews.approve(store, p.id, RITA, reason, digest=p.digest)
