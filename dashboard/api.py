"""The HTTP API under /api/v1: the same verbs, checks and sentences as the dashboard and the command line.

Reads are open to whoever reaches the port (loopback unless the operator chose otherwise; beyond it they take the token
too). What changes anything takes the bearer token. Every answer is JSON; an error is
``{"errors": [{"field": …, "problem": …}]}`` with 400, 401, 403, 404, 409, 413, 421, 500 or 503.
"""

from __future__ import annotations

import hmac
import importlib.metadata
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast, get_args

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboard import live_api
from dashboard.guard import host_name
from engine.errors import Conflict, InvalidInput, InvalidStudy, NotAllowed, NotFound, StoreError, TunedeskError
from engine.governance import Actor, actions
from engine.store import Store
from engine.store.records import VERBS, CommandRecord, StudyState, TrialState, Verb
from engine.study import StudySpec

MAX_BODY = 1_000_000
"""Bytes of a request's body; a study of a hundred parameters has some thousands."""
MAX_PAGE = 1000
_LOG = logging.getLogger("tunedesk.api")

Handler = Callable[[Request], Awaitable[Response]]


def create_api(store: Store, actor: Actor, token: str | None, *, token_for_reads: bool = False) -> Starlette:
    """The application to mount at /api/v1.

    actor: in whose name the holder of the token acts. token: None refuses everything that takes a token.
    """
    api = _Api(store, actor, token, token_for_reads)
    routes = [
        Route("/", api.index),
        Route("/health", api.health),
        Route("/studies", api.studies, methods=["GET", "POST"]),
        Route("/studies/{id}", api.study),
        Route("/studies/{id}/commands", api.commands, methods=["GET", "POST"]),
        Route("/studies/{id}/trials", api.trials),
        Route("/live", api.live),
        Route("/live/{scope}", api.live_values),
        Route("/live/{scope}/history", api.live_history),
        Route("/live/{scope}/metrics", api.live_metrics, methods=["POST"]),
    ]
    handlers: dict[Any, Any] = {
        TunedeskError: _tunedesk_error,
        HTTPException: _http_error,
        Exception: _unexpected,
    }
    return Starlette(routes=routes, exception_handlers=handlers)


