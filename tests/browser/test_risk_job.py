"""The risk manager's job: review, approve, start a ramp, see a gate end it, roll back, kill, re-arm by two people."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from engine.governance import audit, kill, live, proposals, reviews, rollout
from engine.store import Store
from tests.support.governance import ANA, RITA, RON, WHY, approved, make_proposal, make_scope

pytestmark = pytest.mark.timeout(300)
expect.set_options(timeout=20_000)
RAMP = {"stages": 3, "dwell": 3600, "gates": [{"pass": "drawdown <= 0.05", "fail": "drawdown >= 0.1"}]}


def test_from_review_to_kill_and_back(start_desk: Callable[..., object], page) -> None:
    desk = start_desk("up", "--store", "desk.db", "--no-browser")
    with Store.open(desk.folder / "desk.db") as store:
        make_scope(store, tier="high")
        rollout.start(
            store, approved(store, changes={"fast": 25}, by=(RITA, RON)).id, RITA
        )  # something to go back from
        proposal = make_proposal(store, changes={"fast": 50}, title="Slower average", ramp=RAMP)
        proposal = proposals.submit(store, proposal.id, ANA)

        page.goto(f"{desk.url}/approvals?proposal={proposal.id}")
        page.get_by_label("Reason").first.fill("Small, and on a plateau.")
        page.get_by_role("button", name="Approve", exact=True).click()
        expect(page.get_by_text("Needs a second pair of eyes.")).to_be_visible()
        reviews.approve(store, proposal.id, RON, WHY, digest=proposal.digest)  # the second person, elsewhere
        page.get_by_role("button", name="Start now").click()
        expect(page.get_by_text("ramping").first).to_be_visible()

        page.goto(f"{desk.url}/live?scope=sma")
        expect(page.get_by_role("heading", name="RAMPING, step 1 of 3 in sma")).to_be_visible()
        rollout.report_metrics(store, "sma", {"drawdown": 0.2}, RITA)
        expect(page.get_by_role("heading", name="Approved values are live in sma")).to_be_visible()
        assert proposals.get(store, proposal.id).state == "aborted"

        page.get_by_label("Reason").first.fill("The version before was better.")
        page.get_by_role("button", name="Roll back to version 1").click()
        expect(page.get_by_text("Version 1 is live.")).to_be_visible()
        assert live.get(store, "sma")["fast"] == 20

        page.get_by_role("button", name="KILL sma").click()
        page.get_by_role("button", name="Kill now").click()
        expect(page.get_by_role("heading", name="KILLED – the safe values count in sma")).to_be_visible()
        page.get_by_label("Reason to re-arm").fill("The cause was found.")
        page.get_by_role("button", name="Ask to re-arm").click()
        expect(page.get_by_role("button", name="Confirm as the second person")).to_be_disabled()
        kill.rearm(store, "sma", RON, WHY)
        expect(page.get_by_role("heading", name="Initial values are live in sma")).to_be_visible()
        assert audit.verify(store).ok
    assert not page.errors
