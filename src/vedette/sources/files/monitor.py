"""Follows log files as a source: tells the scanner when to look, and hands on what it read."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

import structlog

from vedette.model.clock import Clock, SystemClock
from vedette.model.entries import EntryBatch, LedgerNote
from vedette.model.health import HealthState, PartHealth
from vedette.model.positions import Position
from vedette.sources.config import LogSourceConfig, MonitoringConfig
from vedette.sources.files.identity import RandomBits
from vedette.sources.files.reader import empty_batch
from vedette.sources.files.scanner import FileScanner, FileStatus, Step
from vedette.sources.files.watching import FolderWatcher, WatchRefused, tells_of_changes

log = structlog.get_logger(__name__)

_BREATH: Final = timedelta(milliseconds=40)
"""Between two looks in a burst: the first change is read at once, the next ones together."""

_Result = TypeVar("_Result")


class LogFileMonitor:
    """A `Source` of files that are being written. One `read` at a time.

    Changes announced by `watcher` are read at once; a look at every file each `poll_interval` is the safety net, and
    the only way where nothing is announced (network file systems, no watches left, `use_polling`).
    """

    def __init__(
        self,
        config: LogSourceConfig,
        monitoring: MonitoringConfig | None = None,
        *,
        watcher: FolderWatcher | None = None,
        clock: Clock | None = None,
        random_bits: RandomBits = secrets.randbits,
    ) -> None:
        self._config = config
        self._monitoring = monitoring or MonitoringConfig()
        self._watcher = watcher
        self._clock = clock or SystemClock()
        self._random_bits = random_bits
        self._poll = (config.poll_interval or self._monitoring.poll_interval).total_seconds()
        self._files: tuple[FileStatus, ...] = ()
        self._problems: list[str] = []
        self._refusal = ""
        self._health = PartHealth(f"source {config.id}", HealthState.OK, self._clock.now())

    @property
    def id(self) -> str:
        return self._config.id

    def files(self) -> tuple[FileStatus, ...]:
        """Status of every file, as of the last look."""
        return self._files

    def health(self) -> PartHealth:
        """Degraded while a path cannot be read or changes are not announced."""
        return self._health

    async def read(self, resume: Sequence[Position]) -> AsyncIterator[EntryBatch]:
        scanner = FileScanner(self._config, self._monitoring, resume, clock=self._clock, random_bits=self._random_bits)
        changes = _Changes(asyncio.get_running_loop())
        watches = _Watches(self._watcher or FolderWatcher(), changes.told, is_own=self._watcher is None)
        try:
            is_polling = await _in_thread(self._must_poll)
            due = 0.0
            while True:
                now = self._clock.monotonic()
                changed = None if now >= due else changes.take()
                if changed is None:
                    changes.take()
                    due = now + self._poll
                look = partial(self._look, scanner, changes, None if is_polling else watches, changed)
                step = await _in_thread(look)
                for batch in step.batches:
                    yield batch
                if not step.is_busy:
                    await changes.wait(max(0.0, due - self._clock.monotonic()))
        finally:
            await _in_thread(watches.close)
            await _in_thread(scanner.close)

    def _must_poll(self) -> bool:
        if self._config.use_polling is not None:
            return self._config.use_polling
        return not tells_of_changes(path for path in self._config.paths)

    def _look(
        self, scanner: FileScanner, changes: _Changes, watches: _Watches | None, changed: set[str] | None
    ) -> Step:
        """One step, and after a look at everything: status, health, and the watches of the folders of now."""
        step = scanner.step(changed)
        if changed is None or step.batches:
            self._files = scanner.files()
        if changed is not None:
            return step
        changes.prefixes = scanner.prefixes
        notes = [] if watches is None else self._watch(scanner, watches)
        self._problems = scanner.problems
        self._update_health()
        return Step([*step.batches, *notes], step.is_busy)

    def _watch(self, scanner: FileScanner, watches: _Watches) -> list[EntryBatch]:
        """Watch the folders of now; a batch with a note when a watch is refused for the first time."""
        refusal = watches.set(scanner.folders)
        is_new = bool(refusal) and not self._refusal
        self._refusal = refusal
        if not is_new:
            return []
        log.warning("source_polls", source=self.id, reason=refusal)
        note = LedgerNote(self.id, "overflow", refusal, self._clock.now())
        return [empty_batch(scanner.settings, None, notes=(note,))]

    def _update_health(self) -> None:
        problems = [*self._problems, *([self._refusal] if self._refusal else [])]
        state = HealthState.DEGRADED if problems else HealthState.OK
        reason, _, remedy = problems[0].rpartition(": ") if problems else ("", "", "")
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        since = self._health.since if state is self._health.state else self._clock.now()
        self._health = PartHealth(self._health.part, state, since, reason + more, remedy)


class _Changes:
    """Paths that changed, collected from the watcher's thread for the event loop.

    A folder is often shared with other sources: only what begins with one of `prefixes` wakes this one.
    """

    _MOST: Final = 10_000

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._is_over_full = False
        self._looked_at = 0.0
        self.prefixes: tuple[str, ...] = ()

    def told(self, path: str) -> None:
        if not path.startswith(self.prefixes):
            return
        with self._lock:
            is_first = not self._paths
            if len(self._paths) < self._MOST:
                self._paths.add(path)
            else:
                self._is_over_full = True
        if is_first and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    def take(self) -> set[str] | None:
        """What changed since the last time; None when it was too much to remember."""
        self._event.clear()
        self._looked_at = self._loop.time()
        with self._lock:
            paths, self._paths = self._paths, set()
            is_over_full, self._is_over_full = self._is_over_full, False
        return None if is_over_full else paths

    async def wait(self, seconds: float) -> None:
        """Until something changed, at most `seconds`; at least a breath since the last look."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        pause = self._looked_at + _BREATH.total_seconds() - self._loop.time()
        if pause > 0:
            await asyncio.sleep(pause)


class _Watches:
    """The watches of one source."""

    def __init__(self, watcher: FolderWatcher, told: Callable[[str], None], *, is_own: bool) -> None:
        self._watcher = watcher
        self._told = told
        self._is_own = is_own
        self._folders: dict[str, int] = {}

    def set(self, folders: Sequence[str]) -> str:
        """Watch exactly `folders`; why not, where the system refuses. A folder that was made anew is watched anew."""
        inodes = {folder: inode for folder in folders if (inode := _inode_of(folder))}
        for folder in [each for each, inode in self._folders.items() if inodes.get(each) != inode]:
            self._watcher.unwatch(folder, self._told)
            del self._folders[folder]
        refusal = ""
        for folder, inode in inodes.items():
            if folder not in self._folders:
                try:
                    self._watcher.watch(folder, self._told)
                    self._folders[folder] = inode
                except FileNotFoundError:
                    continue
                except WatchRefused as error:
                    refusal = refusal or str(error)
        return refusal

    def close(self) -> None:
        for folder in self._folders:
            self._watcher.unwatch(folder, self._told)
        self._folders.clear()
        if self._is_own:
            self._watcher.stop()


def _inode_of(folder: str) -> int:
    try:
        return os.stat(folder).st_ino
    except OSError:
        return 0


async def _in_thread(work: Callable[[], _Result]) -> _Result:
    """Run blocking work in a thread; a cancellation waits for its end, so that nothing is closed under it."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
