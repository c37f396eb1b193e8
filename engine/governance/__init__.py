"""Who may do what, and the record of it: actors, actions, audit chain; and what goes live, by whose decision.

Belongs here: every write of a person, with its right, its rules and its audit entry. Doesn't: the engine's writes
(engine.service, under its lease), SQL (engine.store), pages.

What goes live: ``scopes``, ``limits``, ``states``, ``ramps``, ``gates`` and ``resolve`` are the rules, pure functions
of their arguments. ``scope_changes``, ``proposals``, ``reviews``, ``rollout``, ``live``, ``overrides`` and ``kill`` are
the commands; each works in one transaction through ``change``.
"""

from engine.governance.actors import ROLES, Actor, local_actor

__all__ = ["ROLES", "Actor", "local_actor"]
