"""Serves the Plotly library of the installed package to our own chart component; nothing comes from another host."""

from __future__ import annotations

import gzip
from functools import cache
from importlib.metadata import version
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

PLOTLY_PATH = f"/vendor/plotly-{version('plotly')}.js"
"""The version in the path: browsers keep a file for ever, and fetch another after an upgrade."""


@cache
def _zipped() -> bytes:
    """1.4 MB instead of 4.8."""
    return gzip.compress(files("plotly").joinpath("package_data", "plotly.min.js").read_bytes(), 6)


def plotly_js(request: Request) -> Response:
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    body = _zipped()
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        body = gzip.decompress(body)
    return Response(body, media_type="text/javascript; charset=utf-8", headers=headers)
