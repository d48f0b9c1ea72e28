"""The event store in one DuckDB file."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb
import polars as pl
import structlog

from vedette.model.batches import CommitBatch, Committed
from vedette.model.clock import Clock
from vedette.model.entries import LedgerNote
from vedette.model.errors import StoreBroken, StoreError, StoreFull
from vedette.model.events import EVENT_SCHEMA
from vedette.model.findings import Finding
from vedette.model.health import PartHealth
from vedette.model.inline import inline
from vedette.model.positions import Position
from vedette.model.query import Query
from vedette.store.contract import FINDINGS_LOOKED_AT, Page, Row, StoreStats
from vedette.store.cursors import from_cursor
from vedette.store.duckdb import commits, retention, searches
from vedette.store.duckdb.commits import Meta
from vedette.store.duckdb.database import Database, Limits
from vedette.store.duckdb.files import free_bytes
from vedette.store.duckdb.migrations import MIGRATIONS, Migration
from vedette.store.duckdb.records import finding_of, position_of
from vedette.store.duckdb.trouble import Trouble
from vedette.store.fields import field_named
from vedette.store.results import page_of_findings
from vedette.store.sql import stored_time

log = structlog.get_logger(__name__)
T = TypeVar("T")

DEFAULT_MEMORY_BYTES: Final = 192 << 20
_CHECKPOINT_WAL_BYTES: Final = 32 << 20
"""Some tens of thousands of events: brought into the database in well under 100 ms, and soon replayed."""
_SPACE_PER_WAL: Final = 4
"""On a small disk the write-ahead file takes no more than this part of what is free."""
_RESERVE_BYTES: Final = 16 << 20
_RESERVE_SHARE: Final = 32


class DuckDbStore:
    """An EventStore. `open` makes one; a thread of its own makes the checkpoints."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._committing = threading.RLock()
        self._meta, self._meta_generation = self._load_meta(), database.generation
        self._trouble = Trouble(clock)
        self._wake = threading.Event()
        self._is_closing = False
        self._keeper = threading.Thread(target=self._keep_wal_small, name="store-checkpoints", daemon=True)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        clock: Clock,
        memory_limit_bytes: int = DEFAULT_MEMORY_BYTES,
        threads: int = 2,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> DuckDbStore:
        """Open or create the database file. A damaged one is set aside, said in `health` and in a note.

        Raises StoreError (newer schema), StoreLocked, StoreFull or StoreBroken."""
        database = Database(path, Limits(memory_limit_bytes, threads), clock, migrations)
        database.open()
        try:
            store = cls(database, clock)
            if database.damage:
                store._tell_damage(database.damage)
        except BaseException:
            database.close()
            raise
        store._keeper.start()
        return store

    @property
    def epoch(self) -> str:
        return self._meta.epoch

    @inline
    def commit(self, batch: CommitBatch) -> Committed:
        if batch.events.schema != EVENT_SCHEMA:
            raise ValueError(f"events must have EVENT_SCHEMA, these have {batch.events.schema}")
        with self._committing, self._trouble.noticed():
            self._require_space()
            key = commits.batch_key(batch)
            with self._database.writing() as connection:
                generation = self._database.generation
                known = self._current_meta(connection)
                is_applied = bool(key) and key == known.last_batch
                meta = known if is_applied else commits.apply(connection, batch, known, self._clock.now())
            self._meta, self._meta_generation = meta, generation
            committed = self._committed(batch)
        self._wake_keeper()
        return committed

    def search(self, query: Query, *, limit: int, cursor: str | None = None, newest_first: bool = True) -> Page:
        return self._read(
            lambda con: searches.search(con, query, limit=limit, cursor=cursor, newest_first=newest_first)
        )

    def frames_after(self, seq: int, until_seq: int, *, limit: int) -> pl.DataFrame:
        return self._read(lambda con: searches.frames_after(con, seq, until_seq, limit))

    def oldest_seq(self) -> int:
        oldest = self._read(lambda con: con.execute('SELECT min("vedette.seq") FROM events').fetchall()[0][0])
        return self._meta.next_seq if oldest is None else int(oldest)

    def next_seq(self) -> int:
        return self._meta.next_seq

    def count(self, query: Query) -> int:
        return self._read(lambda con: searches.count(con, query))

    def histogram(self, query: Query, *, interval: timedelta) -> list[Row]:
        return self._read(lambda con: searches.histogram(con, query, interval))

    def top(self, query: Query, column: str, *, limit: int) -> list[Row]:
        field = field_named(column)
        return self._read(lambda con: searches.top(con, query, field, limit))

    def get(self, event_id: str) -> Row | None:
        return self._read(lambda con: searches.get(con, event_id))

    def context(self, event_id: str, *, before: int, after: int) -> list[Row]:
        return self._read(lambda con: searches.context(con, event_id, before, after))

    def findings(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        min_severity: int = 1,
        where: Callable[[Finding], bool] | None = None,
    ) -> tuple[list[Finding], str | None]:
        before = from_cursor(cursor, 1)[0] if cursor is not None else 2**63 - 1
        rows = self._rows(
            "SELECT seq, payload FROM findings WHERE seq < ? AND severity >= ? ORDER BY seq DESC LIMIT ?",
            before, min_severity, (limit if where is None else FINDINGS_LOOKED_AT) + 1,
        )  # fmt: skip
        return page_of_findings(((seq, finding_of(text)) for seq, text in rows), limit=limit, where=where)

    def finding(self, finding_id: str) -> Finding | None:
        rows = self._rows("SELECT payload FROM findings WHERE id = ?", finding_id)
        return finding_of(rows[0][0]) if rows else None

    def findings_after(self, seq: int, *, limit: int) -> list[tuple[int, Finding]]:
        rows = self._rows("SELECT seq, payload FROM findings WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit)
        return [(number, finding_of(text)) for number, text in rows]

    def next_finding_seq(self) -> int:
        return self._meta.next_finding_seq

    def positions(self, source_id: str | None = None) -> list[Position]:
        rows = self._rows(
            "SELECT payload FROM positions WHERE ? IS NULL OR source_id = ? ORDER BY changed", source_id, source_id
        )
        return [position_of(text) for (text,) in rows]

    def forget_positions(self, source_id: str) -> None:
        with self._committing, self._trouble.noticed(), self._database.writing() as connection:
            connection.execute("DELETE FROM positions WHERE source_id = ?", [source_id])

    def state(self) -> Mapping[str, bytes]:
        return {name: bytes(snapshot) for name, snapshot in self._rows("SELECT name, snapshot FROM state")}

    def ledger(self) -> Mapping[str, Mapping[str, int]]:
        return {source: json.loads(text) for source, text in self._rows("SELECT source_id, counters FROM ledger")}

    def notes(self, source_id: str | None = None, *, limit: int = 100) -> Sequence[LedgerNote]:
        rows = self._rows(
            """SELECT source_id, kind, detail, noted_at, path, bytes_lost FROM notes WHERE ? IS NULL OR source_id = ?
            ORDER BY number DESC LIMIT ?""",
            source_id, source_id, limit,
        )  # fmt: skip
        return [
            LedgerNote(source, kind, detail, at.replace(tzinfo=UTC), path, lost)
            for source, kind, detail, at, path, lost in rows
        ]

    def drop_before(self, time: datetime) -> int:
        with self._committing, self._trouble.noticed():
            return retention.drop_before(self._database, stored_time(time))

    def shrink_to(self, max_bytes: int) -> int:
        with self._committing, self._trouble.noticed():
            return retention.shrink_to(self._database, max_bytes)

    def stats(self) -> StoreStats:
        return self._read(lambda con: retention.stats(con, self._database.wal_bytes()))

    def health(self) -> PartHealth:
        return self._trouble.health()

    def close(self) -> None:
        self._is_closing = True
        self._wake.set()
        if self._keeper.is_alive():
            self._keeper.join()
        if not self._database.is_closed:
            try:
                self._database.checkpoint()
            except StoreError as error:
                log.warning("store_closed_without_checkpoint", path=str(self._database.path), error=str(error))
        self._database.close()

    def _read(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Do it in one snapshot; once more if the database had to be reopened under it."""
        try:
            with self._database.reading() as connection:
                return work(connection)
        except (StoreBroken, StoreFull):
            with self._database.reading() as connection:
                return work(connection)

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self._read(lambda con: con.execute(sql, list(parameters)).fetchall())

    def _committed(self, batch: CommitBatch) -> Committed:
        meta = self._meta
        return Committed(
            batch.events,
            meta.last_first_seq,
            batch.findings,
            meta.last_first_finding_seq,
            meta.last_committed_at,
        )

    def _wake_keeper(self) -> None:
        wal = self._database.wal_bytes()
        free, _ = free_bytes(self._database.path)
        has_room = free > wal // _SPACE_PER_WAL + (1 << 20)
        if has_room and wal > min(_CHECKPOINT_WAL_BYTES, (free + wal) // _SPACE_PER_WAL):
            self._wake.set()

    def _require_space(self) -> None:
        """Refuse while a refusal costs nothing: a disk that fills during a checkpoint means reopening."""
        free, total = free_bytes(self._database.path)
        if free < min(_RESERVE_BYTES, total // _RESERVE_SHARE):
            self._wake_keeper()
            raise StoreFull(
                f"only {free >> 10} KiB are free beside {self._database.path}; "
                "free some space on its disk, or lower the retention"
            )

    def _load_meta(self) -> Meta:
        with self._database.reading() as connection:
            meta = commits.read_meta(connection)
        if meta is None:
            with self._database.writing() as connection:
                meta = commits.begin_meta(connection, self._clock.now())
        return meta

    def _current_meta(self, connection: duckdb.DuckDBPyConnection) -> Meta:
        """After a reopening the outcome of the last commit is what the file says, asked within the transaction."""
        if self._meta_generation == self._database.generation:
            return self._meta
        return commits.read_meta(connection) or self._meta

    def _tell_damage(self, damage: tuple[str, ...]) -> None:
        """Begin a new numbering and note why: what comes next may repeat numbers of the lost one."""
        now = self._clock.now()
        notes = tuple(LedgerNote("vedette.store", "replaced", text, now) for text in damage)
        meta = replace(self._meta, epoch=commits.new_epoch(), next_note=self._meta.next_note + len(notes))
        with self._database.writing() as connection:
            commits.write_notes(connection, notes, self._meta.next_note)
            commits.write_meta(connection, meta)
        self._meta = meta
        self._trouble.last(damage)

    def _keep_wal_small(self) -> None:
        """The checkpoint thread: supervised, a failure is told in health and the next one tried in time."""
        while self._wake.wait() and not self._is_closing:
            self._wake.clear()
            try:
                with self._trouble.noticed():
                    self._database.checkpoint()
            except Exception as error:
                log.error("store_checkpoint_failed", path=str(self._database.path), error=str(error))
