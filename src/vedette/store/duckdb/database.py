"""The database file: made so that it can be killed at any time, and reopened when it reports a fatal state.

A full disk during a checkpoint, or one failed fsync, turns every later statement into an error until all
connections are closed and the file is opened again. Nothing committed is lost by that.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import structlog

from vedette.model.clock import Clock
from vedette.model.errors import StoreBroken, StoreError
from vedette.store.duckdb import files
from vedette.store.duckdb.failures import is_corruption, is_fatal, refusal
from vedette.store.duckdb.migrations import MIGRATIONS, Migration, migrate

log = structlog.get_logger(__name__)

_NEVER: Final = "1TB"
"""Checkpoints are made by the store when it has time, not by whichever commit crosses a threshold."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the database may use."""

    memory_bytes: int
    threads: int
    spill_bytes: int = 2 << 30

    def configuration(self) -> dict[str, str | bool | int | float | list[str]]:
        """Hardened: no file but this one, no extension, no change of settings by a statement."""
        return {
            "memory_limit": f"{self.memory_bytes}B",
            "threads": str(self.threads),
            "checkpoint_threshold": _NEVER,
            "max_temp_directory_size": f"{self.spill_bytes}B",
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "lock_configuration": "true",
        }


class Database:
    """Connections to one file. Thread-safe: any number of readers, one writer at a time.

    `generation` counts the openings; what was remembered from the file in an earlier one has to be read again.
    `damage` tells what `open` had to set aside.
    """

    def __init__(self, path: Path, limits: Limits, clock: Clock, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        self.path = path
        self.generation = 0
        self.damage: tuple[str, ...] = ()
        self._limits = limits
        self._clock = clock
        self._migrations = migrations
        self._changed = threading.Condition()
        self._writing = threading.RLock()
        self._root: duckdb.DuckDBPyConnection | None = None
        self._idle: list[duckdb.DuckDBPyConnection] = []
        self._lent: set[duckdb.DuckDBPyConnection] = set()
        self._is_reopening = False
        self._is_closed = False
        self._synced_wal: int | None = None

    def open(self) -> None:
        """Create or open the file; a corrupt one is set aside and a new one begun. Raises StoreError."""
        files.clean_up(self.path)
        damage: list[str] = []
        aside = files.aside_of(self.path, self._clock.now())
        while self._root is None:
            try:
                if not self.path.exists():
                    self._create()
                self._root = self._connect()
            except OSError as error:
                raise refusal(error, self.path) from error
            except duckdb.Error as error:
                if not is_corruption(error) or not self.path.exists():
                    raise refusal(error, self.path) from error
                renamed = files.set_aside(self.path, aside)
                log.error("store_corrupt", path=str(self.path), set_aside=renamed, error=_first_line(error))
                damage.append(f"{self.path} could not be read ({_first_line(error)}); kept as {renamed}")
        self.damage = tuple(damage)
        self.generation += 1

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection within one snapshot. Raises StoreBroken after a fatal failure: reading again may succeed."""
        connection, generation = self._borrow()
        try:
            connection.execute("BEGIN TRANSACTION READ ONLY")
            yield connection
        except duckdb.Error as error:
            self._discard(connection)
            if is_fatal(error):
                self._reopen(generation, error)
            raise refusal(error, self.path) from error
        except BaseException:
            self._discard(connection)
            raise
        else:
            self._give_back(connection)

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection within a transaction that is durable when the block has ended.

        Raises StoreFull or StoreBroken when it may or may not have been applied."""
        with self._writing:
            connection, generation = self._borrow()
            try:
                connection.execute("BEGIN TRANSACTION")
                yield connection
                connection.execute("COMMIT")
                self._sync_folder_of_new_wal()
            except (duckdb.Error, OSError) as error:
                self._discard(connection)
                self._reopen(generation, error)
                raise refusal(error, self.path) from error
            except BaseException:
                self._discard(connection)
                raise
            else:
                self._give_back(connection, in_transaction=False)

    def checkpoint(self) -> None:
        """Bring the write-ahead file into the database; commits wait meanwhile. Raises StoreFull or StoreBroken."""
        with self._writing:
            connection, generation = self._borrow()
            try:
                connection.execute("CHECKPOINT")
            except duckdb.Error as error:
                self._discard(connection)
                self._reopen(generation, error)
                raise refusal(error, self.path) from error
            self._synced_wal = None
            self._give_back(connection, in_transaction=False)

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def wal_bytes(self) -> int:
        """Size of the write-ahead file."""
        try:
            return files.wal_of(self.path).stat().st_size
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        """Interrupt readers, wait for the writer, release the file. Safe to call twice."""
        with self._writing, self._changed:
            self._is_closed = True
            for connection in self._lent:
                connection.interrupt()
            self._changed.wait_for(lambda: not self._lent, timeout=10)
            self._close_all()
            self._changed.notify_all()

    def _create(self) -> None:
        """Under another name first: a file killed while it is being made can never be opened."""
        new = files.new_of(self.path)
        with duckdb.connect(str(new), config=self._limits.configuration()) as connection:
            connection.execute("BEGIN TRANSACTION")
            migrate(connection, self.path, self._migrations)
            connection.execute("COMMIT")
            connection.execute("CHECKPOINT")
        files.put_in_place(new, self.path)

    def _connect(self) -> duckdb.DuckDBPyConnection:
        files.require_content(self.path)
        files.sync_folder(self.path.parent)
        root = duckdb.connect(str(self.path), config=self._limits.configuration())
        try:
            root.execute("BEGIN TRANSACTION")
            migrate(root, self.path, self._migrations)
            _read_a_little(root)
            root.execute("COMMIT")
        except BaseException:
            root.close()
            raise
        return root

    def _borrow(self) -> tuple[duckdb.DuckDBPyConnection, int]:
        with self._changed:
            self._changed.wait_for(lambda: not self._is_reopening)
            if self._is_closed:
                raise StoreError(f"the store {self.path} is closed")
            if self._root is None:
                self._try_open()
            connection = self._idle.pop() if self._idle else self._cursor()
            self._lent.add(connection)
            return connection, self.generation

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        assert self._root is not None
        try:
            return self._root.cursor()
        except duckdb.Error as error:
            raise refusal(error, self.path) from error

    def _give_back(self, connection: duckdb.DuckDBPyConnection, *, in_transaction: bool = True) -> None:
        if in_transaction:
            try:
                connection.execute("ROLLBACK")
            except duckdb.Error:
                self._discard(connection)
                return
        with self._changed:
            self._lent.discard(connection)
            self._idle.append(connection)
            self._changed.notify_all()

    def _discard(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Close a connection whose state is unknown; its transaction ends unapplied."""
        with suppress(duckdb.Error):
            connection.close()
        with self._changed:
            self._lent.discard(connection)
            self._changed.notify_all()

    def _reopen(self, generation: int, error: Exception) -> None:
        """Close every connection and open the file again, unless that has happened since `generation`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_reopening)
            if generation != self.generation or self._is_closed:
                return
            log.warning("store_reopening", path=str(self.path), error=_first_line(error))
            self._is_reopening = True
            try:
                self._changed.wait_for(lambda: not self._lent)
                self._close_all()
                with suppress(StoreError):
                    self._try_open()
            finally:
                self._is_reopening = False
                self._changed.notify_all()

    def _try_open(self) -> None:
        """Open a file that was open before: what is wrong with it now is for the next start to set aside."""
        try:
            self._root = self._connect()
        except (duckdb.Error, OSError) as error:
            log.error("store_cannot_be_reopened", path=str(self.path), error=_first_line(error))
            if isinstance(error, duckdb.Error) and is_corruption(error):
                raise StoreBroken(
                    f"{self.path} is damaged ({_first_line(error)}); restart to set it aside and read the sources anew"
                ) from error
            raise refusal(error, self.path) from error
        self.generation += 1

    def _close_all(self) -> None:
        for connection in (*self._idle, *([self._root] if self._root else [])):
            with suppress(duckdb.Error):
                connection.close()
        self._idle.clear()
        self._root = None
        self._synced_wal = None

    def _sync_folder_of_new_wal(self) -> None:
        """The database creates its write-ahead file without making the folder's entry durable."""
        try:
            inode = files.wal_of(self.path).stat().st_ino
        except FileNotFoundError:
            return
        if inode != self._synced_wal:
            files.sync_folder(self.path.parent)
            self._synced_wal = inode


def _read_a_little(connection: duckdb.DuckDBPyConnection) -> None:
    """Meet damage now: blocks carry checksums, but only what is read is checked. Small tables whole, and the newest
    events, which is where a device that lost writes lost them."""
    for table in ("meta", "positions", "state", "ledger", "notes", "findings"):
        connection.execute(f"SELECT * FROM {table}").complete()  # noqa: S608
    newest = """SELECT * FROM events WHERE "vedette.seq" > (SELECT max("vedette.seq") - 100 FROM events)"""
    with suppress(duckdb.OutOfMemoryException):
        connection.execute(newest).complete()


def _first_line(error: Exception) -> str:
    return (str(error) or repr(error)).splitlines()[0]
