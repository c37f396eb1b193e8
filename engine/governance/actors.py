"""Who acts, and what each role may do."""

from __future__ import annotations

import getpass
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

from engine.errors import InvalidInput, NotAllowed

Role = Literal["analyst", "risk_manager", "viewer", "engine", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

Right = Literal[
    "create", "command", "edit", "archive", "enqueue", "report", "import", "export_audit",
    "limits", "propose", "review", "apply", "stop", "rearm", "rollback", "override", "metrics",
]  # fmt: skip

RIGHTS: dict[Right, frozenset[Role]] = {
    "create": frozenset({"analyst", "admin"}),
    "command": frozenset({"analyst", "risk_manager", "admin"}),
    "edit": frozenset({"analyst", "admin"}),
    "archive": frozenset({"analyst", "admin"}),
    "enqueue": frozenset({"analyst", "admin"}),
    "report": frozenset({"analyst", "admin"}),
    "import": frozenset({"analyst", "admin"}),
    "export_audit": frozenset({"risk_manager", "admin"}),
    "limits": frozenset({"risk_manager", "admin"}),
    "propose": frozenset({"analyst", "risk_manager", "admin", "engine"}),
    "review": frozenset({"risk_manager", "admin"}),
    "apply": frozenset({"risk_manager", "admin"}),
    "stop": frozenset({"analyst", "risk_manager", "admin"}),
    "rearm": frozenset({"risk_manager", "admin"}),
    "rollback": frozenset({"risk_manager", "admin"}),
    "override": frozenset({"risk_manager", "admin"}),
    "metrics": frozenset({"analyst", "risk_manager", "admin", "engine"}),
}
"""Which roles have a right. An engine writes studies under its lease alone; it may propose and report, no more."""

_IN_WORDS: dict[Right, str] = {
    "create": "create studies",
    "command": "pause, resume, stop or cancel studies",
    "edit": "change studies",
    "archive": "archive studies",
    "enqueue": "add trials",
    "report": "report results",
    "import": "import studies",
    "export_audit": "export the audit chain",
    "limits": "define scopes, limits and freeze windows",
    "propose": "propose values",
    "review": "review proposals",
    "apply": "start, schedule or resume a proposal",
    "stop": "stop what goes live",
    "rearm": "re-arm a kill switch",
    "rollback": "roll back",
    "override": "override live values",
    "metrics": "report live metrics",
}


@dataclass(frozen=True)
class Actor:
    """A person or program that acts: the name stands in the audit chain. Raises InvalidInput for an unknown role."""

    name: str
    roles: frozenset[Role] = field(default_factory=frozenset)

    def __init__(self, name: str, roles: Iterable[str] = ()) -> None:
        if not isinstance(name, str) or not name.strip():
            raise InvalidInput("actor", "needs a name.")
        chosen = frozenset(roles)
        if unknown := sorted(chosen - set(ROLES)):
            raise InvalidInput("actor", f"{unknown[0]!r} is no role; roles are {', '.join(ROLES)}.")
        object.__setattr__(self, "name", name.strip())
        object.__setattr__(self, "roles", chosen)

    def may(self, right: Right) -> bool:
        return bool(self.roles & RIGHTS[right])

    def check(self, right: Right) -> None:
        """Raises NotAllowed, saying who could."""
        if not self.may(right):
            who = " or ".join(sorted(role.replace("_", " ") for role in RIGHTS[right]))
            raise NotAllowed(f"{self.name} may not {_IN_WORDS[right]}: that takes the role {who}.")


def identity(name: str) -> str:
    """Equal for names that mean the same person, however they are written."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def local_actor() -> Actor:
    """The user of this machine's account, with every role of a person: for the CLI and an unshared dashboard.

    Roles don't lift the rule that nobody approves their own change; that one looks at the name.
    """
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an account without an entry, as in some containers
        name = "local user"
    return Actor(name, set(ROLES) - {"engine"})
