"""Who may do what, and the record of it: actors, actions, audit chain.

Belongs here: every write of a person, with its right, its rules and its audit entry. Doesn't: the engine's writes
(engine.service, under its lease), SQL (engine.store), pages.
"""

from engine.governance.actors import ROLES, Actor, local_actor

__all__ = ["ROLES", "Actor", "local_actor"]
