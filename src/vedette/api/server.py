"""How the application is served: the settings of uvicorn that its promises rest on."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_GRACE_SECONDS: Final = 5.0


class LiveWebSocketProtocol(WebSocketsSansIOProtocol):
    """Cuts a peer that is gone. uvicorn only closes, and closing waits for what the peer will never read."""

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._cut_later()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self._cut_later()

    def _cut_later(self) -> None:
        self.loop.call_later(_GRACE_SECONDS, self.transport.abort)


def server_options(
    *, ping_seconds: float = 20.0, pong_seconds: float = 20.0, message_bytes: int = 64 * 1024
) -> dict[str, Any]:
    """Keyword arguments of `uvicorn.Config` besides address and log. Log and server headers are off: the access log is
    ours, and nobody needs the version. Compression is off: the console is on the same machine."""
    return {
        "ws": LiveWebSocketProtocol,
        "ws_max_size": message_bytes + 1024,
        "ws_ping_interval": ping_seconds,
        "ws_ping_timeout": pong_seconds,
        "ws_per_message_deflate": False,
        "timeout_graceful_shutdown": int(_GRACE_SECONDS),
        "timeout_keep_alive": 30,
        "h11_max_incomplete_event_size": 64 * 1024,
        "server_header": False,
        "access_log": False,
        "proxy_headers": False,
        "lifespan": "on",
    }
