"""Runs the sources: one task each, restarted with growing patience, changed while running without loss or doubles."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, runtime_checkable

import structlog

from vedette.model.clock import Clock, SystemClock
from vedette.model.entries import EntryBatch
from vedette.model.errors import SettingsError, SourceError
from vedette.model.health import HealthState, PartHealth
from vedette.model.positions import Position
from vedette.sources.config import LogSourceConfig, MonitoringConfig
from vedette.sources.contract import Source
from vedette.sources.files.monitor import LogFileMonitor
from vedette.sources.files.scanner import FileStatus
from vedette.sources.files.watching import FolderWatcher

log = structlog.get_logger(__name__)

Deliver = Callable[[EntryBatch], Awaitable[None]]
"""Takes a batch over, or raises and has not taken it (also when cancelled). Waits while there is no room."""
StoredPositions = Callable[[str], Sequence[Position]]
"""Stored positions of a source id. Blocks."""
MakeSource = Callable[[LogSourceConfig], Source]

_RATE_SECONDS: Final = 10
_FAILED_AFTER: Final = 5
_DELIVERY_PATIENCE: Final = 5.0
_MOST_FINISHED_KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source, for people. `state`: running, waiting (to be tried again), failed (tried often, still being tried),
    disabled, finished, stopped. `lines` and `bytes` since the process began; `rate` in lines a second."""

    id: str
    name: str
    state: str
    rate: float
    lines: int
    bytes: int
    lag_bytes: int
    restarts: int
    last_error: str
    last_line_at: datetime | None
    files: tuple[FileStatus, ...]
    health: PartHealth


@runtime_checkable
class _FollowsFiles(Protocol):
    def files(self) -> tuple[FileStatus, ...]: ...
    def health(self) -> PartHealth: ...


class SourceSupervisor:
    """Owns the running sources. All methods belong to the event loop.

    What was handed to `deliver` counts as read for the rest of the process, although it may not be stored yet: a source
    that is restarted or changed resumes behind it, so nothing is delivered twice. A new process resumes at `positions`.
    A source that is stopped while there is no room waits `delivery_patience` seconds for its last batch.
    """

    def __init__(
        self,
        deliver: Deliver,
        positions: StoredPositions,
        *,
        monitoring: MonitoringConfig | None = None,
        clock: Clock | None = None,
        make_source: MakeSource | None = None,
        chance: Callable[[], float] = random.random,
        delivery_patience: float = _DELIVERY_PATIENCE,
    ) -> None:
        self._deliver = deliver
        self._positions = positions
        self._monitoring = monitoring or MonitoringConfig()
        self._clock = clock or SystemClock()
        self._watcher = FolderWatcher()
        self._make_source = make_source or self._make_monitor
        self._chance = chance
        self._delivery_patience = delivery_patience
        self._running: dict[str, _Running] = {}
        self._delivered: dict[str, dict[int, Position]] = {}
        self._is_started = False

    async def start(self, sources: Sequence[LogSourceConfig] = ()) -> None:
        """Begin reading: those added before, those of MonitoringConfig, and `sources`."""
        self._is_started = True
        for running in self._running.values():
            self._launch(running)
        for config in (*self._monitoring.sources, *sources):
            if config.id not in self._running:
                await self.add(config)

    async def stop(self) -> None:
        """Stop reading; returns when every task has ended and every file is closed. Safe to repeat."""
        self._is_started = False
        await asyncio.gather(*(self._halt(running) for running in self._running.values()))
        await asyncio.to_thread(self._watcher.stop)

    async def add(self, config: LogSourceConfig) -> None:
        """Raises SettingsError when the id is taken."""
        if config.id in self._running:
            raise SettingsError(
                f"source id '{config.id}' is taken: change that source, or choose another id", field="id"
            )
        self._running[config.id] = running = _Running(config, self._clock)
        if self._is_started:
            self._launch(running)

    async def change(self, config: LogSourceConfig) -> None:
        """Replace the configuration of a source; it goes on behind what it delivered. Raises SettingsError when there
        is no such source."""
        running = self._find(config.id)
        if running.config == config:
            return
        await self._halt(running)
        running.config = config
        if self._is_started:
            self._launch(running)

    async def set_enabled(self, source_id: str, *, is_enabled: bool) -> None:
        await self.change(self._find(source_id).config.model_copy(update={"enabled": is_enabled}))

    async def remove(self, source_id: str) -> None:
        """Returns when nothing of it runs any more. Raises SettingsError when there is no such source."""
        running = self._find(source_id)
        await self._halt(running)
        self._running.pop(source_id, None)

    def status(self) -> list[SourceStatus]:
        """Of every source, in the order they were added."""
        return [running.status() for running in self._running.values()]

    def health(self) -> list[PartHealth]:
        return [running.health() for running in self._running.values()]

    def configs(self) -> list[LogSourceConfig]:
        return [running.config for running in self._running.values()]

    def _find(self, source_id: str) -> _Running:
        if source_id not in self._running:
            raise SettingsError(f"there is no source '{source_id}': `vedette sources` lists them", field="id")
        return self._running[source_id]

    def _make_monitor(self, config: LogSourceConfig) -> Source:
        return LogFileMonitor(config, self._monitoring, watcher=self._watcher, clock=self._clock)

    def _launch(self, running: _Running) -> None:
        if running.task is not None and not running.task.done():
            return
        if not running.config.enabled:
            running.become("disabled")
            return
        running.task = asyncio.create_task(self._keep_running(running), name=f"source {running.config.id}")

    async def _halt(self, running: _Running) -> None:
        task, running.task = running.task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        running.become("stopped" if running.config.enabled else "disabled")

    async def _keep_running(self, running: _Running) -> None:
        patience = self._monitoring.restart_backoff_min.total_seconds()
        longest = self._monitoring.restart_backoff_max.total_seconds()
        failures = 0
        while True:
            lines_before, began = running.batches, self._clock.monotonic()
            try:
                await self._run_once(running)
                running.become("finished")
                return
            except SourceError as error:
                running.last_error = str(error)
            except Exception as error:
                log.exception("source_broke", source=running.config.id)
                running.last_error = f"{type(error).__name__}: {error}"
            if running.batches > lines_before or self._clock.monotonic() - began > longest:
                failures = 0
            failures += 1
            wait = min(longest, patience * 2 ** min(failures - 1, 30)) * (0.5 + self._chance() / 2)
            running.become("failed" if failures >= _FAILED_AFTER else "waiting")
            log.warning(
                "source_restarted", source=running.config.id, error=running.last_error, wait_seconds=round(wait, 3)
            )
            await asyncio.sleep(wait)
            running.restarts += 1

    async def _run_once(self, running: _Running) -> None:
        resume = await self._resume(running.config.id)
        running.source = source = self._make_source(running.config)
        running.become("running")
        batches = source.read(resume)
        try:
            async for batch in batches:
                await self._hand_over(running, batch)
        finally:
            if (close := getattr(batches, "aclose", None)) is not None:
                await close()

    async def _resume(self, source_id: str) -> list[Position]:
        """Stored positions, overtaken by what this process has delivered, newest last."""
        stored = await asyncio.to_thread(self._positions, source_id)
        merged = {position.generation: position for position in stored} | self._delivered.get(source_id, {})
        return sorted(merged.values(), key=lambda position: position.updated_at)

    async def _hand_over(self, running: _Running, batch: EntryBatch) -> None:
        """Deliver a batch wholly or not at all: a cancellation waits some seconds for it, then takes it back."""
        delivery = asyncio.ensure_future(self._deliver(batch))
        try:
            await asyncio.shield(delivery)
        except asyncio.CancelledError:
            await asyncio.wait([delivery], timeout=self._delivery_patience)
            if not delivery.done():
                delivery.cancel()
                await asyncio.wait([delivery])
            if not delivery.cancelled() and delivery.exception() is None:
                self._count(running, batch)
            raise
        self._count(running, batch)

    def _count(self, running: _Running, batch: EntryBatch) -> None:
        running.count(batch)
        if batch.position is not None:
            positions = self._delivered.setdefault(running.config.id, {})
            positions.pop(batch.generation, None)
            positions[batch.generation] = batch.position
            if len(positions) > 2 * _MOST_FINISHED_KEPT:
                _forget_finished(positions)


