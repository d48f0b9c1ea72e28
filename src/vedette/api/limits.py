"""How large a request's body may be: 1 MiB, and 32 MiB for a pack of rules."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vedette.api.problems import problem_response

MAX_BODY_BYTES: Final = 2**20
MAX_PACK_BYTES: Final = 32 * 2**20
_PACKS: Final = "/api/v1/rules/packs/"


class BodyLimit:
    """Refuses a body that is announced as too large, and stops reading one that becomes too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = MAX_PACK_BYTES if scope["path"].startswith(_PACKS) and scope["method"] == "PUT" else MAX_BODY_BYTES
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced) > limit:
            response = problem_response(413, _too_large(limit), path=scope["path"], headers={"Connection": "close"})
            await response(scope, receive, send)
            return
        await self._app(scope, _counted(receive, limit), send)


def _too_large(limit: int) -> str:
    return f"The body is larger than {limit // 2**20} MiB; send less."


def _counted(receive: Receive, limit: int) -> Receive:
    read = 0

    async def receive_counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise HTTPException(413, _too_large(limit))
        return message

    return receive_counted
