"""The audit chain: every decision of a person, each entry bound to the one before it.

hash_i = sha256(hash_{i-1} || event_i), where event_i is canonical JSON (UTF-8, sorted keys, no spaces) and hash_0 is
64 zeros; hashes enter as their hexadecimal text. Changing, inserting or removing an entry breaks every hash after it.
Whoever can rewrite the whole table can also rewrite the chain: keep the head that an export prints somewhere else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from sqlalchemy.engine import Connection

from engine.governance.actors import Actor
from engine.store import Store, audit_log
from engine.store.database import now
from engine.store.values import plain

GENESIS = "0" * 64


@dataclass(frozen=True)
class Entry:
    """One link. ``event``: seq, at (seconds since the epoch, the database's clock), actor, action, study, details."""

    seq: int
    event: dict[str, Any]
    hash: str


@dataclass(frozen=True)
class Verdict:
    """entries: links that are whole. head: hash of the last of them. bad_seq: where the chain first diverges."""

    ok: bool
    entries: int
    head: str
    bad_seq: int | None
    text: str


def canonical(event: Mapping[str, Any]) -> str:
    """The one JSON text of an event."""
    return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def link(previous: str, event: str) -> str:
    """The hash of an entry: previous hash and canonical text -> 64 hexadecimal digits."""
    return hashlib.sha256((previous + event).encode("utf-8")).hexdigest()


def append(
    connection: Connection, actor: Actor, action: str, study_id: str | None, details: Mapping[str, Any] | None = None
) -> int:
    """Adds an entry in the caller's transaction, as its last write: the action and its record stand or fall together.

    Returns its number.
    """
    seq, previous = audit_log.lock_head(connection)
    event = {
        "seq": seq + 1,
        "at": now(connection),
        "actor": actor.name,
        "action": action,
        "study": study_id,
        "details": details or {},
    }
    # Lone surrogates have no UTF-8: the escaped form is what both hash and database can hold.
    words = canonical(plain("details", event)).encode("utf-8", "backslashreplace").decode("utf-8")
    audit_log.append(connection, seq + 1, study_id, words, link(previous, words))
    return seq + 1


def verify(store: Store) -> Verdict:
    """Walks the whole chain and names the first entry that doesn't fit."""
    with store.snapshot() as connection:
        head = audit_log.head(connection)
        previous, expected = GENESIS, 1
        for row in audit_log.entries(connection):
            if row.seq != expected:
                return _broken(expected, previous, f"entry {expected} is missing")
            if link(previous, row.event) != row.hash:
                return _broken(expected, previous, f"entry {expected} was changed")
            if not _labelled(row.event, row.seq, row.study_id):
                return _broken(expected, previous, f"entry {expected} is filed under another study or number")
            previous, expected = row.hash, expected + 1
    n = expected - 1
    if head is None:
        return _broken(n + 1, previous, "its head was removed")
    if head[0] > n:
        return _broken(n + 1, previous, f"its end was cut off: {head[0]} entries were written, {n} are left")
    if head[0] < n:
        return _broken(head[0] + 1, previous, f"it is longer than its head says: {n} entries instead of {head[0]}")
    if head[1] != previous:
        return _broken(n, previous, "its head doesn't fit the last entry")
    return Verdict(True, n, previous, None, f"The audit chain is whole: {n} entries, head {previous}.")


def entries(store: Store, study_id: str | None = None, limit: int = 100) -> list[Entry]:
    """The newest entries first, of one study or all."""
    with store.snapshot() as connection:
        rows = audit_log.latest(connection, study_id, limit)
    return [Entry(row.seq, json.loads(row.event), row.hash) for row in rows]


def page(
    store: Store, *, actions: str = "", actor: str = "", search: str = "", limit: int = 50, offset: int = 0
) -> tuple[list[Entry], int]:
    """The newest entries first that fit, and how many fit in all.

    actions: a beginning, such as ``proposal.``. search: text that stands anywhere in the entry, case ignored.
    """
    with store.snapshot() as connection:
        rows, total = audit_log.page(
            connection, actions=actions, actor=actor, search=search, limit=limit, offset=offset
        )  # fmt: skip
    return [Entry(row.seq, json.loads(row.event), row.hash) for row in rows], total


def export_lines(store: Store) -> Iterator[str]:
    """The chain as JSON lines: {"event", "hash"} each, and at the end {"entries", "head"}, the anchor to keep."""
    previous, n = GENESIS, 0
    with store.snapshot() as connection:
        for row in audit_log.entries(connection):
            yield f'{{"event":{row.event},"hash":"{row.hash}"}}'
            previous, n = row.hash, n + 1
    yield json.dumps({"entries": n, "head": previous})


def export(store: Store, actor: Actor, out: IO[str]) -> int:
    """Writes ``export_lines`` and returns the number of entries. Raises NotAllowed without the right."""
    actor.check("export_audit")
    n = 0
    for line in export_lines(store):
        out.write(line + "\n")
        n += 1
    return n - 1  # the last line is the anchor


def _broken(seq: int, head: str, words: str) -> Verdict:
    return Verdict(False, seq - 1, head, seq, f"The audit chain is broken: {words}.")


def _labelled(event: str, seq: int, study_id: str | None) -> bool:
    try:
        content = json.loads(event)
        return content["seq"] == seq and content["study"] == study_id
    except (ValueError, TypeError, KeyError):
        return False
