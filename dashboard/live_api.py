"""/api/v1/live: what trading programs read, and the metrics that they report. ETag and long poll, so that a change
reaches them at once and an unchanged answer costs nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engine.errors import InvalidInput
from engine.governance import Actor, live, rollout
from engine.governance.resolve import Live
from engine.store import Store

MAX_WAIT = 60
"""Seconds that a reader may ask to be kept waiting for a change."""
POLL_SECONDS = 0.5


async def scopes(store: Store) -> Response:
    """Every scope with what counts in it."""
    found = await run_in_threadpool(live.overview, store)
    return JSONResponse(
        {"scopes": [{"area": v.definition.area, "tier": v.definition.tier, **v.live.to_dict()} for v in found]}
    )


async def current(store: Store, request: Request, wait: int) -> Response:
    """The values that count now. With If-None-Match: 304 while they are the same, at the latest after ``wait`` s."""
    scope = request.path_params["scope"]
    known = [tag.strip().removeprefix("W/").strip('"') for tag in request.headers.get("if-none-match", "").split(",")]
    deadline = time.monotonic() + wait
    found: Live = await run_in_threadpool(live.get, store, scope)
    while found.etag in known:
        left = deadline - time.monotonic()
        if left <= 0 or await request.is_disconnected():
            return Response(status_code=304, headers=_headers(found))
        await asyncio.sleep(min(POLL_SECONDS, left))
        found = await run_in_threadpool(live.get, store, scope)
    return JSONResponse(found.to_dict(), headers=_headers(found))


async def history(store: Store, request: Request, limit: int) -> Response:
    """What was live from when to when, newest first; ?at= seconds since the epoch: what counted then."""
    scope, at = request.path_params["scope"], request.query_params.get("at")
    if at is not None:
        try:
            when = float(at)
        except ValueError:
            raise InvalidInput("at", "must be a time in seconds since the epoch.") from None
        return JSONResponse((await run_in_threadpool(live.at, store, scope, when)).to_dict())
    found = await run_in_threadpool(live.history, store, scope, limit)
    return JSONResponse({"intervals": [dataclasses.asdict(interval) for interval in found]})


async def report(store: Store, request: Request, actor: Actor, read_body: Callable[..., Any]) -> Response:
    """{"metrics": {"drawdown": 0.02}, "etag": …} -> whether it counts for the step of a ramp."""
    data = await read_body(request)
    if not isinstance(data, dict) or not set(data) <= {"metrics", "etag"}:
        raise InvalidInput("body", 'must be {"metrics": {NAME: NUMBER}, "etag": …}.')
    etag = data.get("etag")
    if etag is not None and not isinstance(etag, str):
        raise InvalidInput("etag", "must be text.")

    def write() -> bool:
        scope = request.path_params["scope"]
        return rollout.report_metrics(store, scope, data.get("metrics") or {}, actor, etag=etag)

    return JSONResponse({"counts": await run_in_threadpool(write)}, status_code=202)


def _headers(found: Live) -> dict[str, str]:
    return {"ETag": f'"{found.etag}"', "Cache-Control": "no-cache"}
