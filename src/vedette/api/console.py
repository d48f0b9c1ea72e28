"""The built console, served with what a browser needs to trust it."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from vedette.api.browser import page_policy
from vedette.api.context import Has
from vedette.api.guard import requires
from vedette.api.problems import Refused

router = APIRouter(include_in_schema=False)

_NONCE: Final = "__CSP_NONCE__"
_HASHED: Final = "assets"
"""Folder whose file names hold a hash of their content."""

_NOT_BUILT: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Vedette</title>
<style nonce="__CSP_NONCE__">
:root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif; }
body { max-width: 38rem; margin: 15vh auto; padding: 0 1.5rem; }
code { font-family: ui-monospace, monospace; background: #8883; padding: .1rem .3rem; border-radius: .25rem; }
</style>
</head>
<body>
<h1>Vedette is running, its console is not built</h1>
<p>Build it with Node.js in the project's folder: <code>make run</code> does it, or
<code>npm --prefix ui ci &amp;&amp; npm --prefix ui run build</code>. Then reload this page.</p>
<p>Everything else works: try <code>vedette search 'severity&gt;=5'</code>,
<a href="/api/v1/events">/api/v1/events</a>, <a href="/api/v1/health">/api/v1/health</a>
or the description of the API at <a href="/api/openapi.json">/api/openapi.json</a>.</p>
</body>
</html>
"""


@router.api_route("/{path:path}", methods=["GET", "HEAD"], dependencies=[Depends(requires("public"))])
async def console(request: Request, services: Has, path: Annotated[str, PathParameter(max_length=1024)]) -> Response:
    """A file of the console, or its page for every path that is a view of it."""
    first = path.partition("/")[0]
    if first == "api":
        detail = f"There is nothing at {request.url.path}; the API is described at /api/openapi.json."
        raise Refused(HTTPStatus.NOT_FOUND, detail)
    root = services.web_root
    found = await run_in_threadpool(_file, root, path) if root else None
    if found is not None:
        caching = "public, max-age=31536000, immutable" if first == _HASHED else "no-cache"
        return FileResponse(found, headers={"Cache-Control": caching})
    if path != "index.html" and "." in path.rpartition("/")[2]:
        raise Refused(HTTPStatus.NOT_FOUND, f"There is no file {request.url.path}.")
    return _page(await run_in_threadpool(_index, root))


def _file(root: Path, path: str) -> Path | None:
    """The file at a path below the root; None when there is none, or when it leads outside."""
    if not path or path == "index.html" or "\0" in path:
        return None
    try:
        found = (root / path).resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    return found if found.is_file() and found.is_relative_to(root.resolve()) else None


def _index(root: Path | None) -> str:
    try:
        return (root / "index.html").read_text(encoding="utf-8") if root else _NOT_BUILT
    except OSError:
        return _NOT_BUILT


def _page(html: str) -> HTMLResponse:
    nonce = secrets.token_urlsafe(18)
    headers = {"Content-Security-Policy": page_policy(nonce), "Cache-Control": "no-cache"}
    return HTMLResponse(html.replace(_NONCE, nonce), headers=headers)
