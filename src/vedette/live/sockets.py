"""Every live connection of this server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from vedette.live.broadcaster import EventBroadcaster
from vedette.live.connection import Connection, Socket
from vedette.model.clock import Clock
from vedette.model.health import HealthState, PartHealth


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """How busy the live server is; sums run from its start."""

    clients: int
    subscriptions: int
    messages_sent: int
    gaps_told: int
    clients_refused: int


class WebSocketManager:
    """Life and end of the connections. Belongs to the event loop; knows nothing of HTTP.

    Half-open sockets are found by the transport: it pings every client and ends the one that does not answer.
    """

    def __init__(self, broadcaster: EventBroadcaster, *, version: str, clock: Clock) -> None:
        self._broadcaster = broadcaster
        self._version = version
        self._clock = clock
        self._limits = broadcaster.limits
        self._tasks: dict[asyncio.Task[None], Connection] = {}
        self._is_closing = False
        self._refused = 0
        self._ended_messages = 0
        self._ended_gaps = 0
        self._started_at = clock.now()
        self._full_since: datetime | None = None

    def refusal(self) -> str | None:
        """Why no further client can be accepted now, None when one can. Ask before accepting."""
        if self._is_closing:
            return "The server is stopping."
        if len(self._tasks) < self._limits.max_clients:
            self._full_since = None
            return None
        self._refused += 1
        self._full_since = self._full_since or self._clock.now()
        return f"{self._limits.max_clients} live connections are open; close a page and try again."

    async def serve(self, socket: Socket) -> None:
        """Run an accepted connection until it ends."""
        connection = Connection(
            socket, self._broadcaster, version=self._version, clock=self._clock, limits=self._limits
        )
        task = asyncio.ensure_future(connection.run())
        self._tasks[task] = connection
        if self._is_closing:
            connection.end(1012, "server is stopping")
        try:
            await task
        finally:
            del self._tasks[task]
            self._full_since = None
            self._ended_messages += connection.messages_sent
            self._ended_gaps += connection.gaps_told

    async def close(self, *, seconds: float = 5.0) -> None:
        """Tell the last rows, say goodbye (1012: come back), and cut whoever does not let go in time."""
        self._is_closing = True
        self._broadcaster.flush()
        for connection in self._tasks.values():
            connection.end(1012, "server is stopping")
        if not self._tasks:
            return
        _, slow = await asyncio.wait(set(self._tasks), timeout=seconds)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

    def figures(self) -> LiveFigures:
        open_now = self._tasks.values()
        return LiveFigures(
            clients=len(self._tasks),
            subscriptions=sum(connection.subscriptions for connection in open_now),
            messages_sent=self._ended_messages + sum(connection.messages_sent for connection in open_now),
            gaps_told=self._ended_gaps + sum(connection.gaps_told for connection in open_now),
            clients_refused=self._refused,
        )

    def health(self) -> PartHealth:
        """Degraded while clients are being refused."""
        if self._full_since is None:
            return PartHealth("live", HealthState.OK, self._started_at)
        return PartHealth(
            "live",
            HealthState.DEGRADED,
            self._full_since,
            reason=f"{self._limits.max_clients} live connections are open; further ones are refused.",
            remedy="Close pages that nobody looks at.",
        )
