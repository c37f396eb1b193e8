"""/api/v1/live: values with their tag, the long poll, history, and metrics for the gates."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from dashboard.api import create_api
from engine.governance import kill, live, rollout
from engine.store import Store
from tests.support.governance import ADA, ANA, RITA, SAFE, VIEWER, WHY, approved, make_scope

TOKEN = {"Authorization": "Bearer secret"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "tunedesk.db", create=True) as opened:
        make_scope(opened)
        yield opened


@pytest.fixture
def client(desk: Store) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=[Mount("/api/v1", app=create_api(desk, ADA, "secret"))])) as opened:
        yield opened


def test_values_come_with_a_tag_and_are_not_sent_twice(client: TestClient, desk: Store) -> None:
    first = client.get("/api/v1/live/sma")
    assert first.json()["values"] == SAFE
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = client.get("/api/v1/live/sma", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    kill.trip(desk, "sma", ANA, WHY)
    changed = client.get("/api/v1/live/sma", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["source"]) == (200, "kill")
    assert client.get("/api/v1/live").json()["scopes"][0]["killed"]


def test_a_waiting_reader_is_told_of_a_change(client: TestClient, desk: Store) -> None:
    tag = client.get("/api/v1/live/sma").headers["etag"]
    timer = threading.Timer(0.2, lambda: kill.trip(desk, "sma", ANA, WHY))
    timer.start()
    answer = client.get("/api/v1/live/sma?wait=30", headers={"If-None-Match": tag})
    timer.join()
    assert (answer.status_code, answer.json()["source"]) == (200, "kill")
    assert client.get("/api/v1/live/sma?wait=61").status_code == 400


def test_history_and_the_past(client: TestClient, desk: Store) -> None:
    before = live.get(desk, "sma").at
    rollout.start(desk, approved(desk).id, RITA)
    intervals = client.get("/api/v1/live/sma/history").json()["intervals"]
    assert [i["values"]["fast"] for i in intervals] == [30, 20]
    assert client.get(f"/api/v1/live/sma/history?at={before}").json()["values"] == SAFE
    assert client.get("/api/v1/live/sma/history?at=yesterday").status_code == 400
    assert client.get("/api/v1/live/nothing").status_code == 404
    assert client.get("/api/v1/live/nothing/history").status_code == 404


def test_metrics_take_the_token_and_judge_the_ramp(client: TestClient, desk: Store) -> None:
    url, body = "/api/v1/live/sma/metrics", {"metrics": {"dd": 0.3}}
    assert client.post(url, json=body).status_code == 401
    assert client.post(url, json=body, headers=TOKEN).json() == {"counts": False}
    gates = {"gates": [{"pass": "dd <= 0.1"}], "dwell": 60}
    rollout.start(desk, approved(desk, ramp=gates).id, RITA)
    tag = client.get("/api/v1/live/sma").json()["etag"]
    assert client.post(url, json=body | {"etag": "old"}, headers=TOKEN).json() == {"counts": False}
    assert client.post(url, json=body | {"etag": tag}, headers=TOKEN).json() == {"counts": True}
    assert "aborted" in rollout.tick(desk)[0]
    for bad in ({"metrics": {"dd": "high"}}, {"metrics": {}}, {"metric": {}}, [], {"metrics": {"dd": 1}, "etag": 1}):
        assert client.post(url, json=bad, headers=TOKEN).status_code == 400


def test_a_viewer_reports_nothing(desk: Store) -> None:
    with TestClient(Starlette(routes=[Mount("/api/v1", app=create_api(desk, VIEWER, "secret"))])) as client:
        answer = client.post("/api/v1/live/sma/metrics", json={"metrics": {"dd": 0.3}}, headers=TOKEN)
    assert answer.status_code == 403
