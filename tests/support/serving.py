"""A real server on loopback, in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from support.journal import Journal
from vedette.api import (
    BacktestsControl,
    ExceptionsControl,
    FindingsControl,
    FormatsControl,
    ModelControl,
    RulesControl,
    Services,
    SourcePreview,
    SourcesControl,
    SourceView,
    create_app,
    server_options,
)
from vedette.health import HealthMonitor, ProcessProbe
from vedette.live import EventBroadcaster, LiveLimits, WebSocketManager
from vedette.model.clock import SystemClock
from vedette.model.errors import SettingsError
from vedette.model.health import HealthState
from vedette.store.contract import EventStore


class _Server(uvicorn.Server):
    """Leaves the signal handlers to the test runner."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    port: int

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def live(self) -> str:
        return f"ws://127.0.0.1:{self.port}/api/v1/live"


@asynccontextmanager
async def serving(app: FastAPI, *, port: int = 0, **options: Any) -> AsyncIterator[Address]:
    """Serve an application until the block ends."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    server = _Server(uvicorn.Config(app, log_config=None, **(server_options() | options)))
    task = asyncio.create_task(server.serve([listener]))
    async with asyncio.timeout(10):
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
    try:
        yield Address(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task
        listener.close()


class NoSources:
    """Sources that are only a list; enough for the API's own rules."""

    def __init__(self) -> None:
        self.views: dict[str, SourceView] = {}

    async def list_status(self) -> list[SourceView]:
        return list(self.views.values())

    async def add(self, config: Any) -> str:
        if not config.get("paths"):
            raise SettingsError("paths: is empty, name at least one file.", field="paths")
        identifier = str(config.get("id", "new"))
        self.views[identifier] = SourceView(id=identifier, enabled=True, config=dict(config), state=HealthState.OK)
        return identifier

    async def change(self, source_id: str, changes: Any) -> None:
        view = self.views[source_id]
        self.views[source_id] = view.model_copy(update={"config": view.config | changes})

    async def remove(self, source_id: str) -> None:
        del self.views[source_id]

    async def set_enabled(self, source_id: str, enabled: bool) -> None:
        self.views[source_id] = self.views[source_id].model_copy(update={"enabled": enabled})

    async def preview(self, config: Any) -> SourcePreview:
        return SourcePreview(config=dict(config), files=list(config["paths"]))


@dataclass(frozen=True)
class LiveServer:
    """A running server and what a test moves behind it."""

    address: Address
    broadcaster: EventBroadcaster
    sockets: WebSocketManager
    services: Services


@asynccontextmanager
async def live_server(
    store: EventStore | Journal,
    broadcaster: EventBroadcaster,
    *,
    port: int = 0,
    web_root: Path | None = None,
    sources: SourcesControl | None = None,
    library: FormatsControl | None = None,
    findings: FindingsControl | None = None,
    options: dict[str, Any] | None = None,
    **more: Any,
) -> AsyncIterator[LiveServer]:
    """Serve a store and its live streams; ends as the real server does."""
    clock = SystemClock()
    sockets = WebSocketManager(broadcaster, version="1.2.3", clock=clock)
    services = Services(
        store=cast(EventStore, store),
        broadcaster=broadcaster,
        sockets=sockets,
        sources=sources or NoSources(),
        library=library or cast(FormatsControl, None),
        rules=more.pop("rules", None) or cast(RulesControl, None),
        findings=findings or cast(FindingsControl, None),
        exceptions=more.pop("exceptions", None) or cast(ExceptionsControl, None),
        backtests=more.pop("backtests", None) or cast(BacktestsControl, None),
        model=more.pop("model", None) or cast(ModelControl, None),
        health=more.pop("health", None) or HealthMonitor(ProcessProbe(Path.cwd(), clock), clock),
        stats=lambda: {"rates": {"1s": 0.0}},
        formats=dict,
        clock=clock,
        version="1.2.3",
        web_root=web_root,
        **more,
    )
    async with serving(create_app(services), port=port, **(options or {})) as address:
        try:
            yield LiveServer(address, broadcaster, sockets, services)
        finally:
            await sockets.close()
    broadcaster.close()


def broadcaster_of(store: EventStore, *, limits: LiveLimits | None = None) -> EventBroadcaster:
    """The live streams of a real store, joined as the server joins them."""
    return EventBroadcaster(
        epoch=store.epoch,
        next_seq=store.next_seq(),
        next_finding_seq=store.next_finding_seq(),
        events_after=lambda seq, until, limit: store.frames_after(seq, until, limit=limit),
        findings_after=lambda seq, limit: store.findings_after(seq, limit=limit),
        clock=SystemClock(),
        limits=limits,
    )
