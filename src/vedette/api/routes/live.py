"""The live WebSocket."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Depends, WebSocket
from starlette.websockets import WebSocketDisconnect

from vedette.api.context import Has
from vedette.api.guard import requires
from vedette.api.problems import Refused

router = APIRouter(tags=["live"])


@router.websocket("/api/v1/live", dependencies=[Depends(requires("live:read"))])
async def live(websocket: WebSocket, services: Has) -> None:
    """Hand the connection to the manager, once there is room for it."""
    refusal = services.sockets.refusal()
    if refusal is not None:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, refusal, headers={"Retry-After": "5"})
    await websocket.accept()
    await services.sockets.serve(_Socket(websocket))


class _Socket:
    """A Starlette WebSocket as the manager wants it."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    @property
    def peer(self) -> str:
        client = self._websocket.client
        return f"{client.host}:{client.port}" if client else "unknown"

    async def receive(self) -> str | None:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text")
        return text if text is not None else ""

    async def send(self, text: str) -> None:
        try:
            await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError) as error:
            raise ConnectionError("the client is gone") from error

    async def close(self, code: int, reason: str) -> None:
        try:
            await self._websocket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError) as error:
            raise ConnectionError("the client is gone") from error
        await asyncio.sleep(0)
