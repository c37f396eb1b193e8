"""The audit chain: every change of a past entry is found, where it begins."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import NotAllowed
from engine.governance import Actor, audit
from engine.store import Store, tables
from tests.support.studies import ANALYST, make_study

AUDITOR = Actor("rita", {"risk_manager"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def add(store: Store, *details: dict) -> None:
    for detail in details:
        with store.transaction() as connection:
            audit.append(connection, ANALYST, "note", None, detail)


def test_an_empty_chain_is_whole(store: Store) -> None:
    verdict = audit.verify(store)
    assert (verdict.ok, verdict.entries, verdict.head) == (True, 0, "0" * 64)


def test_the_chain_is_sha256_over_canonical_json(store: Store) -> None:
    add(store, {"b": 1, "a": "ü"}, {})
    second, first = audit.entries(store)
    text = json.dumps(first.event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert first.hash == hashlib.sha256(("0" * 64 + text).encode()).hexdigest()
    text = json.dumps(second.event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert second.hash == hashlib.sha256((first.hash + text).encode()).hexdigest()
    assert first.event | {"at": 0} == {
        "seq": 1, "at": 0, "actor": "ana", "action": "note", "study": None, "details": {"a": "ü", "b": 1}
    }  # fmt: skip
    assert audit.verify(store).head == second.hash


TAMPERING = [
    ("UPDATE audit_entries SET event = replace(event, 'ana', 'eve') WHERE seq = 3", 3, "entry 3 was changed"),
    ("UPDATE audit_entries SET hash = 'x' WHERE seq = 2", 2, "entry 2 was changed"),
    ("UPDATE audit_entries SET study_id = 'other' WHERE seq = 2", 2, "filed under another"),
    ("DELETE FROM audit_entries WHERE seq = 4", 4, "entry 4 is missing"),
    ("DELETE FROM audit_entries WHERE seq = 5", 5, "cut off: 5 entries were written, 4 are left"),
    ("DELETE FROM audit_entries", 1, "cut off"),
    ("UPDATE audit_entries SET seq = 9 WHERE seq = 5", 5, "entry 5 is missing"),
    ("UPDATE audit_head SET seq = 4", 5, "longer than its head says"),
    ("UPDATE audit_head SET hash = 'x'", 5, "head doesn't fit"),
    ("DELETE FROM audit_head", 6, "head was removed"),
]


def test_the_first_divergence_is_found(store: Store) -> None:
    add(store, *({"i": i} for i in range(5)))
    kept = {}
    with store.snapshot() as connection:
        for table in (tables.audit_entries, tables.audit_head):
            kept[table] = [dict(row._mapping) for row in connection.execute(sa.select(table))]
    for statement, seq, words in TAMPERING:
        assert audit.verify(store).ok
        with store.transaction() as connection:
            connection.execute(sa.text(statement))
        verdict = audit.verify(store)
        assert (verdict.ok, verdict.bad_seq, verdict.entries) == (False, seq, seq - 1), statement
        assert words in verdict.text
        with store.transaction() as connection:
            for table, rows in kept.items():
                connection.execute(table.delete())
                connection.execute(table.insert(), rows)


def test_an_export_holds_all_and_its_anchor(store: Store) -> None:
    make_study(store, "first")
    make_study(store, "second")
    out = io.StringIO()
    assert audit.export(store, AUDITOR, out) == 2
    *lines, anchor = [json.loads(line) for line in out.getvalue().splitlines()]
    previous = "0" * 64
    for line in lines:
        previous = audit.link(previous, audit.canonical(line["event"]))
        assert previous == line["hash"]
    assert anchor == {"entries": 2, "head": previous}
    with pytest.raises(NotAllowed):
        audit.export(store, ANALYST, out)


def test_entries_of_one_study(store: Store) -> None:
    first, second = make_study(store, "first"), make_study(store, "second")
    assert [e.event["study"] for e in audit.entries(store, second)] == [second]
    assert audit.entries(store)[-1].event["details"]["definition"]["name"] == "first"
    assert first != second


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store whose chain grows over all examples."""
    path: Path = tmp_path_factory.mktemp("chain") / "tunedesk.db"
    with Store.open(path, create=True) as store:
        yield store


@settings(max_examples=40, deadline=None)
@given(
    details=st.lists(st.dictionaries(st.text(), JSON, max_size=3), min_size=1, max_size=4),
    which=st.floats(0, 1, exclude_max=True),
    where=st.floats(0, 1, exclude_max=True),
    letter=st.characters(min_codepoint=32, max_codepoint=126),
)
def test_whatever_is_recorded_verifies_and_any_later_change_is_found(
    chain: Store, details: list[dict], which: float, where: float, letter: str
) -> None:
    add(chain, *details)
    verdict = audit.verify(chain)
    assert verdict.ok
    assert audit.entries(chain)[0].event["details"] == json.loads(json.dumps(details[-1]))
    victim = 1 + int(which * verdict.entries)
    row = tables.audit_entries.c.seq == victim
    with chain.snapshot() as connection:
        event = connection.scalar(sa.select(tables.audit_entries.c.event).where(row))
    place = int(where * len(event))
    changed = event[:place] + letter + event[place + 1 :]
    if changed == event:
        changed = event[:place] + event[place + 1 :]
    with chain.transaction() as connection:
        connection.execute(tables.audit_entries.update().where(row).values(event=changed))
    assert audit.verify(chain).bad_seq == victim
    with chain.transaction() as connection:
        connection.execute(tables.audit_entries.update().where(row).values(event=event))