class _Api:
    def __init__(self, store: Store, actor: Actor, token: str | None, token_for_reads: bool) -> None:
        self.store = store
        self.actor = actor
        self.token = token
        self.token_for_reads = token_for_reads

    # --- reading ------------------------------------------------------------------------------------------

    async def index(self, request: Request) -> Response:
        """What there is, and what each command means."""
        base = str(request.scope.get("root_path", "")).rstrip("/")
        return JSONResponse(
            {
                "name": "Tunedesk",
                "version": version(),
                "routes": {
                    f"GET {base}/health": "Whether the store answers and how many engines are alive.",
                    f"GET {base}/studies": "Studies; ?search= &state= &sort= &order= &limit= &offset=",
                    f"POST {base}/studies": "Creates a study from a study file, as JSON or YAML. Takes the token.",
                    f"GET {base}/studies/{{id}}": "A study with its definition, state and counts.",
                    f"GET {base}/studies/{{id}}/trials": "Trials; ?state= &sort= &order= &limit= &offset=",
                    f"GET {base}/studies/{{id}}/commands": "The latest commands and the engine's answers.",
                    f"POST {base}/studies/{{id}}/commands": '{"verb": …}: sends a command. Takes the token.',
                    f"GET {base}/live": "Every scope and what counts in it.",
                    f"GET {base}/live/{{scope}}": "The live values; with If-None-Match and ?wait= seconds a long poll.",
                    f"GET {base}/live/{{scope}}/history": "What was live from when to when; ?limit=, or ?at= a time.",
                    f"POST {base}/live/{{scope}}/metrics": '{"metrics": {…}}: for the gates. Takes the token.',
                },
                "verbs": VERBS,
            }
        )

    async def health(self, request: Request) -> Response:
        """200 if the store can be read, 503 with the reason if not. Takes no token."""
        engines = await run_in_threadpool(self.store.engines)
        alive = sum(not engine.stale for engine in engines)
        return JSONResponse({"status": "ok", "version": version(), "engines": alive})

    async def studies(self, request: Request) -> Response:
        if request.method == "POST":
            return await self.create(request)
        self.check_read(request)
        query = _Query(request)
        found, total = await run_in_threadpool(
            lambda: self.store.list_studies(
                search=query.text("search"),
                states=cast("list[StudyState] | None", query.words("state", get_args(StudyState))),
                sort=query.text("sort") or "created_at",
                descending=query.descending(default=True),
                limit=query.whole("limit", 50, MAX_PAGE),
                offset=query.whole("offset", 0),
                include_archived=query.flag("archived"),
            )
        )
        return JSONResponse({"total": total, "studies": [study.to_dict() for study in found]})

    async def study(self, request: Request) -> Response:
        self.check_read(request)
        return JSONResponse((await run_in_threadpool(self.store.get_study, request.path_params["id"])).to_dict())

    async def trials(self, request: Request) -> Response:
        self.check_read(request)
        query = _Query(request)

        def read() -> tuple[list[Any], int]:
            study = self.store.get_study(request.path_params["id"])
            return self.store.list_trials(
                study.id,
                states=cast("list[TrialState] | None", query.words("state", get_args(TrialState))),
                sort=query.text("sort") or "number",
                descending=query.descending(default=False),
                limit=query.whole("limit", 100, MAX_PAGE),
                offset=query.whole("offset", 0),
            )

        found, total = await run_in_threadpool(read)
        return JSONResponse({"total": total, "trials": [trial.to_dict() for trial in found]})

    async def commands(self, request: Request) -> Response:
        if request.method == "POST":
            return await self.command(request)
        self.check_read(request)
        limit = _Query(request).whole("limit", 20, MAX_PAGE)

        def read() -> list[CommandRecord]:
            return self.store.commands(self.store.get_study(request.path_params["id"]).id, limit=limit)

        return JSONResponse({"commands": [_command_json(record) for record in await run_in_threadpool(read)]})

    async def live(self, request: Request) -> Response:
        self.check_read(request)
        return await live_api.scopes(self.store)

    async def live_values(self, request: Request) -> Response:
        self.check_read(request)
        return await live_api.current(self.store, request, _Query(request).whole("wait", 0, live_api.MAX_WAIT))

    async def live_history(self, request: Request) -> Response:
        self.check_read(request)
        return await live_api.history(self.store, request, _Query(request).whole("limit", 50, MAX_PAGE))

    # --- writing --------------------------------------------------------------------------------------------

    async def create(self, request: Request) -> Response:
        """A study file -> 201 {"id"}; ?state=paused leaves it waiting for a resume."""
        self.check_write(request)
        self.actor.check("create")
        text = await _body(request)
        state = cast(StudyState, _Query(request).text("state") or "queued")

        def write() -> str:
            spec = StudySpec.from_yaml(text, "body") if _is_yaml(request) else StudySpec.from_dict(_json(text))
            return actions.create_study(self.store, spec, self.actor, state=state)

        id_ = await run_in_threadpool(write)
        place = f"{str(request.url).partition('?')[0].rstrip('/')}/{id_}"
        return JSONResponse({"id": id_}, status_code=201, headers={"Location": place})

    async def command(self, request: Request) -> Response:
        """{"verb": "pause"} -> 202 and the command, whose ``acknowledged_at`` tells when the engine answered."""
        self.check_write(request)
        self.actor.check("command")
        data = _json(await _body(request))
        if not isinstance(data, dict) or data.get("verb") not in list(VERBS):
            raise InvalidInput("verb", f'is missing or unknown: the body is {{"verb": …}} with {", ".join(VERBS)}.')
        verb = cast(Verb, data["verb"])
        unknown = sorted(set(data) - {"verb"})
        if unknown:
            raise InvalidInput(unknown[0], "is not known: a command has a verb and nothing else.")

        def write() -> CommandRecord:
            study = self.store.get_study(request.path_params["id"])
            try:
                return actions.send_command(self.store, study.id, verb, self.actor)
            except NotAllowed as error:  # the right was checked above: what is left is the study's state
                raise Conflict(str(error)) from error

        return JSONResponse(_command_json(await run_in_threadpool(write)), status_code=202)

    async def live_metrics(self, request: Request) -> Response:
        self.check_write(request)
        self.actor.check("metrics")

        async def read(request: Request) -> Any:
            return _json(await _body(request))

        return await live_api.report(self.store, request, self.actor, read)

    # --- who may ----------------------------------------------------------------------------------------------

    def check_read(self, request: Request) -> None:
        if self.token_for_reads:
            self.check_token(request)

    def check_write(self, request: Request) -> None:
        """The token, and for a browser's request that it comes from our own pages."""
        origin = request.headers.get("origin")
        if origin is not None and host_name(origin.partition("://")[2]) != host_name(request.headers.get("host", "")):
            raise HTTPException(403, "Origin: a page of another site can't change anything here.")
        self.check_token(request)

    def check_token(self, request: Request) -> None:
        if self.token is None:
            raise HTTPException(401, "Authorization: this server has no token; start it with TUNEDESK_TOKEN set.")
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self.token.encode()):
            raise HTTPException(401, "Authorization: give the server's token as 'Bearer TOKEN'.")


