"""Being told of changes by the system, and knowing where it does not tell."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Final

import psutil
import structlog
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

log = structlog.get_logger(__name__)

MOST_WATCHES: Final = 256
"""Each takes a thread; folders beyond are polled."""

_SILENT_FILE_SYSTEMS: Final = (
    "nfs", "cifs", "smb", "fuse", "sshfs", "9p", "afs", "ceph", "gluster", "glusterfs", "ncp", "lustre", "davfs",
    "vboxsf", "vmhgfs", "prl_fs", "webdav", "osxfuse", "macfuse",
)  # fmt: skip
_TELLING: Final[list[type[FileSystemEvent]]] = [
    FileModifiedEvent, FileCreatedEvent, FileDeletedEvent, FileMovedEvent,
    DirCreatedEvent, DirDeletedEvent, DirMovedEvent,
]  # fmt: skip

Told = Callable[[str], None]
"""Called with the path of what changed, in a thread of the watcher; must return at once."""


class WatchRefused(Exception):  # the caller polls instead; nothing is wrong with the program
    """The system gives no watch for a folder; the text says why and what to do."""


class FolderWatcher:
    """One for all sources of a process: starts with the first watch. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._observer: BaseObserver | None = None
        self._watches: dict[str, tuple[ObservedWatch, _Fan]] = {}

    def watch(self, folder: str, told: Told) -> None:
        """Tell of changes to what is directly in `folder`. Raises WatchRefused and FileNotFoundError. Blocks."""
        with self._lock:
            if folder in self._watches:
                self._watches[folder][1].add(told)
                return
            if len(self._watches) >= MOST_WATCHES:
                raise WatchRefused(f"more than {MOST_WATCHES} folders are watched: '{folder}' is polled")
            fan = _Fan()
            fan.add(told)
            try:
                watch = self._running().schedule(fan, folder, recursive=False, event_filter=_TELLING)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise WatchRefused(_why(folder, error)) from error
            self._watches[folder] = (watch, fan)

    def unwatch(self, folder: str, told: Told) -> None:
        """Safe to repeat."""
        with self._lock:
            watch, fan = self._watches.get(folder, (None, None))
            if watch is None or fan is None or fan.remove(told):
                return
            del self._watches[folder]
            if self._observer is not None:
                self._observer.unschedule(watch)

    def stop(self) -> None:
        """Blocks until its threads have ended."""
        with self._lock:
            observer, self._observer = self._observer, None
            self._watches.clear()
        if observer is not None:
            observer.stop()
            observer.join()

    def _running(self) -> BaseObserver:
        if self._observer is None:
            self._observer = Observer()
            self._observer.daemon = True
            self._observer.start()
        return self._observer


class _Fan(FileSystemEventHandler):
    """Hands an event on to everyone who asked."""

    def __init__(self) -> None:
        self._told: tuple[Told, ...] = ()

    def add(self, told: Told) -> None:
        self._told = (*self._told, told)

    def remove(self, told: Told) -> bool:
        """Whether someone is left."""
        self._told = tuple(each for each in self._told if each != told)
        return bool(self._told)

    def on_any_event(self, event: FileSystemEvent) -> None:
        for path in (event.src_path, event.dest_path):
            for told in self._told if path else ():
                told(os.fsdecode(path))


def tells_of_changes(paths: Iterable[str]) -> bool:
    """Whether the file systems of all `paths` announce every change, also one made on another machine. Blocks."""
    try:
        mounts = [(part.mountpoint, part.fstype.lower()) for part in psutil.disk_partitions(all=True)]
    except OSError:
        return True
    return not any(_is_silent(_file_system_of(os.path.realpath(path), mounts)) for path in paths)


def _file_system_of(path: str, mounts: list[tuple[str, str]]) -> str:
    under = [(len(mount), kind) for mount, kind in mounts if path == mount or path.startswith(mount.rstrip("/") + "/")]
    return max(under, default=(0, ""))[1]


def _is_silent(kind: str) -> bool:
    return kind != "fusectl" and (kind in _SILENT_FILE_SYSTEMS or kind.startswith(("fuse.", "nfs", "smb")))


def _why(folder: str, error: OSError) -> str:
    text = error.strerror or str(error)
    if "limit" in str(error):
        return f"{text}: '{folder}' is polled, raise fs.inotify.max_user_watches or max_user_instances"
    return f"'{folder}' cannot be watched ({text}) and is polled"
