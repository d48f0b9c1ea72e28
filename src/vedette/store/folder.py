"""The data folder: one process at a time owns it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final

from vedette.model.errors import StoreError, StoreFull, StoreLocked

_LOCK: Final = "vedette.lock"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a folder; `address` is the URL of its server once that listens."""

    pid: int
    started_at: datetime
    address: str = ""

    def __str__(self) -> str:
        return f"pid {self.pid}, {self.address}" if self.address else f"pid {self.pid}"


class DataFolder:
    """A folder that is this process's until `close`, or until it dies: the kernel releases the lock.

    Raises StoreLocked when another process owns it, StoreError when it cannot be made or written."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"data folder {self.path} cannot be used ({error.strerror}); choose another with --data-dir"
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            owner = owner_of(self.path)
            raise StoreLocked(
                f"data folder {self.path} is in use by vedette ({owner or 'starting'}); "
                "stop it or choose another with --data-dir"
            ) from None
        self._is_open = True
        self._owner = Owner(os.getpid(), datetime.now(UTC))
        self._write(self._owner)

    @property
    def database_path(self) -> Path:
        """Where the event store is."""
        return self.path / "events.duckdb"

    def publish_address(self, address: str) -> None:
        """Tell other commands where the server listens."""
        self._owner = Owner(self._owner.pid, self._owner.started_at, address)
        self._write(self._owner)

    def free_bytes(self) -> int:
        """Bytes that may still be written in the folder."""
        return shutil.disk_usage(self.path).free

    def close(self) -> None:
        """Let go of the folder. Safe to call twice."""
        if not self._is_open:
            return
        self._is_open = False
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def __enter__(self) -> DataFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, owner: Owner) -> None:
        text = json.dumps(
            {"pid": owner.pid, "address": owner.address, "started_at": owner.started_at.isoformat()}
        ).encode()
        try:
            os.pwrite(self._descriptor, text, 0)
            os.ftruncate(self._descriptor, len(text))
        except OSError as error:
            self.close()
            raise StoreFull(f"data folder {self.path} cannot be written ({error.strerror}); free some space") from error


def owner_of(path: Path) -> Owner | None:
    """Who holds the folder now; None when nobody does, or not yet for sure."""
    try:
        descriptor = os.open(path.expanduser() / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return None if _is_free(descriptor) else _read(descriptor)
    finally:
        os.close(descriptor)


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> Owner | None:
    try:
        values = json.loads(os.pread(descriptor, 4096, 0))
        return Owner(int(values["pid"]), datetime.fromisoformat(values["started_at"]), str(values["address"]))
    except (ValueError, KeyError, TypeError):
        return None
