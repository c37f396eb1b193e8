"""The HTTP API: the same verbs and sentences as everywhere, the token, and nothing written by a request that fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.testclient import TestClient

from dashboard.api import MAX_BODY, create_api
from dashboard.guard import HostGuard, own_names
from engine.governance import Actor
from engine.store import Store
from engine.store.records import VERBS
from tests.dashboard.conftest import study_called
from tests.dashboard.seeding import ANALYST, HOSTILE_NAME, Engine

TOKEN = "a-token-of-the-tests"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
BRANIN: dict[str, Any] = {
    "name": "branin",
    "objective": "engine.objectives.synthetic:branin",
    "budget": {"trials": 20},
    "seed": 3,
}


def client_of(store: Store, actor: Actor = ANALYST, token: str | None = TOKEN, **options: Any) -> TestClient:
    app = Starlette(
        routes=[Mount("/api/v1", app=create_api(store, actor, token, **options))],
        middleware=[Middleware(HostGuard, names=own_names())],
    )
    return TestClient(app, base_url="http://127.0.0.1:8501", raise_server_exceptions=False)


@pytest.fixture
def client(full_store: Store) -> Iterator[TestClient]:
    with client_of(full_store) as client:
        yield client


def fields(answer: Any) -> list[str]:
    return [error["field"] for error in answer.json()["errors"]]


# --- reading ---------------------------------------------------------------------------------------------------


def test_health_tells_of_store_and_engines(client: TestClient) -> None:
    answer = client.get("/api/v1/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["engines"] == 1


def test_index_documents_every_verb_in_its_words(client: TestClient) -> None:
    assert client.get("/api/v1/").json()["verbs"] == VERBS


def test_studies_are_found_sorted_and_paged(client: TestClient) -> None:
    everything = client.get("/api/v1/studies").json()
    assert everything["total"] == 7
    assert HOSTILE_NAME in [study["name"] for study in everything["studies"]]
    running = client.get("/api/v1/studies?state=running,paused&sort=name&order=asc&limit=2&offset=1").json()
    assert running["total"] == 4
    names = [study["name"] for study in running["studies"]]
    assert names == sorted(names)
    assert len(names) == 2
    assert client.get("/api/v1/studies?search=imbalance").json()["studies"][0]["state"] == "failed"


def test_a_study_carries_its_definition_and_counts(client: TestClient, full_store: Store) -> None:
    study = full_store.get_study(study_called(full_store, "WTI"))
    answer = client.get(f"/api/v1/studies/{study.id}").json()
    assert answer["spec"] == study.spec.to_dict()
    assert answer["n_finished"] == 40
    assert answer["best_value"] == study.best_value


def test_trials_are_paged_and_sorted_by_value(client: TestClient, full_store: Store) -> None:
    study = full_store.get_study(study_called(full_store, "WTI"))
    answer = client.get(f"/api/v1/studies/{study.id}/trials?state=complete&sort=value&order=desc&limit=3").json()
    assert answer["total"] == study.n_complete
    values = [trial["values"]["sharpe"] for trial in answer["trials"]]
    assert values == sorted(values, reverse=True)
    assert values[0] == study.best_value


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/studies/0123456789ab", 404),
        ("/api/v1/studies/0123456789ab/trials", 404),
        ("/api/v1/nothing", 404),
        ("/api/v1/studies?limit=-1", 400),
        ("/api/v1/studies?limit=1000000", 400),
        ("/api/v1/studies?limit=²", 400),
        ("/api/v1/studies?offset=x", 400),
        ("/api/v1/studies?sort=spec", 400),
        ("/api/v1/studies?order=up", 400),
        ("/api/v1/studies?state=odd", 400),
        ("/api/v1/studies?archived=maybe", 400),
    ],
)
def test_bad_questions_get_a_sentence_in_json(path: str, status: int, client: TestClient) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    [error] = answer.json()["errors"]
    assert error["problem"].endswith(".")
    if status == 400:
        assert error["field"] == path.partition("?")[2].partition("=")[0]


# --- creating ----------------------------------------------------------------------------------------------------


def test_a_study_is_created_from_json_and_from_yaml(client: TestClient, full_store: Store) -> None:
    answer = client.post("/api/v1/studies", json=BRANIN, headers=AUTHORIZED)
    assert answer.status_code == 201
    created = full_store.get_study(answer.json()["id"])
    assert answer.headers["Location"].endswith(f"/api/v1/studies/{created.id}")
    assert (created.name, created.state, created.owner, created.spec.seed) == ("branin", "queued", "ada", 3)
    headers = AUTHORIZED | {"Content-Type": "application/yaml"}
    answer = client.post("/api/v1/studies?state=paused", content=yaml.safe_dump(BRANIN), headers=headers)
    assert full_store.get_study(answer.json()["id"]).state == "paused"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"objective": "engine.objectives.synthetic:nope"}, "objective"),
        ({"objective": "os:system"}, "objective"),
        ({"parameters": {}}, "parameters"),
        ({"parameters": {"x": {"type": "float", "low": 1, "high": 0}}}, "parameters.x"),
        ({"parameters": {"x": {"type": "float", "low": 0, "high": 1, "log": True}}}, "parameters.x.low"),
        ({"parameters": {"x": {"type": "odd"}}}, "parameters.x.type"),
        ({"constraints": ["x > 100"], "parameters": {"x": {"type": "float", "low": 0, "high": 1}}}, "constraints"),
        ({"constraints": ["nope < 1"]}, "constraints['nope < 1']"),
        ({"objectives": [{"name": "nope"}]}, "objectives"),
        ({"budget": {"trials": 0}}, "budget.trials"),
        ({"budget": {"money": 3}}, "budget.money"),
        ({"workers": "two"}, "workers"),
        ({"seed": 1.5}, "seed"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_each_error_of_a_study_names_its_field_and_nothing_is_written(
    change: dict, field: str, client: TestClient, full_store: Store
) -> None:
    answer = client.post("/api/v1/studies", json=BRANIN | change, headers=AUTHORIZED)
    assert answer.status_code == 400
    assert field in fields(answer)
    assert full_store.list_studies()[1] == 7


def test_all_errors_come_at_once(client: TestClient) -> None:
    wrong = {"name": "", "budget": {"trials": 0}, "workers": 0}
    answer = client.post("/api/v1/studies", json=wrong, headers=AUTHORIZED)
    assert {"name", "objective", "budget.trials", "workers"} <= set(fields(answer))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"name": NaN}',
        b'{"name": "a", "name": "b"}',
        b"[" * 100_000,
        b'{"seed": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_body_that_is_no_study_gets_a_sentence(body: bytes, client: TestClient, full_store: Store) -> None:
    answer = client.post("/api/v1/studies", content=body, headers=AUTHORIZED)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["problem"].endswith(".")
    assert full_store.list_studies()[1] == 7


@pytest.mark.parametrize("text", ["a: [", "a: &x [1]\nb: *x", "a: 1\na: 2", "[" * 5000])
def test_yaml_that_cannot_be_read_gets_a_sentence(text: str, client: TestClient) -> None:
    answer = client.post("/api/v1/studies", content=text, headers=AUTHORIZED | {"Content-Type": "text/yaml"})
    assert answer.status_code == 400


def test_a_body_beyond_the_limit_is_refused(client: TestClient, full_store: Store) -> None:
    body = json.dumps(BRANIN | {"notes": "x" * MAX_BODY})
    assert client.post("/api/v1/studies", content=body, headers=AUTHORIZED).status_code == 413

    def chunks() -> Iterator[bytes]:  # without a length in the header
        for _ in range(20):
            yield b"x" * 100_000

    assert client.post("/api/v1/studies", content=chunks(), headers=AUTHORIZED).status_code == 413
    assert full_store.list_studies()[1] == 7


# --- commands ----------------------------------------------------------------------------------------------------


def test_a_command_is_sent_and_listed(client: TestClient, full_store: Store) -> None:
    study_id = study_called(full_store, "Queued")
    answer = client.post(f"/api/v1/studies/{study_id}/commands", json={"verb": "pause"}, headers=AUTHORIZED)
    assert answer.status_code == 202
    assert answer.json()["meaning"] == VERBS["pause"]
    assert full_store.get_study(study_id).state == "paused"
    listed = client.get(f"/api/v1/studies/{study_id}/commands").json()["commands"]
    assert [command["verb"] for command in listed] == ["pause"]


def test_a_command_to_a_living_engine_waits_for_its_answer(empty_store: Store) -> None:
    from engine.governance import actions
    from tests.dashboard.seeding import sma_spec

    study_id = actions.create_study(empty_store, sma_spec(), ANALYST)
    Engine(empty_store).run(study_id, 2)
    with client_of(empty_store) as client:
        answer = client.post(f"/api/v1/studies/{study_id}/commands", json={"verb": "stop"}, headers=AUTHORIZED)
    assert answer.json()["acknowledged_at"] is None
    assert empty_store.get_study(study_id).state == "running"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"verb": "resume"}, 409, ""),
        ({"verb": "explode"}, 400, "verb"),
        ({}, 400, "verb"),
        ([], 400, "verb"),
        ({"verb": ["pause"]}, 400, "verb"),
        ({"verb": "pause", "force": True}, 400, "force"),
    ],
)
def test_a_command_that_cannot_be_carried_out_changes_nothing(
    body: Any, status: int, field: str, client: TestClient, full_store: Store
) -> None:
    study_id = study_called(full_store, "WTI")  # complete
    before = full_store.revision(study_id)
    answer = client.post(f"/api/v1/studies/{study_id}/commands", json=body, headers=AUTHORIZED)
    assert answer.status_code == status
    assert fields(answer) == [field]
    assert full_store.revision(study_id) == before
    assert full_store.commands(study_id) == []


# --- who may -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer \xe9".encode("latin-1")},
    ],
)
def test_writing_takes_the_token(headers: dict, client: TestClient, full_store: Store) -> None:
    study_id = study_called(full_store, "Queued")
    for path, body in (("/api/v1/studies", BRANIN), (f"/api/v1/studies/{study_id}/commands", {"verb": "pause"})):
        answer = client.post(path, json=body, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert fields(answer) == ["Authorization"]
    assert full_store.list_studies()[1] == 7
    assert full_store.get_study(study_id).state == "queued"


def test_without_a_token_of_its_own_a_server_takes_no_writes(full_store: Store) -> None:
    with client_of(full_store, token=None) as client:
        answer = client.post("/api/v1/studies", json=BRANIN, headers={"Authorization": "Bearer "})
    assert answer.status_code == 401
    assert "TUNEDESK_TOKEN" in answer.json()["errors"][0]["problem"]


def test_a_viewer_with_the_token_may_not_write(full_store: Store) -> None:
    with client_of(full_store, actor=Actor("vic", {"viewer"})) as client:
        answer = client.post("/api/v1/studies", json=BRANIN, headers=AUTHORIZED)
    assert answer.status_code == 403
    assert "vic may not create studies" in answer.json()["errors"][0]["problem"]


def test_beyond_loopback_reading_takes_the_token_too(full_store: Store) -> None:
    with client_of(full_store, token_for_reads=True) as client:
        assert client.get("/api/v1/studies").status_code == 401
        assert client.get("/api/v1/studies", headers=AUTHORIZED).status_code == 200
        assert client.get("/api/v1/health").status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://127.0.0.1.evil.test"])
def test_a_page_of_another_site_changes_nothing(origin: str, client: TestClient, full_store: Store) -> None:
    answer = client.post("/api/v1/studies", json=BRANIN, headers=AUTHORIZED | {"Origin": origin})
    assert answer.status_code == 403
    assert full_store.list_studies()[1] == 7
    ours = AUTHORIZED | {"Origin": "http://127.0.0.1:8501"}
    assert client.post("/api/v1/studies", json=BRANIN, headers=ours).status_code == 201


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8501", 200),
        ("localhost:8501", 200),
        ("LOCALHOST", 200),
        ("[::1]:8501", 200),
        ("192.168.1.7", 200),
        ("evil.test", 421),
        ("127.0.0.1.evil.test:8501", 421),
        ("localhost.evil.test", 421),
        ("", 421),
    ],
)
def test_a_rebound_name_is_refused(host: str, status: int, client: TestClient) -> None:
    answer = client.get("/api/v1/health", headers={"Host": host})
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_method_that_does_not_exist_is_json_too(client: TestClient) -> None:
    answer = client.delete("/api/v1/studies")
    assert answer.status_code == 405
    assert answer.json()["errors"][0]["problem"]


def test_a_store_that_fails_is_503_and_a_bug_is_500_without_details(full_store: Store, monkeypatch) -> None:
    from engine.errors import StoreUnavailable

    def unavailable() -> Any:
        raise StoreUnavailable("The store is locked: try again.")

    def broken() -> Any:
        raise RuntimeError("secret details")

    with client_of(full_store) as client:
        monkeypatch.setattr(full_store, "engines", unavailable)
        assert client.get("/api/v1/health").status_code == 503
        monkeypatch.setattr(full_store, "engines", broken)
        answer = client.get("/api/v1/health")
    assert answer.status_code == 500
    assert "secret" not in answer.text
