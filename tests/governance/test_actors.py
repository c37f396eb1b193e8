"""Who may do what."""

from __future__ import annotations

import getpass

import pytest

from engine.errors import InvalidInput, NotAllowed
from engine.governance import ROLES, Actor, local_actor
from engine.governance.actors import RIGHTS


def test_a_viewer_has_no_right_and_an_engine_only_proposes_and_reports() -> None:
    for right in RIGHTS:
        assert not Actor("eve", {"viewer"}).may(right)
        assert not Actor("nobody").may(right)
    assert {right for right in RIGHTS if Actor("engine-1", {"engine"}).may(right)} == {"propose", "metrics"}


def test_a_risk_manager_commands_but_does_not_create() -> None:
    risk = Actor("rita", {"risk_manager"})
    risk.check("command")
    with pytest.raises(NotAllowed, match="rita may not create studies: that takes the role admin or analyst"):
        risk.check("create")


def test_the_local_user_has_every_role_of_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_actor().roles == set(ROLES) - {"engine"}
    assert local_actor().name == getpass.getuser()

    def unknown() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", unknown)
    assert local_actor().name == "local user"


@pytest.mark.parametrize(("name", "roles"), [("", ["admin"]), ("  ", []), ("ana", ["root"])])
def test_an_actor_needs_a_name_and_known_roles(name: str, roles: list[str]) -> None:
    with pytest.raises(InvalidInput):
        Actor(name, roles)
