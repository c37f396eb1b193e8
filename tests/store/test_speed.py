"""Queries of pages stay quick: 50,000 trials in a study, 5,000 studies in a store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from engine.store import Store, upgrade
from tests.support.postgres import PostgresServer
from tests.support.studies import copy_study, fill, leased, make_study, run_trial

LIMIT = 0.050
TRIALS, STUDIES = 50_000, 5_000


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """(store, id of the study of 50,000 trials), ids of its listed neighbours come from the list."""
    if request.param == "sqlite":
        url = str(tmp_path_factory.mktemp("large") / "tunedesk.db")
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.database()
    upgrade(url)
    with Store.open(url) as store:
        study_id = make_study(store, "large", budget_trials=TRIALS)
        fill(store, study_id, TRIALS)
        copy_study(store, study_id, STUDIES - 1)
        if request.param == "postgresql":
            server.execute("VACUUM ANALYZE", url.rpartition("/")[2])
        yield store, study_id


QUERIES: dict[str, Callable[[Store, str], object]] = {
    "study": lambda s, i: s.get_study(i),
    "study by the beginning of its id": lambda s, i: s.get_study(i[:8]),
    "revision": lambda s, i: s.revision(i),
    "progress": lambda s, i: s.progress(i),
    "first trials": lambda s, i: s.list_trials(i),
    "last trials": lambda s, i: s.list_trials(i, descending=True),
    "trials far inside": lambda s, i: s.list_trials(i, offset=25_000),
    "best trials": lambda s, i: s.list_trials(i, sort="value", descending=True),
    "trials by an outcome, far inside": lambda s, i: s.list_trials(i, sort="drawdown", offset=40_000),
    "failed trials": lambda s, i: s.list_trials(i, states=["failed"], offset=4_000),
    "complete trials by value, far inside": lambda s, i: s.list_trials(
        i, states=["complete"], sort="value", offset=40_000
    ),
    "failed trials by value": lambda s, i: s.list_trials(i, states=["failed"], sort="value"),
    "latest results": lambda s, i: s.list_trials(i, sort="finished_order", descending=True),
    "studies": lambda s, i: s.list_studies(),
    "last page of studies": lambda s, i: s.list_studies(offset=4_950),
    "studies by name": lambda s, i: s.list_studies(sort="name", descending=False),
    "studies by best": lambda s, i: s.list_studies(sort="best_value"),
    "search of studies": lambda s, i: s.list_studies(search="mean 123"),
    "search that finds none": lambda s, i: s.list_studies(search="nothing like it"),
    "running studies": lambda s, i: s.list_studies(states=["running", "queued"]),
    "sparklines": lambda s, i: s.sparklines([r.id for r in s.list_studies()[0]]),
    "events": lambda s, i: s.events(i),
    "unfinished trials": lambda s, i: s.unfinished_trials(i),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_page_query_takes_less_than_50_ms(large: tuple[Store, str], name: str) -> None:
    store, study_id = large
    QUERIES[name](store, study_id)  # fills the database's cache and ours
    taken = quickest(lambda: QUERIES[name](store, study_id))
    print(f"{name}: {1000 * taken:.1f} ms")
    assert taken < limit()


def limit() -> float:
    """50 ms of a machine of our own; in proportion more where several programs wait for each core."""
    return LIMIT * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def quickest(call: Callable[[], object], times: int = 30) -> float:
    """Seconds of the quickest of several calls, as others use this machine too; it stops once one is quick enough."""
    best = float("inf")
    for i in range(times):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
        if i >= 4 and best < LIMIT:
            break
    return best


def test_the_progress_of_50000_trials_is_small(large: tuple[Store, str]) -> None:
    store, study_id = large
    points = store.progress(study_id)
    assert len(points) < 5000
    assert sum(p.n for p in points if p.state == "failed") == TRIALS / 10


def test_a_write_does_not_slow_down_with_the_length_of_the_study(large: tuple[Store, str]) -> None:
    store, study_id = large
    lease = store.lease_study("engine", study_id)
    assert lease is not None
    taken = quickest(lambda: run_trial(store, lease))  # three transactions: add, start, finish
    _, small = leased(store, "small", engine="another")
    reference = quickest(lambda: run_trial(store, small))
    print(f"a trial: {1000 * taken:.1f} ms after {TRIALS:,} others, {1000 * reference:.1f} ms in a new study")
    assert taken < 3 * reference
