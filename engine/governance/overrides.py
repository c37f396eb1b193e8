"""Manual overrides: single parameters by hand for a limited time; then what was approved counts again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from engine.errors import Conflict, InvalidInput, NotAllowed
from engine.governance import golive
from engine.governance.actors import Actor
from engine.governance.change import change, need_reason
from engine.governance.resolve import Live
from engine.store import Store


def set_override(
    store: Store, scope: str, params: Mapping[str, Any], actor: Actor, reason: str, *, hours: float,
    replace: bool = False,
) -> Live:  # fmt: skip
    """Sets parameters over whatever is live, for ``hours`` at most. What is live then.

    There is one override at a time; ``replace`` puts this one in the place of another. Raises InvalidInput for values
    outside of the hard limits, also together with the rest, or for longer than the scope's policy allows; NotAllowed
    while the kill switch is tripped.
    """
    actor.check("override")
    reason = need_reason(reason)
    with change(store, scope) as this:
        most = this.definition.policy.max_override_hours
        number = not isinstance(hours, bool) and isinstance(hours, (int, float)) and math.isfinite(hours)
        if not number or not 0 < hours <= most:
            raise InvalidInput("hours", f"must be above 0 and at most {most:g}, not {hours!r}.")
        this.check_armed()
        if not params:
            raise InvalidInput("params", "are empty: name a parameter and its value.")
        if this.override() is not None and not replace:
            raise Conflict(f"{scope} is overridden already: clear that first, or replace it.")
        base = this.live().base
        checked = this.definition.check(base | dict(params))
        over = {name: checked[name] for name in params}
        until = this.now + hours * 3600.0
        this.event("override", "set", actor, reason, params=over, until=until)
        this.note(actor, "override.set", params=over, until=until, reason=reason)
        return this.live()


def clear_override(store: Store, scope: str, actor: Actor, reason: str) -> Live:
    """Ends an override before its time. What is live then."""
    actor.check("override")
    reason = need_reason(reason)
    with change(store, scope) as this:
        if this.override() is None:
            raise NotAllowed(f"{scope} isn't overridden.")
        golive.drop_override(this, actor, reason)
        return this.live()
