"""Sources are restarted, changed and removed while running; nothing is delivered twice, nothing is left out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.logfiles import positions_of, texts_of
from vedette.model.clock import SystemClock
from vedette.model.entries import EntryBatch
from vedette.model.errors import SettingsError, SourceError
from vedette.model.health import HealthState
from vedette.model.positions import Position
from vedette.sources import LogFileMonitor, LogSourceConfig, MonitoringConfig, SourceSupervisor
from vedette.sources.contract import Source
from vedette.sources.files.reader import ReadSettings, empty_batch

QUICK = MonitoringConfig(
    restart_backoff_min=timedelta(milliseconds=1),
    restart_backoff_max=timedelta(milliseconds=20),
    poll_interval=timedelta(milliseconds=100),
)
SETTINGS = ReadSettings(source_id="app", clock=SystemClock(), max_line_bytes=1000, block_bytes=1000)


class Desk:
    """Takes deliveries; `is_open` clear means there is no room."""

    def __init__(self) -> None:
        self.batches: list[EntryBatch] = []
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def deliver(self, batch: EntryBatch) -> None:
        await self.is_open.wait()
        self.batches.append(batch)

    @property
    def texts(self) -> list[str]:
        return texts_of(self.batches)

    async def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline, self.texts[-5:]
            await asyncio.sleep(0.005)


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def config_of(path: Path, **settings: Any) -> LogSourceConfig:
    return LogSourceConfig(paths=(str(path),), **{"id": "app", **settings})


def nothing_stored(source_id: str) -> list[Position]:
    return []


class FailingSource:
    """A monitor that fails after every batch with entries."""

    def __init__(self, config: LogSourceConfig) -> None:
        self._monitor = LogFileMonitor(config, QUICK)
        self.id = config.id

    async def read(self, resume: Sequence[Position]) -> AsyncIterator[EntryBatch]:
        stream = self._monitor.read(resume)
        try:
            async for batch in stream:
                yield batch
                if batch.frame.height:
                    raise SourceError("the cable was pulled: plug it in")
        finally:
            await stream.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_a_failing_source_resumes_behind_what_it_delivered_although_nothing_is_stored(tmp_path: Path) -> None:
    desk = Desk()
    supervisor = SourceSupervisor(desk.deliver, nothing_stored, monitoring=QUICK, make_source=FailingSource)
    append(tmp_path / "app.log", "line 0\n")
    await supervisor.start([config_of(tmp_path / "app.log")])
    for number in range(1, 10):
        await desk.until(lambda: len(desk.texts) == number)  # noqa: B023  # awaited within the turn
        append(tmp_path / "app.log", f"line {number}\n")
    await desk.until(lambda: len(desk.texts) == 10)
    await desk.until(lambda: supervisor.status()[0].restarts >= 9)
    assert desk.texts == [f"line {number}" for number in range(10)]
    assert supervisor.status()[0].last_error == "the cable was pulled: plug it in"
    await supervisor.stop()


async def test_patience_grows_with_every_failure_and_is_bounded() -> None:
    class Broken:
        id = "app"

        async def read(self, resume: Sequence[Position]) -> AsyncIterator[EntryBatch]:
            for _ in resume:
                yield empty_batch(SETTINGS, None)
            raise SourceError("never: give up")

    waits: list[float] = []

    def chance() -> float:
        waits.append(1.0)
        return 1.0

    desk = Desk()
    monitoring = QUICK.model_copy(update={"restart_backoff_max": timedelta(milliseconds=5)})
    supervisor = SourceSupervisor(
        desk.deliver, nothing_stored, monitoring=monitoring, make_source=lambda config: Broken(), chance=chance
    )
    await supervisor.start([LogSourceConfig(id="app", paths=("/x",))])
    await desk.until(lambda: supervisor.status()[0].state == "failed")
    assert len(waits) >= 5
    health = supervisor.health()[0]
    assert (health.state, health.reason, health.remedy) == (HealthState.DOWN, "never", "give up")
    await supervisor.stop()
    assert supervisor.status()[0].state == "stopped"


async def test_a_change_while_lines_arrive_neither_loses_nor_doubles(tmp_path: Path) -> None:
    desk = Desk()
    supervisor = SourceSupervisor(desk.deliver, nothing_stored, monitoring=QUICK)
    append(tmp_path / "app.log", "line 0\n")
    config = config_of(tmp_path / "app.log")
    await supervisor.start([config])
    for number in range(1, 200):
        append(tmp_path / "app.log", f"line {number}\n")
        if number % 20 == 0:
            await supervisor.change(config.model_copy(update={"priority": 1 + number // 20 % 9}))
        await asyncio.sleep(0)
    await desk.until(lambda: len(desk.texts) >= 200)
    assert desk.texts == [f"line {number}" for number in range(200)]
    await supervisor.stop()


async def test_a_disabled_source_does_not_read_and_goes_on_where_it_was(tmp_path: Path) -> None:
    desk = Desk()
    supervisor = SourceSupervisor(desk.deliver, nothing_stored, monitoring=QUICK)
    append(tmp_path / "app.log", "one\n")
    await supervisor.start([config_of(tmp_path / "app.log")])
    await desk.until(lambda: desk.texts == ["one"])
    await supervisor.set_enabled("app", is_enabled=False)
    assert supervisor.status()[0].state == "disabled"
    append(tmp_path / "app.log", "two\n")
    await supervisor.set_enabled("app", is_enabled=True)
    await desk.until(lambda: desk.texts == ["one", "two"])
    await supervisor.stop()


async def test_stop_while_there_is_no_room_takes_the_batch_back(tmp_path: Path) -> None:
    desk = Desk()
    append(tmp_path / "app.log", "one\n")
    supervisor = SourceSupervisor(desk.deliver, nothing_stored, monitoring=QUICK, delivery_patience=0.05)
    desk.is_open.clear()
    await supervisor.start([config_of(tmp_path / "app.log")])
    await desk.until(lambda: supervisor.status()[0].state == "running")
    await supervisor.stop()
    desk.is_open.set()
    await supervisor.start()
    await desk.until(lambda: bool(desk.texts))
    await supervisor.stop()
    assert desk.texts == ["one"]


async def test_a_new_process_resumes_at_what_is_stored(tmp_path: Path) -> None:
    append(tmp_path / "app.log", "one\n")
    desk = Desk()
    first = SourceSupervisor(desk.deliver, nothing_stored, monitoring=QUICK)
    await first.start([config_of(tmp_path / "app.log")])
    await desk.until(lambda: desk.texts == ["one"])
    await first.stop()
    stored = list(positions_of(desk.batches).values())
    append(tmp_path / "app.log", "two\n")
    second = SourceSupervisor(desk.deliver, lambda source_id: stored, monitoring=QUICK)
    await second.start([config_of(tmp_path / "app.log")])
    await desk.until(lambda: desk.texts == ["one", "two"])
    await second.stop()


async def test_sources_are_added_and_removed_while_running(tmp_path: Path) -> None:
    desk = Desk()
    supervisor = SourceSupervisor(desk.deliver, nothing_stored, monitoring=QUICK, clock=SystemClock())
    await supervisor.start()
    append(tmp_path / "a.log", "a\n")
    await supervisor.add(config_of(tmp_path / "a.log"))
    with pytest.raises(SettingsError, match="taken"):
        await supervisor.add(config_of(tmp_path / "a.log"))
    await desk.until(lambda: desk.texts == ["a"])
    await supervisor.remove("app")
    assert supervisor.status() == []
    append(tmp_path / "a.log", "b\n")
    with pytest.raises(SettingsError, match="no source 'app'"):
        await supervisor.remove("app")
    assert desk.texts == ["a"]
    await supervisor.stop()


async def test_status_tells_lines_rate_lag_and_files(tmp_path: Path) -> None:
    desk = Desk()
    supervisor = SourceSupervisor(desk.deliver, nothing_stored, monitoring=QUICK)
    append(tmp_path / "app.log", "one\ntwo\nthr")
    await supervisor.start([config_of(tmp_path / "app.log", name="App")])
    await desk.until(lambda: bool(supervisor.status()[0].files) and bool(desk.texts))
    status = supervisor.status()[0]
    assert (status.id, status.name, status.state, status.lines, status.bytes) == ("app", "App", "running", 2, 8)
    assert status.rate > 0
    assert status.last_line_at is not None
    assert [(each.path, each.offset, each.size, each.state) for each in status.files] == [
        (str(tmp_path / "app.log"), 8, 11, "following")
    ]
    await supervisor.stop()


def test_a_monitor_is_a_source(tmp_path: Path) -> None:
    source: Source = LogFileMonitor(config_of(tmp_path / "app.log"))
    assert source.id == "app"
