"""A study as one file: lossless both ways, on both databases, and no file can harm a store."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Conflict, InvalidInput, NotAllowed, StoreError
from engine.governance import Actor, actions, audit
from engine.store import Store, progress, tables
from engine.store.rebuild import Derived
from tests.support.studies import ANALYST, fill, leased, make_study, run_trial


def eventful(store: Store) -> str:
    """A paused study with something of everything."""
    study_id, lease = leased(store, "ünïcode 名", max_attempts=2, tags=("fx",))
    for i in range(12):
        run_trial(store, lease, sharpe=(i * 7 % 5) / 3, drawdown=0.9 if i == 8 else 0.1, x=i / 12)
    run_trial(store, lease, state="failed")
    run_trial(store, lease, state="infeasible")
    trial = store.start_trial(lease, store.add_trial(lease, {"x": 0.1, "kind": "b"}, reason={"text": "why"}).number)
    store.retry_trial(lease, trial.number, 1, "The worker died.", log="first words\n")
    store.abandon_trial(lease, store.add_trial(lease, {"x": 0.2, "kind": "b"}).number, "no more")
    store.save_model(lease, 10, {"lengthscales": [0.1, 1 / 3]}, [{"params": {"x": 0.5}, "mean": 1.0}])
    command = actions.send_command(store, study_id, "pause", ANALYST)
    store.acknowledge(lease, command.id, state="paused", note="done")
    return study_id


def look(store: Store, study_id: str) -> dict[str, Any]:
    """All that can be read of a study, without what belongs to the store and not to it."""
    study = dataclasses.asdict(dataclasses.replace(store.get_study(study_id), now=0.0))
    study["spec"] = store.get_study(study_id).spec
    del study["engine_id"], study["engine_seen_at"]
    trials, _ = store.list_trials(study_id, limit=1000)
    return {
        "study": study,
        "trials": trials,
        "logs": [store.trial_log(study_id, t.number) for t in trials],
        "progress": store.progress(study_id),
        "sparkline": store.sparklines([study_id]),
        "models": [store.model_at(study_id, n) for n, _ in store.models(study_id)],
        "events": [dataclasses.replace(e, id=0) for e in store.events(study_id)],
        "commands": [dataclasses.replace(c, id=0) for c in store.commands(study_id)],
    }


def test_a_study_goes_to_another_database_and_back(store: Store, tmp_path: Path) -> None:
    study_id = eventful(store)
    first, second = tmp_path / "study.jsonl", tmp_path / "again.jsonl.gz"
    store.export_study(study_id[:6], first)
    with Store.open(tmp_path / "other.db", create=True) as other:
        assert actions.import_study(other, first, ANALYST) == study_id
        assert look(other, study_id) == look(store, study_id)
        other.export_study(study_id, second)
        assert audit.entries(other)[0].event["action"] == "study.import"
    assert gzip.decompress(second.read_bytes()) == first.read_bytes()
    assert not list(tmp_path.glob(".*"))  # no partial file is left
    with pytest.raises(Conflict, match="has a study"):
        actions.import_study(store, second, ANALYST)
    copy = actions.import_study(store, second, ANALYST, copy=True)
    expected, copied = look(store, study_id), look(store, copy)
    assert copied["trials"] == expected["trials"]
    assert copied["progress"] == expected["progress"]
    assert len(copied["events"]) == len(expected["events"])


def test_a_large_study_goes_through_as_well(store: Store, tmp_path: Path) -> None:
    study_id = make_study(store, "large")
    fill(store, study_id, 3000)
    store.export_study(study_id, tmp_path / "study.jsonl.gz")
    copy = actions.import_study(store, tmp_path / "study.jsonl.gz", ANALYST, copy=True)
    assert store.finished_trials(copy) == store.finished_trials(study_id)
    assert store.progress(copy) == store.progress(study_id)
    assert store.sparklines([copy])[copy] == store.sparklines([study_id])[study_id]
    assert store.get_study(copy).best_number == store.get_study(study_id).best_number


def test_a_study_under_way_arrives_paused_with_its_running_trials_queued(store: Store, tmp_path: Path) -> None:
    study_id, lease = leased(store)
    run_trial(store, lease)
    store.start_trial(lease, store.add_trial(lease, {"x": 0.5, "kind": "a"}).number)
    store.export_study(study_id, tmp_path / "study.jsonl")
    copy = store.get_study(actions.import_study(store, tmp_path / "study.jsonl", ANALYST, copy=True))
    assert (copy.state, copy.n_running, copy.n_queued, copy.engine_id) == ("paused", 0, 1, None)
    actions.send_command(store, copy.id, "resume", ANALYST)
    again = store.lease_study("engine-9", copy.id)
    assert again is not None
    store.finish_trial(again, 1, store.start_trial(again, 1).attempt, "complete", {"sharpe": 2.0, "drawdown": 0.1})
    assert store.get_study(copy.id).best_value == 2.0


def edit(change: Callable[[list[Any]], Any]) -> Callable[[list[str]], list[str]]:
    """A change of the records, with an end line that fits."""

    def apply(lines: list[str]) -> list[str]:
        records = [json.loads(line) for line in lines[:-1]]
        change(records)
        body = [json.dumps(record) for record in records]
        digest = hashlib.sha256("".join(line + "\n" for line in body).encode()).hexdigest()
        return [*body, json.dumps({"end": {"lines": len(body), "sha256": digest}})]

    return apply


BROKEN: list[tuple[str, Callable[[list[str]], list[str]], str]] = [
    ("empty", lambda lines: [], "line 1: is missing"),
    ("cut off", lambda lines: lines[:-3], "is missing: the file is cut off"),
    ("a line removed", lambda lines: lines[:3] + lines[4:], "was cut or edited"),
    ("no JSON", lambda lines: ["name: x", *lines], "line 1: is not JSON"),
    ("another file", lambda lines: ['{"a": 1}'], "not the header"),
    ("a list", lambda lines: [lines[0], "[]"], "line 2: is not a JSON object"),
    ("NaN", lambda lines: [lines[0], '{"trial": NaN}'], "line 2: is not JSON"),
    ("newer", edit(lambda r: r[0].update(version=2)), "another version"),
    ("unknown kind", edit(lambda r: r.append({"spell": {}})), "'spell', which no file"),
    ("state of a study", edit(lambda r: r[0]["study"].update(state="lost")), "'lost' is no state"),
    ("definition", edit(lambda r: r[0]["study"]["spec"].pop("objectives")), "definition is not valid"),
    ("bounds", edit(lambda r: r[0]["study"]["spec"]["parameters"]["x"].update(low=5)), "definition is not valid"),
    ("missing field", edit(lambda r: r[1]["trial"].pop("params")), "line 2: is not a whole trial"),
    ("type", edit(lambda r: r[1]["trial"].update(number="0")), "number can't be '0'"),
    ("boolean", edit(lambda r: r[1]["trial"].update(number=True)), "number can't be True"),
    ("huge", edit(lambda r: r[1]["trial"].update(attempt=2**70)), "can't be as large"),
    ("state", edit(lambda r: r[1]["trial"].update(state="lost")), "'lost' is no state"),
    ("infinite value", edit(lambda r: r[1]["trial"]["values"].update(sharpe=10**400)), "values.sharpe"),
    ("missing value", edit(lambda r: r[1]["trial"]["values"].pop("sharpe")), "values.sharpe: is missing in trial 0"),
    ("twice", edit(lambda r: r.append(r[1])), "trial 0 stands twice"),
    ("gap", edit(lambda r: r.pop(5)), "numbered without gaps"),
    ("order", edit(lambda r: r[1]["trial"].update(finished_order=2)), "same place|without gaps"),
    ("log of nothing", edit(lambda r: r.append({"log": {"number": 99, "attempt": 1, "text": ""}})), "that it lacks"),
    ("command", edit(lambda r: r[-1]["command"].update(verb="explode")), "'explode' is no command"),
]


def test_a_broken_file_is_refused_with_its_line_and_writes_nothing(store: Store, tmp_path: Path) -> None:
    study_id = eventful(store)
    path = tmp_path / "study.jsonl"
    store.export_study(study_id, path)
    lines = path.read_text(encoding="utf-8").splitlines()
    for name, breaks, words in BROKEN:
        path.write_text("".join(line + "\n" for line in breaks(list(lines))), encoding="utf-8")
        with pytest.raises(InvalidInput, match=words):
            actions.import_study(store, path, ANALYST, copy=True)
        assert store.list_studies()[1] == 1, name
    with store.snapshot() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.trials)) == 16
    assert audit.verify(store).entries == 2


def test_files_that_cant_be_read_or_written(store: Store, tmp_path: Path) -> None:
    study_id = make_study(store)
    with pytest.raises(StoreError, match="can't be written"):
        store.export_study(study_id, tmp_path / "nowhere" / "study.jsonl")
    with pytest.raises(InvalidInput, match="can't be read: No such file"):
        actions.import_study(store, tmp_path / "nothing.jsonl", ANALYST)
    whole = tmp_path / "study.jsonl.gz"
    store.export_study(study_id, whole)
    for content in (whole.read_bytes()[:60], b"\x1f\x8bnonsense", b"\xff\xfe\xff"):
        broken = tmp_path / "broken"
        broken.write_bytes(content)
        with pytest.raises(InvalidInput, match="can't be read"):
            actions.import_study(store, broken, ANALYST, copy=True)
    with pytest.raises(NotAllowed):
        actions.import_study(store, whole, Actor("eve", {"viewer"}))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("rebuild") / "tunedesk.db", create=True) as opened:
        yield opened


@settings(max_examples=20, deadline=None)
@given(
    results=st.lists(
        st.tuples(
            st.sampled_from(["complete", "complete", "complete", "failed", "infeasible"]),
            st.floats(-3, 3),
            st.sampled_from([0.1, 0.9]),
        ),
        max_size=12,
    ),
    random=st.randoms(use_true_random=False),
)
def test_what_is_rebuilt_is_what_the_write_path_had_kept(
    shared: Store, results: list[tuple[Any, float, float]], random: Any
) -> None:
    """Also when trials finish in another order than they began, and with few buckets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "MAX_BUCKETS", 4)
        study_id, lease = leased(shared)
        for _ in results:
            shared.start_trial(lease, shared.add_trial(lease, {"x": 0.5, "kind": "a"}).number)
        order = list(range(len(results)))
        random.shuffle(order)
        for number in order:
            state, sharpe, drawdown = results[number]
            values = {"sharpe": sharpe, "drawdown": drawdown} if state == "complete" else {}
            shared.finish_trial(lease, number, 1, state, values)
        before = look(shared, study_id)
        derived = Derived(before["study"]["spec"].to_dict())
        for trial in before["trials"]:
            derived.add(dataclasses.asdict(trial), trial.values)
        with shared.transaction(durable=False) as connection:
            buckets, trials = tables.progress_buckets, tables.trials
            connection.execute(buckets.delete().where(buckets.c.study_id == study_id))
            forgotten = trials.update().where(trials.c.study_id == study_id)
            connection.execute(forgotten.values(feasible=None, incumbent=False))
            derived.write(connection, study_id)
        assert look(shared, study_id) == before
