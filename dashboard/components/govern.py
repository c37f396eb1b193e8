"""What the pages of Govern share: who acts, how a command is given with its reason, states and layers in words."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

from dashboard import data
from dashboard.components.states import Colour
from dashboard.components.text import plain
from engine.analysis.axes import format_value
from engine.errors import InvalidStudy, TunedeskError
from engine.governance import Actor, local_actor
from engine.governance.resolve import Layer
from engine.governance.states import MEANING, ProposalState
from engine.store.governance_records import ProposalRecord

NOTICE_SECONDS = 20.0
_NOTICE = "govern_notice"


@dataclass(frozen=True)
class Look:
    """How a state is shown. light, dark: the fill behind the word in tables."""

    word: str
    icon: str
    colour: Colour
    light: str
    dark: str


_GRAY, _BLUE = ("gray", "#E3E6E8", "#2F3A44"), ("blue", "#CFE6E8", "#174A52")
_AMBER, _GREEN, _RED = (
    ("orange", "#F6E0C6", "#573711"),
    ("green", "#D3E8DA", "#1E4A30"),
    ("red", "#F4D5D0", "#5A2620"),
)


def _look(word: str, icon: str, tone: tuple[Any, str, str]) -> Look:
    return Look(word, f":material/{icon}:", *tone)


PROPOSALS: dict[ProposalState, Look] = {
    "draft": _look("draft", "edit_note", _GRAY),
    "in_review": _look("in review", "rate_review", _BLUE),
    "changes_requested": _look("changes requested", "undo", _AMBER),
    "approved": _look("approved", "verified", _GREEN),
    "rejected": _look("rejected", "block", _RED),
    "withdrawn": _look("withdrawn", "keyboard_return", _GRAY),
    "expired": _look("expired", "timer_off", _GRAY),
    "scheduled": _look("scheduled", "schedule", _BLUE),
    "ramping": _look("ramping", "stairs", _BLUE),
    "paused": _look("paused", "pause_circle", _AMBER),
    "live": _look("live", "check_circle", _GREEN),
    "superseded": _look("superseded", "history", _GRAY),
    "rolled_back": _look("rolled back", "settings_backup_restore", _AMBER),
    "aborted": _look("aborted", "cancel", _RED),
    "suspended": _look("suspended", "sync_problem", _AMBER),
}

LAYERS: dict[Layer, Look] = {
    "kill": _look("killed", "emergency_home", _RED),
    "override": _look("override", "pan_tool", _AMBER),
    "ramp": _look("ramp", "stairs", _BLUE),
    "live": _look("live", "check_circle", _GREEN),
}

ANSWERS: dict[str, Look] = {
    "yes": _look("yes", "check_circle", _GREEN),
    "not yet": _look("not yet", "warning", _AMBER),
    "no": _look("no", "cancel", _RED),
    "missing": _look("missing", "help", _GRAY),
}

CHECKS: dict[str, tuple[str, str]] = {
    "green": (":green[:material/check_circle:]", "passes"),
    "amber": (":orange[:material/warning:]", "doubtful"),
    "red": (":red[:material/cancel:]", "fails"),
    "missing": (":gray[:material/help:]", "not made"),
}

# Solid bands that read the same on light and dark; the words in them say what the colour says.
_BAND = "border-radius:8px;padding:0.9rem 1.1rem;"
_STYLE = (
    "<style>"
    + "".join(
        f'[class*="st-key-band_{kind}"]{{background:{colour};{_BAND}}}'
        f'[class*="st-key-band_{kind}"] *{{color:#fff !important}}'
        for kind, colour in (
            ("kill", "#B3261E"),
            ("override", "#8A4B08"),
            ("ramp", "#0B6470"),
            ("paused", "#5A4A8F"),
            ("live", "#22613C"),
        )
    )
    + '[class*="st-key-danger_"] button{background:#B3261E;border:1px solid #B3261E;color:#fff;font-weight:700;}'
    '[class*="st-key-danger_"] button:hover,[class*="st-key-danger_"] button:focus-visible'
    "{background:#8C1D18;border-color:#8C1D18;color:#fff;}"
    '[class*="st-key-danger_"] button p,[class*="st-key-danger_"] button span{color:#fff;font-weight:700;}'
    '[class*="st-key-danger_"] button:disabled{opacity:0.5;}'
    "</style>"
)


def style() -> None:
    """The bands and the red buttons; once a page."""
    st.html(_STYLE)


def band(kind: Layer | Literal["paused"], title: str, text: str, key: str) -> None:
    """A solid band that says what counts. title and text are Markdown: user text in them is escaped."""
    icon = PROPOSALS["paused"].icon if kind == "paused" else LAYERS[kind].icon
    with st.container(key=f"band_{kind}_{key}", gap="xxsmall"):
        st.markdown(f"### {icon} {title}")
        st.markdown(text)


def proposal_badge(state: str) -> None:
    look = PROPOSALS[state]  # type: ignore[index]
    st.badge(look.word, icon=look.icon, color=look.colour, help=MEANING[state])  # type: ignore[index]


# --- who acts -----------------------------------------------------------------------------------------------


def actor() -> Actor:
    """In whose name the pages act."""
    return local_actor()


def acting_line(more: str = "") -> None:
    """Says in whose name the buttons act, and how somebody else would."""
    st.caption(
        f":material/person: You act as **{plain(actor().name)}**, the account that this dashboard runs under. A "
        "second person acts from an account of their own on this store: `tunedesk dashboard` there, or the command "
        f"line. {more}".rstrip()
    )


# --- commands -----------------------------------------------------------------------------------------------


def give(done: str, command: Callable[..., Any], *arguments: Any, clear: tuple[str, ...] = (), **options: Any) -> bool:
    """Callback of a button: gives a command and keeps what became of it for ``notice``. Whether it was carried out.

    Rights, states and reasons are checked where the command is written, not here. clear: inputs that are emptied.
    """
    try:
        command(data.writable(), *arguments, **options)
    except InvalidStudy as error:
        note("refused", " ".join(str(e) for e in error.errors))
        return False
    except TunedeskError as error:
        note("refused", str(error))
        return False
    for key in clear:
        st.session_state[key] = ""
    note("done", done)
    return True


def note(kind: Literal["done", "refused"], text: str) -> None:
    st.session_state[_NOTICE] = (time.monotonic(), kind, text)


def notice() -> None:
    """What became of the last click."""
    at, kind, text = st.session_state.get(_NOTICE, (0.0, "", ""))
    if not text:
        return
    if kind == "done":
        st.toast(plain(text), icon=":material/check:")
        del st.session_state[_NOTICE]
    elif time.monotonic() - at < NOTICE_SECONDS:
        st.error(plain(text), icon=":material/block:", title="Nothing was changed")
    else:
        del st.session_state[_NOTICE]


def said(key: str) -> str:
    """What stands in an input of the page, for a callback; a key of "" is none."""
    return str((st.session_state.get(key) if key else "") or "")


def sentence(text: str) -> str:
    """Words of a user as an escaped sentence with one full stop."""
    text = text.strip()
    return plain(text) + ("" if text.endswith((".", "!", "?")) else ".")


def reason_box(key: str, placeholder: str = "Why? It stands in the record for good.") -> str:
    """The reason that every command takes; returns the key of the input."""
    st.text_area("Reason", key=key, placeholder=placeholder, height=80)
    return key


# --- values -------------------------------------------------------------------------------------------------


def change_words(before: dict[str, Any], changes: dict[str, Any]) -> str:
    """``fast 20 → 45, slow 100 → 120``, not escaped."""
    words = [f"{n} {format_value(before.get(n))} → {format_value(v)}" for n, v in changes.items() if before.get(n) != v]
    return ", ".join(words)


def name_of(proposal: ProposalRecord) -> str:
    """Its title, or what it sets, not escaped."""
    return proposal.title or ", ".join(f"{n} → {format_value(v)}" for n, v in proposal.changes.items())


def limits_words(definition: Any, name: str) -> str:
    """``2 to 100 in whole steps of 2``, or the choices."""
    p = definition.space[name]
    if hasattr(p, "choices"):
        return ", ".join(format_value(c) for c in p.choices)
    return f"{format_value(p.low)} to {format_value(p.high)}"
