"""The states of a proposal and the only moves between them. Pure; the functions that move are in the modules beside."""

from __future__ import annotations

from typing import Literal, get_args

ProposalState = Literal[
    "draft", "in_review", "changes_requested", "approved", "rejected", "withdrawn", "expired", "scheduled", "ramping",
    "paused", "live", "superseded", "rolled_back", "aborted", "suspended",
]  # fmt: skip
STATES: tuple[ProposalState, ...] = get_args(ProposalState)

Move = Literal[
    "submit", "edit", "rebase", "request_changes", "approve", "reject", "withdraw", "expire", "schedule", "start",
    "pause", "resume", "abort", "finish", "supersede", "roll_back", "restore", "suspend",
]  # fmt: skip

MEANING: dict[ProposalState, str] = {
    "draft": "Only its authors work on it.",
    "in_review": "Waits for approvals.",
    "changes_requested": "A reviewer asks for changes; its authors edit and submit it again.",
    "approved": "Has all its approvals; somebody may start or schedule it.",
    "rejected": "A reviewer said no.",
    "withdrawn": "Its authors took it back.",
    "expired": "Nobody decided in time.",
    "scheduled": "Starts by itself when its time comes.",
    "ramping": "Goes live in steps; the gates between them decide.",
    "paused": "Holds at a step of its ramp and waits for a person.",
    "live": "Its values are live.",
    "superseded": "Was live until another one went live.",
    "rolled_back": "Was live until a person went back to an earlier version.",
    "aborted": "Its ramp was stopped; the values from before are live.",
    "suspended": "What it was compared with is no longer live: its authors rebase it, then it is reviewed again.",
}

_OPEN: tuple[ProposalState, ...] = ("in_review", "changes_requested", "approved", "suspended")

MOVES: dict[Move, dict[ProposalState, ProposalState]] = {
    "submit": {"draft": "in_review", "changes_requested": "in_review"},
    "edit": {
        "draft": "draft", "changes_requested": "changes_requested", "in_review": "in_review", "approved": "in_review",
    },
    "rebase": {
        "draft": "draft", "changes_requested": "changes_requested", "in_review": "in_review", "approved": "in_review",
        "suspended": "in_review",
    },
    "request_changes": {"in_review": "changes_requested", "approved": "changes_requested"},
    "approve": {"in_review": "approved"},
    "reject": dict.fromkeys(("in_review", "approved", "scheduled", "suspended"), "rejected"),
    "withdraw": dict.fromkeys(("draft", *_OPEN, "scheduled"), "withdrawn"),
    "expire": dict.fromkeys((*_OPEN, "scheduled"), "expired"),
    "schedule": {"approved": "scheduled", "scheduled": "scheduled"},
    "start": {"approved": "ramping", "scheduled": "ramping"},
    "pause": {"ramping": "paused"},
    "resume": {"paused": "ramping"},
    "abort": {"ramping": "aborted", "paused": "aborted"},
    "finish": {"ramping": "live"},
    "supersede": {"live": "superseded"},
    "roll_back": {"live": "rolled_back"},
    "restore": {"superseded": "live", "rolled_back": "live"},
    "suspend": dict.fromkeys(("in_review", "approved", "scheduled"), "suspended"),
}  # fmt: skip
"""Move -> where it leads from each state in which it can be made. ``approve`` leads on once there are enough."""

UNDER_WAY: tuple[ProposalState, ...] = ("ramping", "paused")
BOUND: tuple[ProposalState, ...] = ("in_review", "approved", "scheduled")
"""Compared with what is live: they are suspended when that moves."""
EXPIRING: tuple[ProposalState, ...] = (*_OPEN, "scheduled")
ENDED: tuple[ProposalState, ...] = (
    "rejected", "withdrawn", "expired", "superseded", "rolled_back", "aborted",
)  # fmt: skip

_PARTICIPLE: dict[Move, str] = {
    "submit": "submitted", "edit": "edited", "rebase": "rebased", "request_changes": "sent back", "approve": "approved",
    "reject": "rejected", "withdraw": "withdrawn", "expire": "expired", "schedule": "scheduled", "start": "started",
    "pause": "paused", "resume": "resumed", "abort": "aborted", "finish": "finished", "supersede": "superseded",
    "roll_back": "rolled back", "restore": "restored", "suspend": "suspended",
}  # fmt: skip


def why_not(move: Move, state: ProposalState) -> str | None:
    """None if the move can be made in this state, else a sentence's end: ``it can't be approved: it is rejected``."""
    if state in MOVES[move]:
        return None
    return f"it can't be {_PARTICIPLE[move]}: it is {state.replace('_', ' ')}"