# --- requests -----------------------------------------------------------------------------------------------


class _Query:
    """The query string; InvalidInput names the argument that can't be used."""

    def __init__(self, request: Request) -> None:
        self.arguments = request.query_params

    def text(self, name: str) -> str:
        return self.arguments.get(name, "")

    def whole(self, name: str, default: int, most: int = 2**31) -> int:
        given = self.arguments.get(name)
        if given is None:
            return default
        if not given.isascii() or not given.isdigit() or len(given) > 10 or int(given) > most:
            raise InvalidInput(name, f"must be a whole number from 0 to {most}, not {given[:40]!r}.")
        return int(given)

    def words(self, name: str, known: Sequence[str]) -> list[str] | None:
        """Repeated or comma-separated; None if the argument isn't there."""
        given = [word for value in self.arguments.getlist(name) for word in value.split(",") if word]
        for word in given:
            if word not in known:
                raise InvalidInput(name, f"{word[:40]!r} is not known; it is one of {', '.join(known)}.")
        return given or None

    def descending(self, *, default: bool) -> bool:
        given = self.arguments.get("order")
        if given not in (None, "asc", "desc"):
            raise InvalidInput("order", f"must be asc or desc, not {given[:40]!r}.")
        return default if given is None else given == "desc"

    def flag(self, name: str) -> bool:
        given = self.arguments.get(name, "false").lower()
        if given not in ("true", "false", "1", "0"):
            raise InvalidInput(name, f"must be true or false, not {given[:40]!r}.")
        return given in ("true", "1")


async def _body(request: Request) -> str:
    """The body as text; stops reading as soon as it is too long, whatever its header promised."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise HTTPException(413, f"body: may have {MAX_BODY:,} bytes.")
        parts.append(part)
    try:
        return b"".join(parts).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("body", "is not text in UTF-8.") from None


def _is_yaml(request: Request) -> bool:
    return "yaml" in request.headers.get("content-type", "").lower()


def _json(text: str) -> Any:
    """Strict JSON: no NaN, and no key twice, for one value would silently replace the other."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, value in items:
            if key in out:
                raise InvalidInput("body", f"the name {key} stands twice.")
            out[key] = value
        return out

    def constant(name: str) -> Any:
        raise InvalidInput("body", f"{name} is not a number that JSON knows.")

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise InvalidInput("body", f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except (ValueError, RecursionError):
        raise InvalidInput("body", "is JSON that can't be read: a number too long, or nested too deeply.") from None


# --- answers --------------------------------------------------------------------------------------------------


def version() -> str:
    try:
        return importlib.metadata.version("tunedesk")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _command_json(command: CommandRecord) -> dict[str, Any]:
    return {
        "id": command.id,
        "study_id": command.study_id,
        "verb": command.verb,
        "meaning": VERBS[command.verb],
        "issued_by": command.issued_by,
        "issued_at": command.issued_at,
        "acknowledged_at": command.acknowledged_at,
        "accepted": command.accepted,
        "note": command.note,
    }


def _errors(status: int, errors: Sequence[tuple[str, str]], headers: dict[str, str] | None = None) -> Response:
    listed = [{"field": field, "problem": problem} for field, problem in errors]
    return JSONResponse({"errors": listed}, status_code=status, headers=headers)


async def _tunedesk_error(request: Request, error: Exception) -> Response:
    if isinstance(error, InvalidStudy):
        return _errors(400, [(e.field, e.problem) for e in error.errors])
    if isinstance(error, InvalidInput):
        return _errors(400, [(error.field, error.problem)])
    for kind, status in ((NotFound, 404), (Conflict, 409), (NotAllowed, 403), (StoreError, 503)):
        if isinstance(error, kind):
            return _errors(status, [("", str(error))])
    return _errors(400, [("", str(error))])


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    field, _, problem = str(error.detail).partition(": ")
    if error.status_code == 404:
        field, problem = "", f"There is nothing at {request.url.path}: GET /api/v1/ lists what there is."
    elif error.status_code == 405:
        field, problem = "", f"{request.method} can't be done here."
    elif not problem:
        field, problem = "", field
    headers = dict(error.headers or {})
    if error.status_code == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="tunedesk"'
    return _errors(error.status_code, [(field, problem)], headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    if not isinstance(error, ClientDisconnect):
        _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _errors(500, [("", "Something went wrong in the server; its log has the details.")])
