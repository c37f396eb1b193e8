"""What every request meets first: a known Host, a matching Origin, and headers that keep the pages out of frames.

A web page of somebody else may point a name of its own at 127.0.0.1 and then talk to this server as if it were its
own (DNS rebinding). Such a request carries that foreign name as its Host and is refused, HTTP and WebSocket alike.
An address written in digits can't be rebound and is always welcome.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALLOW_VARIABLE = "TUNEDESK_ALLOWED_HOSTS"
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"referrer-policy", b"same-origin"),
    (b"content-security-policy", b"frame-ancestors 'self'; object-src 'none'; base-uri 'self'"),
]


def own_names(extra: Iterable[str] = ()) -> frozenset[str]:
    """Names under which this machine may be called: localhost, its own name, and those that the operator allows."""
    names = {"localhost", socket.gethostname(), *extra}
    return frozenset(name.strip().lower().rstrip(".") for name in names if name.strip())


def host_name(host: str) -> str:
    """The Host header without its port: ``localhost:8501`` -> localhost, ``[::1]:8501`` -> ::1."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def is_welcome(host: str, names: frozenset[str]) -> bool:
    name = host_name(host)
    if name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class HostGuard:
    """ASGI middleware that refuses requests under a foreign name and adds the headers above to every answer."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self.app = app
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        host = next((value.decode("latin-1") for key, value in scope["headers"] if key == b"host"), "")
        if not is_welcome(host, self.names):
            await _refuse(scope, send, host_name(host))
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {key.lower() for key, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(h for h in _HEADERS if h[0] not in present)]
            await send(message)

        await self.app(scope, receive, send_with_headers)


async def _refuse(scope: Scope, send: Send, name: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    problem = f"{name!r} is not a name of this server. Allow it with --allow-host, or use the address in digits."
    body = json.dumps({"errors": [{"field": "Host", "problem": problem}]}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": body})
