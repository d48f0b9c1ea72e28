"""The monitor hands on what the scanner reads: at once where changes are announced, and surely where they are not."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from support.logfiles import kinds_of, positions_of, texts_of
from vedette.model.entries import EntryBatch
from vedette.model.health import HealthState
from vedette.model.positions import Position
from vedette.sources import FolderWatcher, LogFileMonitor, LogSourceConfig, MonitoringConfig
from vedette.sources.files.watching import Told, WatchRefused


class Collected:
    """Runs a monitor and keeps what it yields."""

    def __init__(self, monitor: LogFileMonitor, resume: Sequence[Position] = ()) -> None:
        self.batches: list[EntryBatch] = []
        self.task = asyncio.create_task(self._run(monitor, resume))

    async def _run(self, monitor: LogFileMonitor, resume: Sequence[Position]) -> None:
        stream = cast("AsyncGenerator[EntryBatch]", monitor.read(resume))
        try:
            async for batch in stream:
                self.batches.append(batch)
        finally:
            await stream.aclose()

    @property
    def texts(self) -> list[str]:
        return texts_of(self.batches)

    async def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not holds():
            if self.task.done():
                self.task.result()
            assert time.monotonic() < deadline, self.texts[-5:]
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


def monitor_of(*paths: Path, watcher: FolderWatcher | None = None, **settings: Any) -> LogFileMonitor:
    settings = {"poll_interval": timedelta(milliseconds=100), **settings}
    config = LogSourceConfig(paths=tuple(map(str, paths)), **settings)
    return LogFileMonitor(config, MonitoringConfig(), watcher=watcher)


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


async def test_an_announced_change_is_read_without_waiting_for_the_poll(tmp_path: Path) -> None:
    append(tmp_path / "app.log", "one\n")
    monitor = monitor_of(tmp_path / "app.log", poll_interval=timedelta(minutes=10))
    collected = Collected(monitor)
    await collected.until(lambda: collected.texts == ["one"] and bool(monitor.files()))
    await asyncio.to_thread(wait_for_watch, monitor, tmp_path / "app.log")
    await collected.until(lambda: "probe" in collected.texts)
    await collected.stop()


def wait_for_watch(monitor: LogFileMonitor, path: Path) -> None:
    """Write probes until one was announced; the watch begins shortly after the first look."""
    deadline = time.monotonic() + 20
    seen = monitor.files()[0].offset
    while monitor.files()[0].offset == seen and time.monotonic() < deadline:
        append(path, "probe\n")
        time.sleep(0.05)


async def test_polling_reads_what_nothing_announces(tmp_path: Path) -> None:
    append(tmp_path / "app.log", "one\n")
    collected = Collected(monitor_of(tmp_path / "app.log", use_polling=True))
    await collected.until(lambda: collected.texts == ["one"])
    append(tmp_path / "app.log", "two\n")
    await collected.until(lambda: collected.texts == ["one", "two"])
    await collected.stop()


class RefusingWatcher(FolderWatcher):
    def watch(self, folder: str, told: Told) -> None:
        raise WatchRefused("inotify watch limit reached: raise fs.inotify.max_user_watches")


async def test_without_watches_it_polls_and_says_so(tmp_path: Path) -> None:
    append(tmp_path / "app.log", "one\n")
    monitor = monitor_of(tmp_path / "app.log", watcher=RefusingWatcher())
    collected = Collected(monitor)
    await collected.until(lambda: collected.texts == ["one"])
    append(tmp_path / "app.log", "two\n")
    await collected.until(lambda: collected.texts == ["one", "two"])
    await collected.until(lambda: monitor.health().state is HealthState.DEGRADED)
    assert kinds_of(collected.batches) == ["overflow"]
    assert "limit" in monitor.health().reason
    assert "max_user_watches" in monitor.health().remedy
    await collected.stop()


class DeafWatcher(FolderWatcher):
    """Takes every watch and tells of nothing, as after an overflow."""

    def watch(self, folder: str, told: Told) -> None: ...


async def test_changes_that_an_overflow_swallowed_are_found_by_the_safety_net(tmp_path: Path) -> None:
    append(tmp_path / "app.log", "one\n")
    collected = Collected(monitor_of(tmp_path, watcher=DeafWatcher()))
    await collected.until(lambda: collected.texts == ["one"])
    append(tmp_path / "app.log", "two\n")
    (tmp_path / "app.log").rename(tmp_path / "app.log.1")
    append(tmp_path / "app.log", "three\n")
    append(tmp_path / "new.log", "four\n")
    await collected.until(lambda: sorted(collected.texts) == ["four", "one", "three", "two"])
    await collected.stop()


async def test_fast_rotation_under_load_loses_nothing(tmp_path: Path) -> None:
    app = tmp_path / "app.log"
    written: list[str] = []

    def write_and_rotate() -> None:
        for turn in range(60):
            with app.open("a") as file:
                for number in range(20):
                    file.write(f"line {turn} {number}\n")
                    file.flush()
                    written.append(f"line {turn} {number}")
            for old in range(60, 0, -1):
                source = Path(f"{app}.{old}")
                if source.exists():
                    source.rename(f"{app}.{old + 1}")
            app.rename(f"{app}.1")

    append(app, "first\n")
    collected = Collected(monitor_of(app))
    await collected.until(lambda: collected.texts == ["first"])
    await asyncio.to_thread(write_and_rotate)
    append(app, "last\n")
    await collected.until(lambda: collected.texts[-1] == "last")
    await collected.stop()
    assert collected.texts == ["first", *written, "last"]


async def test_copytruncate_under_load_reads_every_line_that_stayed_readable_once(tmp_path: Path) -> None:
    app = tmp_path / "app.log"
    kept: list[str] = []

    def write_and_truncate() -> None:
        with app.open("ab", buffering=0) as file:
            for turn in range(40):
                for number in range(20):
                    file.write(f"line {turn} {number}\n".encode())
                    kept.append(f"line {turn} {number}")
                for old in range(40, 0, -1):
                    source = Path(f"{app}.{old}")
                    if source.exists():
                        source.rename(f"{app}.{old + 1}")
                Path(f"{app}.1").write_bytes(app.read_bytes())
                os.truncate(app, 0)

    append(app, "first\n")
    collected = Collected(monitor_of(app))
    await collected.until(lambda: collected.texts == ["first"])
    await asyncio.to_thread(write_and_truncate)
    append(app, "last\n")
    await collected.until(lambda: collected.texts[-1] == "last")
    await collected.stop()
    assert sorted(collected.texts) == sorted(["first", *kept, "last"])


async def test_a_cancelled_read_resumes_without_loss_or_doubles(tmp_path: Path) -> None:
    app = tmp_path / "app.log"
    expected: list[str] = []
    batches: list[EntryBatch] = []
    for turn in range(10):
        append(app, f"line {turn}\npart of ")
        expected.append(f"line {turn}" if not turn else f"part of line {turn}")
        collected = Collected(monitor_of(app), list(positions_of(batches).values()))
        await collected.until(lambda: bool(collected.texts))  # noqa: B023  # awaited within the turn
        await collected.stop()
        batches += collected.batches
    assert texts_of(batches) == expected


async def test_stopping_closes_every_file_and_thread(tmp_path: Path) -> None:
    append(tmp_path / "app.log", "one\n")
    watcher = FolderWatcher()
    before = sum(1 for _ in Path("/dev/fd").iterdir())
    collected = Collected(monitor_of(tmp_path, watcher=watcher))
    await collected.until(lambda: collected.texts == ["one"])
    await collected.stop()
    await asyncio.to_thread(watcher.stop)
    assert sum(1 for _ in Path("/dev/fd").iterdir()) <= before + 1


async def test_a_path_that_matches_nothing_is_told_by_its_health(tmp_path: Path) -> None:
    monitor = monitor_of(tmp_path / "*.lgo")
    collected = Collected(monitor)
    await collected.until(lambda: monitor.health().state is HealthState.DEGRADED)
    assert "*.lgo' matches no file" in monitor.health().reason
    append(tmp_path / "app.lgo", "one\n")
    await collected.until(lambda: collected.texts == ["one"])
    await collected.until(lambda: monitor.health().state is HealthState.OK)
    await collected.stop()


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_network_file_systems_are_polled_from_the_start(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from collections import namedtuple

    from vedette.sources.files import watching

    part = namedtuple("part", "mountpoint fstype")
    mounts = [part("/", "ext4"), part("/mnt/logs", kind)]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: mounts)
    assert not watching.tells_of_changes(["/mnt/logs/app.log"])
    assert watching.tells_of_changes(["/var/log/app.log"])
