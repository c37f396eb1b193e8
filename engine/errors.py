"""Errors that a person reads: one sentence that says what is wrong, where, and how to mend it.

The dashboard, the CLI and the HTTP API show ``str(error)`` as it is; anything else that escapes is a bug.
"""

from __future__ import annotations

from collections.abc import Sequence


class TunedeskError(Exception):
    """Base of every error that is meant to be read by a user."""


class InvalidInput(TunedeskError):
    """A value that a user gave can't be used.

    ``field`` names it the way a study file does (``parameters.fast.low``), ``problem`` is a sentence.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field = field
        self.problem = problem

    def __reduce__(self):  # exceptions cross process borders
        return type(self), (self.field, self.problem)


class InvalidStudy(TunedeskError):
    """Everything that is wrong with a study definition, at once."""

    def __init__(self, errors: Sequence[InvalidInput]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = list(errors)

    def __reduce__(self):
        return type(self), (self.errors,)


class SpaceExhausted(TunedeskError):
    """Every configuration of a finite space has been tried or is pending."""


class NotAllowed(TunedeskError):
    """The actor lacks the right, or the state of the thing forbids it."""


class NotFound(TunedeskError):
    """There is no such study, trial or objective."""


class Conflict(TunedeskError):
    """Somebody else changed the thing in the meantime."""


class StoreError(TunedeskError):
    """The experiment store can't be opened, is locked, full, or of another version."""


class StoreUnavailable(StoreError):
    """The store can't be reached or written right now; nothing was changed, and trying again later may work."""


class LeaseLost(TunedeskError):
    """Another engine took over the study: this one must drop it, and none of its writes goes through."""
