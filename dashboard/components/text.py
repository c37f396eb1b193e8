"""Words and numbers as pages show them: user text without its markup, ages, times in the viewer's zone."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&@^=\"'])")
_LIVE = re.compile(
    r"(?<=https:)(?=//)|(?<=http:)(?=//)|(?<=www)(?=\.)|(?=@)|(?<=:)(?=[\w+-]+(?:/\w+)?:)", re.IGNORECASE
)
_JOINER = "\u2060"
"""Invisible. Addresses and :shortcodes: come alive in the browser even when each of their signs is escaped."""


def plain(text: object) -> str:
    """Text of a user for a place that reads Markdown: shown as it is, with no link, image, colour or HTML in it."""
    return _MARKUP.sub(r"\\\1", _LIVE.sub(_JOINER, str(text))).replace("\n", "  \n")


def number(value: float | None, digits: int = 4) -> str:
    """A value in at most ``digits`` significant digits: 0.8123, 1.2e-05, –."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}g}" if abs(value) < 10**digits or abs(value) >= 1e9 else f"{value:,.0f}"


def age(seconds: float) -> str:
    """``now``, ``4 s``, ``3 min``, ``5 h``, ``2 days``."""
    seconds = max(0.0, seconds)
    if seconds < 1:
        return "now"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} days"


def ago(seconds: float) -> str:
    words = age(seconds)
    return words if words == "now" else f"{words} ago"


def count(n: int, word: str, plural: str | None = None) -> str:
    """``1 trial``, ``2 trials``, ``12,000 trials``."""
    return f"{n:,} {word if n == 1 else plural or word + 's'}"


def viewer_zone() -> tzinfo:
    """The time zone of the viewer's browser; UTC where it isn't known."""
    name = st.context.timezone
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def moment(at: float) -> datetime:
    """Seconds since the epoch in the viewer's time zone."""
    return datetime.fromtimestamp(at, viewer_zone())


def moment_words(at: float) -> str:
    """``24 Nov 2026, 12:21``."""
    return f"{moment(at):%-d %b %Y, %H:%M}"
