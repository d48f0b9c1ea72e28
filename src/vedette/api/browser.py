"""What protects the people whose browser is open on the console: host, origin and response headers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vedette.api.problems import problem_response

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
NO_CONTENT_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
"""For everything that is not a page."""


def page_policy(nonce: str) -> str:
    """The content security policy of a page: only our own files, and styles that carry the nonce."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


class BrowserGuard:
    """Refuses requests that a foreign page could have caused, before anything else sees them.

    The Host must be one of our names (against DNS rebinding). An Origin, where a browser sends one, must be this
    very server for unsafe methods and for WebSockets, or one of `origins`. Programs send none and are let in.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = _LOOPBACK_NAMES | {host.lower() for host in hosts}
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "http":
            await refusal(scope, receive, _with_headers(send))
        else:
            await _refuse_websocket(refusal, scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "")
        if _name_of(host) not in self._hosts:
            detail = f"This server is not called {host[:200]!r}; use localhost or 127.0.0.1."
            return problem_response(421, detail, path=path, field="Host", value=host[:200])
        is_safe = scope["type"] == "http" and scope["method"] in _SAFE_METHODS
        origin = headers.get("origin")
        if is_safe or (origin is None and headers.get("sec-fetch-site", "none") in ("none", "same-origin")):
            return None
        if origin is not None and self._is_ours(origin, host):
            return None
        value = (origin or headers["sec-fetch-site"])[:200]
        detail = f"The page at {value!r} may not do this; open the console at http://{host}."
        return problem_response(403, detail, path=path, field="Origin", value=value)

    def _is_ours(self, origin: str, host: str) -> bool:
        lowered = origin.lower()
        scheme, _, rest = lowered.partition("://")
        return (scheme in ("http", "https") and rest == host.lower()) or lowered in self._origins


def _name_of(host: str) -> str | None:
    """The name in a Host header, without port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Content-Security-Policy", NO_CONTENT_POLICY)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return send_with_headers


async def _refuse_websocket(refusal: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the handshake with the problem where the server can, else with a bare 403."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        return
    start = {"status": refusal.status_code, "headers": refusal.raw_headers}
    await send({"type": "websocket.http.response.start", **start})
    await send({"type": "websocket.http.response.body", "body": bytes(refusal.body)})
