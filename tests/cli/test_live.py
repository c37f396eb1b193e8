"""`tunedesk scope, proposal, live, kill, rearm`: the way of a change from its limits to the live values and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from engine.governance import Actor, actors
from tests.cli.support import Run
from tests.support.governance import SAFE, make_definition


@pytest.fixture
def acting(monkeypatch: pytest.MonkeyPatch):
    """A function that makes somebody else sit at the terminal."""

    def sit(name: str) -> None:
        roles = set(actors.ROLES) - {"engine"}
        monkeypatch.setattr(actors, "local_actor", lambda: Actor(name, roles))

    sit("ana")
    return sit


def test_from_limits_to_live_and_back(tunedesk: Run, tmp_path: Path, acting) -> None:
    file = tmp_path / "scope.yaml"
    file.write_text(yaml.safe_dump(make_definition() | {"initial": SAFE | {"fast": 22}}))
    why = ("--reason", "because of the test")
    assert tunedesk("scope", "create", file, *why).stdout == "sma\n"
    id_ = tunedesk(
        "proposal", "create", "sma", "fast=30", "mode=bold", "--rationale", "better", "--submit"
    ).stdout.strip()
    shown = json.loads(tunedesk("proposal", "show", id_, "--json").stdout)
    assert (shown["state"], shown["params"]) == ("in_review", SAFE | {"fast": 30, "mode": "bold"})
    assert "fast: 22 → 30" in tunedesk("proposal", "show", id_[:6]).stdout
    approve = ("proposal", "approve", id_, "--digest", shown["digest"], *why)
    refused = tunedesk(*approve)
    assert (refused.returncode, "somebody else has to approve" in refused.stderr) == (2, True)
    acting("rita")
    assert "is approved" in tunedesk(*approve).stdout
    assert "is live" in tunedesk("proposal", "start", id_).stdout
    assert json.loads(tunedesk("live", "get", "sma", "--json").stdout)["values"]["fast"] == 30
    assert "fast = 40   [override]" in tunedesk("live", "override", "sma", "fast=40", "--hours", "1", *why).stdout
    assert "fast = 22" in tunedesk("live", "rollback", "sma", "1", *why).stdout.replace("40", "22")
    assert "Tripped" in tunedesk("kill", "all", *why).stdout
    assert "kill switch is tripped" in tunedesk("live", "get", "sma").stdout
    assert "Another person" in tunedesk("rearm", "all", *why).stdout
    acting("ron")
    assert "Re-armed" in tunedesk("rearm", "all", *why).stdout
    history = json.loads(tunedesk("live", "history", "sma", "--json").stdout)
    assert [i["values"]["fast"] for i in history] == [22, 20, 40, 40, 30, 22]
    assert "live rollback" in tunedesk("live", "history", "sma").stdout
    assert "rolled_back" in tunedesk("proposal", "list").stdout
    assert "sma" in tunedesk("scope", "list").stdout
    assert tunedesk("live", "tick").stdout == ""
    wide = make_definition()
    wide["parameters"]["fast"]["high"] = 120
    file.write_text(yaml.safe_dump(wide))
    assert "Waits for a second person: the range of fast is wider" in tunedesk("scope", "change", file, *why).stdout
    acting("rose")
    assert "version 2" in tunedesk("scope", "confirm", "sma", *why).stdout
    assert json.loads(tunedesk("scope", "show", "sma").stdout)["version"] == 2
    assert "no ramp" in tunedesk("live", "report", "sma", "dd=0.1").stdout
    assert tunedesk("audit", "verify").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("live", "get", "nothing"), "no scope 'nothing'"),
        (("proposal", "show", "nothing"), "no proposal 'nothing'"),
        (("proposal", "create", "sma"), "give values, or --study"),
        (("live", "override", "sma", "fast", "--hours", "1", "--reason", "why not"), "must look like fast=20"),
    ],
)
def test_a_wrong_word_is_answered_in_one_sentence(tunedesk: Run, arguments: tuple[str, ...], words: str) -> None:
    tunedesk("db", "upgrade")
    said = tunedesk(*arguments)
    assert said.returncode == 2
    assert words in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1