def _forget_finished(positions: dict[int, Position]) -> None:
    finished = [generation for generation, position in positions.items() if position.is_finished]
    for generation in finished[:-_MOST_FINISHED_KEPT]:
        del positions[generation]


class _Running:
    """One source and its figures."""

    def __init__(self, config: LogSourceConfig, clock: Clock) -> None:
        self.config = config
        self.task: asyncio.Task[None] | None = None
        self.source: Source | None = None
        self.restarts = self.lines = self.bytes = self.batches = 0
        self.last_error = ""
        self._clock = clock
        self._state = "disabled" if not config.enabled else "stopped"
        self._since = clock.now()
        self._last_line_at: datetime | None = None
        self._recent: deque[tuple[int, int]] = deque(maxlen=_RATE_SECONDS + 1)

    def become(self, state: str) -> None:
        if state != self._state:
            log.info("source_state", source=self.config.id, state=state)
            self._state, self._since = state, self._clock.now()

    def count(self, batch: EntryBatch) -> None:
        self.batches += 1
        self.lines += batch.frame.height
        self.bytes += batch.counts.get("bytes", 0)
        if not batch.frame.height:
            return
        self._last_line_at = batch.read_at
        second = int(self._clock.monotonic())
        if self._recent and self._recent[-1][0] == second:
            self._recent[-1] = (second, self._recent[-1][1] + batch.frame.height)
        else:
            self._recent.append((second, batch.frame.height))

    def health(self) -> PartHealth:
        part = f"source {self.config.id}"
        if self._state in {"waiting", "failed"}:
            reason, _, remedy = self.last_error.rpartition(": ")
            state = HealthState.DOWN if self._state == "failed" else HealthState.DEGRADED
            return PartHealth(part, state, self._since, reason or self.last_error, remedy if reason else "")
        if (followed := self._followed()) is not None:
            return followed.health()
        return PartHealth(part, HealthState.OK, self._since)

    def _followed(self) -> _FollowsFiles | None:
        source: object = self.source
        return source if self._state == "running" and isinstance(source, _FollowsFiles) else None

    def status(self) -> SourceStatus:
        followed = self._followed()
        files = followed.files() if followed is not None else ()
        oldest = int(self._clock.monotonic()) - _RATE_SECONDS
        return SourceStatus(
            id=self.config.id,
            name=self.config.name,
            state=self._state,
            rate=sum(lines for second, lines in self._recent if second >= oldest) / _RATE_SECONDS,
            lines=self.lines,
            bytes=self.bytes,
            lag_bytes=sum(each.lag_bytes for each in files),
            restarts=self.restarts,
            last_error=self.last_error,
            last_line_at=self._last_line_at,
            files=files,
            health=self.health(),
        )
