"""The pages of Govern: no scope, a scope, a proposal in review, one's own, a killed scope, and what the buttons do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components import limits_table
from engine.errors import InvalidInput
from engine.governance import (
    Actor,
    actions,
    audit,
    kill,
    live,
    local_actor,
    overrides,
    proposals,
    reviews,
    rollout,
    scope_changes,
)
from engine.store import Store
from tests.dashboard.conftest import texts
from tests.dashboard.seeding import ANALYST, HOSTILE_NAME, Engine, sma_spec
from tests.support.governance import ANA, RITA, RON, SAFE, WHY, approved, make_definition, make_proposal, make_scope

OpenPage = Callable[..., AppTest]
CHECKS = [
    {"title": "Deflated Sharpe ratio", "status": "red", "sentence": "Deflated Sharpe ratio 0.18.", "required": True},
    {"title": "Costs", "status": "green", "sentence": "Costs: break-even at 42.", "required": True},
    {"title": "Walk-forward", "status": "missing", "sentence": "Walk-forward: not known.", "required": False},
]
REFUSING = {"kind": "trading", "verdict": {"answer": "no", "sentence": "No. 1 of 2 checks fails.", "checks": CHECKS}}


def read(app: AppTest) -> str:
    """Everything that the page says, with its escapes taken out."""
    return texts(app).replace("\\", "")


def buttons(app: AppTest) -> dict[str | None, Any]:
    return {button.key: button for button in app.button}


def submitted(store: Store, actor: Actor = ANA, **options: Any) -> Any:
    return proposals.submit(store, make_proposal(store, actor=actor, **options).id, actor)


# --- approvals ------------------------------------------------------------------------------------------------


def test_without_a_scope_each_page_leads_to_the_first_one(empty_store: Store, open_page: OpenPage) -> None:
    assert "Nothing is governed yet" in read(open_page("approvals"))
    assert "Nothing is live yet" in read(open_page("live"))
    assert open_page("limits").title[0].value == "New scope"


def test_the_inbox_says_what_each_proposal_needs(empty_store: Store, open_page: OpenPage) -> None:
    make_scope(empty_store, tier="high")
    half = submitted(empty_store, title="Half approved")
    reviews.approve(empty_store, half.id, RITA, WHY, digest=half.digest)
    submitted(empty_store, local_actor(), title="My own")
    app = open_page("approvals")
    assert not app.exception
    rows = app.dataframe[0].value.set_index("Proposal")
    assert rows.loc["Half approved", "Needs"] == "a second pair of eyes"
    assert rows.loc["Half approved", "Approvals"] == "1 of 2"
    assert "it is yours" in rows.loc["My own", "Needs"]


def test_a_proposal_shows_change_evidence_and_history(empty_store: Store, open_page: OpenPage) -> None:
    make_scope(empty_store)
    p = submitted(empty_store, changes={"fast": 5, "weight": 0.4}, evidence=REFUSING, title=HOSTILE_NAME)
    reviews.comment(empty_store, p.id, RON, "Why so fast?")
    app = open_page("approvals", proposal=p.id)
    assert not app.exception
    rows = app.dataframe[0].value.set_index("Parameter")
    assert (rows.loc["fast", "Live now"], rows.loc["fast", "Proposed"]) == ("20", "5")
    assert rows.loc["fast", "To the limit"] == "3 (3%)"
    assert rows.loc["weight", "Of the range"] == pytest.approx(0.2)
    said = read(app)
    for words in (
        "Near a hard limit",
        "Deflated Sharpe ratio 0.18.",
        "(fails)",
        "(not made, not required)",
        "Why so fast?",
    ):
        assert words in said
    assert p.evidence_digest in {c.value for c in app.code}
    assert buttons(app)["govern_approve"].disabled  # until it is said that it is despite the evidence
    assert "<script>" not in app.title[0].value.replace("\\<", "")


def test_approving_takes_a_reason_and_is_bound_to_what_was_read(empty_store: Store, open_page: OpenPage) -> None:
    make_scope(empty_store)
    p = submitted(empty_store)
    app = open_page("approvals", proposal=p.id)
    app.button(key="govern_approve").click().run()
    assert any("say why" in e.value.replace("\\", "") for e in app.error)
    proposals.edit(empty_store, p.id, ANA, changes={"fast": 33})
    app.run()
    assert "Approving waits until you say" in " ".join(w.value for w in app.warning)
    assert buttons(app)["govern_approve"].disabled
    app.button(key="govern_seen_again").click().run()
    app.text_area(key=f"govern_reason_{p.id}").set_value("It is small.")
    app.button(key="govern_approve").click().run()
    assert proposals.get(empty_store, p.id).state == "approved"
    assert "govern_start" in buttons(app)
    app.button(key="govern_start").click().run()
    assert not app.exception
    assert live.get(empty_store, "sma")["fast"] != 20


def test_nobody_can_approve_their_own(empty_store: Store, open_page: OpenPage) -> None:
    make_scope(empty_store)
    p = submitted(empty_store, local_actor())
    app = open_page("approvals", proposal=p.id)
    assert buttons(app)["govern_approve"].disabled
    assert "somebody else has to approve it" in read(app)
    assert not buttons(app)["govern_withdraw"].disabled


def test_a_moved_baseline_is_called_stale(empty_store: Store, open_page: OpenPage) -> None:
    make_scope(empty_store)
    p = submitted(empty_store, changes={"weight": 0.3})
    other = approved(empty_store)
    rollout.start(empty_store, other.id, RITA)
    app = open_page("approvals", proposal=p.id)
    assert "went live; it was compared with version 1" in " ".join(w.value for w in app.warning).replace("\\", "")
    app.button(key="govern_rebase").click().run()
    assert proposals.get(empty_store, p.id).state == "in_review"


def test_a_trial_becomes_a_proposal(empty_store: Store, open_page: OpenPage) -> None:
    make_scope(empty_store)
    study = actions.create_study(empty_store, sma_spec(), ANALYST)
    Engine(empty_store).run(study, 6)
    trial = empty_store.get_trial(study, 3)
    overview = open_page("overview", study=study, trial="3")
    assert "propose_trial" in buttons(overview)
    app = open_page("approvals", new="1", study=study, trial="3")
    assert not app.exception
    assert list(app.dataframe[0].value["Parameter"]) == ["fast", "slow"]
    app.text_area(key="propose_why").set_value("The best so far.")
    app.button(key="propose_submit").click().run()
    assert not app.exception
    [made], _ = proposals.page(empty_store)
    assert (made.state, made.trial_number) == ("in_review", 3)
    assert made.changes == {"fast": trial.params["fast"], "slow": trial.params["slow"]}
    assert app.query_params["proposal"] in ([made.id], made.id)


def test_values_of_ones_own_choice_can_be_proposed(empty_store: Store, open_page: OpenPage) -> None:
    make_scope(empty_store)
    app = open_page("approvals", new="1")
    app.number_input(key="propose_value_sma_fast").set_value(25)
    app.text_area(key="propose_why").set_value("A little slower.")
    app.button(key="propose_draft").click().run()
    [made], _ = proposals.page(empty_store)
    assert (made.state, made.changes) == ("draft", {"fast": 25})


def test_an_unknown_proposal_is_explained(empty_store: Store, open_page: OpenPage) -> None:
    assert "isn't in the store" in open_page("approvals", proposal="0123456789ab").title[0].value


# --- live -------------------------------------------------------------------------------------------------------


def test_live_says_which_layer_counts(empty_store: Store, open_page: OpenPage) -> None:
    make_scope(empty_store)
    assert "Initial values are live in sma" in read(open_page("live"))
    overrides.set_override(empty_store, "sma", {"weight": 0.1}, RITA, "Thin market", hours=2)
    app = open_page("live", scope="sma")
    assert "OVERRIDDEN by hand in sma" in read(app)
    table = app.dataframe[0].value.set_index("Parameter")
    assert (table.loc["weight", "Live now"], list(table.loc["weight", "From"])) == ("0.1", ["override"])
    kill.trip(empty_store, "sma", RITA, "The feed froze")
    said = read(open_page("live", scope="sma"))
    assert "KILLED – the safe values count in sma" in said
    assert "The feed froze" in said


def test_one_person_kills_and_two_rearm(empty_store: Store, open_page: OpenPage) -> None:
    make_scope(empty_store)
    app = open_page("live", scope="sma")
    app.button(key="kill_sma").click().run()
    assert not app.exception
    assert live.get(empty_store, "sma").killed
    app.text_area(key="rearm_why_sma").set_value("The feed is back.")
    app.button(key="rearm_sma").click().run()
    assert live.get(empty_store, "sma").killed
    assert buttons(app)["rearm_sma"].disabled
    assert "another person has to confirm" in read(app)
    kill.rearm(empty_store, "sma", RITA, "Yes, it is.")
    assert "Initial values are live" in read(app.run())


def test_every_scope_can_be_killed_at_once(empty_store: Store, open_page: OpenPage) -> None:
    make_scope(empty_store)
    make_scope(empty_store, "other")
    app = open_page("live")
    assert list(app.dataframe[0].value["Scope"]) == ["other", "sma"]
    app.button(key="kill_all").click().run()
    assert kill.state(empty_store).tripped
    assert "The kill switch of all scopes is tripped" in read(app)
    assert [list(c) for c in app.dataframe[0].value["Counts"]] == [["killed"], ["killed"]]


def test_a_ramp_shows_its_steps_and_gates_and_can_be_aborted(empty_store: Store, open_page: OpenPage) -> None:
    make_scope(empty_store)
    ramp = {"stages": 3, "dwell": 3600, "gates": [{"pass": "drawdown <= 0.05", "fail": "drawdown >= 0.1"}]}
    p = approved(empty_store, ramp=ramp)
    rollout.start(empty_store, p.id, RITA)
    rollout.report_metrics(empty_store, "sma", {"drawdown": 0.02}, RITA)
    app = open_page("live", scope="sma")
    said = read(app)
    assert "RAMPING, step 1 of 3 in sma" in said
    assert "mean of drawdown is 0.02" in said
    app.text_area(key=f"ramp_why_{p.id}").set_value("It looks wrong.")
    app.button(key="ramp_abort").click().run()
    assert proposals.get(empty_store, p.id).state == "aborted"


def test_rolling_back_and_overriding(empty_store: Store, open_page: OpenPage) -> None:
    make_scope(empty_store)
    rollout.start(empty_store, approved(empty_store).id, RITA)
    app = open_page("live", scope="sma")
    app.text_area(key="rollback_why_sma").set_value("It lost money.")
    app.button(key="rollback").click().run()
    assert live.get(empty_store, "sma").version == 1
    app.multiselect(key="override_names_sma").set_value(["weight"]).run()
    app.number_input(key="override_sma_weight").set_value(0.5)
    app.text_area(key="override_why_sma").set_value("Thin market.")
    app.button(key="override_set").click().run()
    assert not app.exception
    assert live.get(empty_store, "sma").override == {"weight": 0.5}


# --- limits and audit -------------------------------------------------------------------------------------------


def test_tighter_limits_hold_at_once_and_looser_ones_wait(empty_store: Store, open_page: OpenPage) -> None:
    make_scope(empty_store)
    app = open_page("limits", scope="sma")
    assert not app.exception
    app.text_area(key="limits_sma_1_constraints").set_value("fast < slow\nfast + 5 < slow")
    app.text_area(key="limits_sma_1_why").set_value("Further apart.")
    app.button(key="limits_save").click().run()
    record, _ = scope_changes.get(empty_store, "sma")
    assert record.definition_version == 2
    looser = make_definition(constraints=["fast < slow"])
    scope_changes.change_limits(empty_store, "sma", looser, RITA, WHY)
    app.run()
    assert "It allows more" in " ".join(w.value for w in app.warning)
    app.text_area(key="limits_second_why").set_value("Agreed.")
    app.button(key="limits_confirm").click().run()
    assert scope_changes.get(empty_store, "sma")[0].definition_version == 3


def test_limits_survive_their_table() -> None:
    definition = make_definition()
    definition["parameters"]["fast"] |= {"min_dwell": 60.0, "explore": [5, 50], "log": True, "help": "bars"}
    definition["parameters"]["mode"]["choices"] = ["calm", "bold", "2", 3, True]
    parameters, safe, initial = limits_table.from_frame(limits_table.to_frame(definition), definition["parameters"])
    assert parameters == definition["parameters"]
    assert (safe, initial) == (SAFE, {})
    with pytest.raises(InvalidInput, match="safe"):
        limits_table.from_frame(pd.DataFrame([{"name": "a", "type": "float", "low": 0.0, "high": 1.0}]), {})


def test_audit_lists_searches_and_verifies(empty_store: Store, open_page: OpenPage) -> None:
    make_scope(empty_store)
    p = submitted(empty_store)
    kill.trip(empty_store, "sma", RON, "The 100%_feed froze")
    app = open_page("audit")
    assert list(app.dataframe[0].value["What"])[:2] == ["kill: trip", "proposal: submit"]
    app.selectbox(key="audit_kind").select("Proposals").run()
    assert len(app.dataframe[0].value) == 2
    app.text_input(key="audit_who").set_value("ron").run()
    assert "No entry fits" in app.info[0].value
    app.selectbox(key="audit_kind").select("Everything").run()
    app.text_input(key="audit_search").set_value("100%_FEED").run()
    assert len(app.dataframe[0].value) == 1
    app.button(key="audit_verify").click().run()
    assert audit.verify(empty_store).head in {c.value for c in app.code}
    with empty_store.transaction() as connection:
        connection.exec_driver_sql("UPDATE audit_entries SET event = replace(event, 'ana', 'eve') WHERE seq = 2")
    app.button(key="audit_verify").click().run()
    assert "was changed" in app.error[0].value.replace("\\", "")
    assert p.state == "in_review"
