"""What pages ask: why a command can't be given, how far a change goes, how a ramp stands, what the chain says."""

from __future__ import annotations

import pytest

from engine.errors import TunedeskError
from engine.governance import Actor, audit, kill, possible, proposals, reviews, rollout
from engine.governance.limits import Margin, margins
from engine.governance.scopes import definition_from_dict
from engine.store import Store
from tests.support.governance import (
    ANA,
    ENGINE,
    RITA,
    RON,
    SAFE,
    VIEWER,
    WHY,
    approved,
    make_definition,
    make_proposal,
    make_scope,
)


@pytest.mark.parametrize("actor", [ANA, RITA, ENGINE, VIEWER])
def test_the_reason_is_what_the_command_itself_would_say(store: Store, actor: Actor) -> None:
    make_scope(store, tier="high")
    draft = make_proposal(store)
    submitted = proposals.submit(store, make_proposal(store).id, ANA)
    ready = approved(store, by=(RITA, RON))
    for proposal in (draft, submitted, ready):
        reasons = possible.why_not(store, proposal.id, actor)
        commands = {
            "submit": lambda p=proposal: proposals.submit(store, p.id, actor),
            "withdraw": lambda p=proposal: proposals.withdraw(store, p.id, actor, WHY),
            "approve": lambda p=proposal: reviews.approve(store, p.id, actor, WHY, digest=p.digest),
            "reject": lambda p=proposal: reviews.reject(store, p.id, actor, WHY),
            "start": lambda p=proposal: rollout.start(store, p.id, actor),
            "pause": lambda p=proposal: rollout.pause(store, p.id, actor, WHY),
        }
        for verb, command in commands.items():
            if reasons[verb]:  # type: ignore[index]
                with pytest.raises(TunedeskError) as refused:
                    command()
                assert str(refused.value) == reasons[verb]  # type: ignore[index]
    assert proposals.get(store, ready.id).state == "approved"
    assert not possible.why_not(store, ready.id, RITA)["start"]
    rollout.start(store, ready.id, RITA)
    assert "suspended" in possible.why_not(store, submitted.id, RITA)["approve"]


def test_a_tripped_switch_and_a_missing_approval_are_named(store: Store) -> None:
    make_scope(store)
    ready = approved(store)
    assert "start" in possible.moves(ready)
    kill.trip(store, "sma", RITA, WHY)
    assert "re-armed first" in possible.why_not(store, ready.id, RITA)["start"]
    assert reviews.standing(store, ready.id) == (["rita"], 1)


def test_margins_tell_how_far_and_how_near() -> None:
    definition = definition_from_dict(make_definition())
    after = SAFE | {"fast": 96, "weight": 0.1, "mode": "bold", "slow": 100}
    assert margins(definition, SAFE, after) == {
        "fast": Margin(20, 96, 76 / 98, 4 / 98, 100),
        "weight": Margin(0.2, 0.1, 0.1, 0.1, 0.0),
        "mode": Margin("calm", "bold"),
    }


def test_a_ramp_tells_its_gates_and_its_next_step(store: Store) -> None:
    make_scope(store)
    ramp = {"stages": 3, "dwell": 60, "gates": [{"pass": "loss <= 1"}, {"pass": "fills >= 5", "fail": "fills <= 1"}]}
    proposal = approved(store, ramp=ramp)
    assert rollout.progress(store, proposal.id) is None
    started = rollout.start(store, proposal.id, RITA)
    rollout.report_metrics(store, "sma", {"loss": 0.5}, RITA)
    progress = rollout.progress(store, proposal.id)
    assert progress is not None
    assert [verdict for verdict, _ in progress.gates] == ["pass", "inconclusive"]
    assert progress.next_at == pytest.approx((started.step_at or 0) + 60)
    assert progress.waits_for == ""


def test_the_chain_is_searched_in_the_store(store: Store) -> None:
    make_scope(store)
    make_proposal(store, title="100%_sure")
    kill.trip(store, "sma", Actor('o"neil', {"admin"}), "Stop 100%_now")
    found, total = audit.page(store, actions="kill.")
    assert ([e.event["action"] for e in found], total) == (["kill.trip"], 1)
    assert audit.page(store, actor='o"neil')[1] == 1
    assert audit.page(store, actor="neil")[1] == 0
    assert audit.page(store, search="100%_NOW")[1] == 1
    assert audit.page(store, search="100__now")[1] == 0
    newest, total = audit.page(store, limit=1)
    assert (newest[0].seq, total) == (3, 3)
    assert audit.page(store, limit=1, offset=2)[0][0].event["action"] == "scope.create"
