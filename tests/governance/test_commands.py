"""Every role against every command of governance: what isn't allowed writes nothing, and the chain tells what was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from engine.errors import NotAllowed
from engine.governance import Actor, audit, kill, live, overrides, proposals, reviews, rollout, scope_changes
from engine.governance.actors import ROLES
from engine.store import Store, tables
from engine.store.governance_records import ReplayRecord
from tests.support.governance import ANA, RITA, RON, WHY, approved, make_definition, make_proposal, make_scope

Command = Callable[[Store, Actor], Any]


def submitted(store: Store) -> Any:
    return proposals.submit(store, make_proposal(store).id, ANA)


def ramping(store: Store) -> str:
    return rollout.start(store, approved(store, changes={"fast": 60}).id, RITA).id


def paused(store: Store) -> str:
    return rollout.pause(store, ramping(store), RITA, WHY).id


def killed(store: Store) -> str:
    kill.trip(store, "sma", RITA, WHY)
    return "sma"


def wide(store: Store) -> str:
    definition = make_definition()
    definition["parameters"]["fast"]["high"] = 150
    scope_changes.change_limits(store, "sma", definition, Actor("asker", {"admin"}), WHY)
    return "sma"


def second_version(store: Store) -> str:
    rollout.start(store, approved(store).id, RITA)
    return "sma"


def overridden(store: Store) -> str:
    overrides.set_override(store, "sma", {"fast": 40}, RITA, WHY, hours=1)
    return "sma"


def freeze(store: Store) -> int:
    now = live.get(store, "sma").at
    return scope_changes.add_freeze(store, "sma", now, now + 1e4, RITA, WHY).id


def approve(store: Store, actor: Actor, proposal: Any) -> Any:
    return reviews.approve(store, proposal.id, actor, WHY, digest=proposal.digest)


PROPOSERS = {"analyst", "risk_manager", "admin", "engine"}
STOPPERS = {"analyst", "risk_manager", "admin"}
DECIDERS = {"risk_manager", "admin"}

COMMANDS: dict[str, tuple[Callable[[Store], Any], Callable[[Store, Actor, Any], Any], set[str]]] = {
    "create scope": (
        lambda s: None, lambda s, a, _: scope_changes.create_scope(s, make_definition("new"), a, reason=WHY), DECIDERS),
    "change limits": (
        lambda s: make_definition(tier="high"),
        lambda s, a, x: scope_changes.change_limits(s, "sma", x, a, WHY), DECIDERS),
    "confirm limits": (wide, lambda s, a, x: scope_changes.confirm_limits(s, x, a, WHY), DECIDERS),
    "drop limits": (wide, lambda s, a, x: scope_changes.drop_limits(s, x, a, WHY), DECIDERS),
    "freeze": (
        lambda s: live.get(s, "sma").at,
        lambda s, a, x: scope_changes.add_freeze(s, "sma", x, x + 1e4, a, WHY), DECIDERS),
    "end freeze": (freeze, lambda s, a, x: scope_changes.end_freeze(s, x, a, WHY), DECIDERS),
    "propose": (lambda s: None, lambda s, a, _: make_proposal(s, actor=a), PROPOSERS),
    "edit": (submitted, lambda s, a, x: proposals.edit(s, x.id, a, title="t"), PROPOSERS),
    "submit": (make_proposal, lambda s, a, x: proposals.submit(s, x.id, a), PROPOSERS),
    "withdraw": (submitted, lambda s, a, x: proposals.withdraw(s, x.id, a, WHY), {"admin"}),
    "comment": (submitted, lambda s, a, x: reviews.comment(s, x.id, a, WHY), PROPOSERS),
    "replay": (
        submitted, lambda s, a, x: reviews.record_replay(s, x.id, a, ReplayRecord(True, True, {}, "It reproduces.")),
        PROPOSERS),
    "approve": (submitted, lambda s, a, x: approve(s, a, x), DECIDERS),
    "reject": (submitted, lambda s, a, x: reviews.reject(s, x.id, a, WHY), DECIDERS),
    "request changes": (submitted, lambda s, a, x: reviews.request_changes(s, x.id, a, WHY), DECIDERS),
    "start": (approved, lambda s, a, x: rollout.start(s, x.id, a), DECIDERS),
    "schedule": (approved, lambda s, a, x: rollout.schedule(s, x.id, x.now + 60, a), DECIDERS),
    "pause": (ramping, lambda s, a, x: rollout.pause(s, x, a, WHY), STOPPERS),
    "resume": (paused, lambda s, a, x: rollout.resume(s, x, a, WHY), DECIDERS),
    "abort": (ramping, lambda s, a, x: rollout.abort(s, x, a, WHY), STOPPERS),
    "metrics": (ramping, lambda s, a, _: rollout.report_metrics(s, "sma", {"dd": 0.1}, a), PROPOSERS),
    "rollback": (second_version, lambda s, a, x: live.rollback(s, x, 1, a, WHY), DECIDERS),
    "override": (
        lambda s: None, lambda s, a, _: overrides.set_override(s, "sma", {"fast": 40}, a, WHY, hours=1), DECIDERS),
    "clear override": (overridden, lambda s, a, x: overrides.clear_override(s, x, a, WHY), DECIDERS),
    "kill": (lambda s: "sma", lambda s, a, x: kill.trip(s, x, a, WHY), STOPPERS),
    "kill all": (lambda s: "*", lambda s, a, x: kill.trip(s, x, a, WHY), STOPPERS),
    "re-arm": (killed, lambda s, a, x: kill.rearm(s, x, a, WHY), DECIDERS),
}  # fmt: skip


def rows(store: Store) -> Any:
    """Everything that governance wrote, and the head of the chain."""
    names = [t for t in tables.metadata.sorted_tables if t.name not in ("audit_entries", "events")]
    with store.snapshot() as connection:
        return [connection.execute(sa.select(table)).all() for table in names], audit.verify(store).entries


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # rights don't depend on the database
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_for_its_roles_alone_and_leaves_its_record(store: Store, name: str) -> None:
    prepare, command, allowed = COMMANDS[name]
    make_scope(store)
    what = prepare(store)
    before = rows(store)
    for role in [*ROLES, ""]:
        if role not in allowed:
            with pytest.raises(NotAllowed):
                command(store, Actor("mallory", {role} if role else set()), what)
    assert rows(store) == before
    command(store, Actor("olivia", {sorted(allowed)[-1]}), what)
    assert audit.verify(store).entries > before[1]
    assert "olivia" in {e.event["actor"] for e in audit.entries(store, limit=audit.verify(store).entries - before[1])}


def test_every_command_is_in_the_table() -> None:
    """A function of governance that takes an actor and isn't listed here would be a hole in this test."""
    import inspect

    modules = (scope_changes, proposals, reviews, rollout, live, overrides, kill)
    takes_actor = {
        f"{m.__name__.rpartition('.')[2]}.{n}"
        for m in modules
        for n, f in inspect.getmembers(m, inspect.isfunction)
        if f.__module__ == m.__name__
        and not n.startswith(("_", "check_", "is_"))
        and "actor" in inspect.signature(f).parameters
    }
    known = {
        "scope_changes": {"create_scope", "change_limits", "confirm_limits", "drop_limits", "add_freeze", "end_freeze"},
        "proposals": {"propose", "propose_trial", "edit", "rebase", "submit", "withdraw"},
        "reviews": {"approve", "reject", "request_changes", "comment", "record_replay"},
        "rollout": {"start", "schedule", "pause", "resume", "abort", "report_metrics"},
        "live": {"rollback"},
        "overrides": {"set_override", "clear_override"},
        "kill": {"trip", "rearm"},
    }
    assert takes_actor == {f"{m}.{n}" for m, names in known.items() for n in names}


def test_a_changed_row_of_the_chain_is_found_whichever_it_is(store: Store) -> None:
    make_scope(store)
    second_version(store)
    live.rollback(store, "sma", 1, RITA, WHY)
    kill.trip(store, "*", ANA, WHY)
    kill.rearm(store, "*", RITA, WHY)
    kill.rearm(store, "*", RON, WHY)
    n = audit.verify(store).entries
    assert n > 8
    for seq in range(1, n + 1):
        where = tables.audit_entries.c.seq == seq
        with store.transaction() as connection:
            text = connection.scalar(sa.select(tables.audit_entries.c.event).where(where))
            forged = text.replace('"actor":"', '"actor":"x')
            connection.execute(sa.update(tables.audit_entries).where(where).values(event=forged))
        assert audit.verify(store).bad_seq == seq
        with store.transaction() as connection:
            connection.execute(sa.update(tables.audit_entries).where(where).values(event=text))
    assert audit.verify(store).ok
