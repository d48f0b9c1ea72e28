"""How much is stored, and letting go of the oldest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import duckdb
import structlog

from vedette.store.contract import StoreStats
from vedette.store.duckdb.database import Database

log = structlog.get_logger(__name__)

_SMALLEST_STEP: Final = 20
"""At least a twentieth of what is left goes in one step, so that few steps are needed."""


def stats(connection: duckdb.DuckDBPyConnection, wal_bytes: int) -> StoreStats:
    """Rows, bytes and the span of time."""
    events, oldest, newest = connection.execute(
        'SELECT count(*), min("@timestamp"), max("@timestamp") FROM events'
    ).fetchall()[0]
    findings = connection.execute("SELECT count(*) FROM findings").fetchall()[0][0]
    return StoreStats(
        events=events,
        findings=findings,
        bytes_on_disk=used_bytes(connection) + wal_bytes,
        oldest=oldest and oldest.replace(tzinfo=UTC),
        newest=newest and newest.replace(tzinfo=UTC),
    )


def used_bytes(connection: duckdb.DuckDBPyConnection) -> int:
    """Bytes of the file that hold something; the rest of it is reused before it grows."""
    row = connection.execute("SELECT block_size * used_blocks FROM pragma_database_size()").fetchall()
    return int(row[0][0])


def drop_before(database: Database, time: datetime) -> int:
    """Delete the events older than `time` (UTC, naive); the number deleted."""
    with database.writing() as connection:
        old = """SELECT "vedette.seq" FROM events WHERE "@timestamp" < ?"""
        connection.execute(f"DELETE FROM long_texts WHERE seq IN ({old})", [time])  # noqa: S608
        deleted = connection.execute('DELETE FROM events WHERE "@timestamp" < ?', [time]).fetchall()[0][0]
    if deleted:
        database.checkpoint()
        log.info("store_events_expired", events=deleted, before=time.isoformat())
    return int(deleted)


def shrink_to(database: Database, max_bytes: int) -> int:
    """Delete the oldest events by number until what is used fits; the number deleted."""
    database.checkpoint()
    deleted = 0
    while True:
        with database.reading() as connection:
            used = used_bytes(connection)
            events = connection.execute("SELECT count(*) FROM events").fetchall()[0][0]
        if used <= max_bytes or not events:
            break
        share = max(1 - max_bytes / used, 1 / _SMALLEST_STEP)
        deleted += _delete_oldest(database, max(1, round(events * share)))
        database.checkpoint()
    if deleted:
        log.info("store_shrunk", events=deleted, max_bytes=max_bytes)
    return deleted


def _delete_oldest(database: Database, amount: int) -> int:
    with database.writing() as connection:
        bound = connection.execute(
            'SELECT "vedette.seq" FROM events ORDER BY "vedette.seq" LIMIT 1 OFFSET ?', [amount - 1]
        ).fetchall()[0][0]
        connection.execute("DELETE FROM long_texts WHERE seq <= ?", [bound])
        return int(connection.execute('DELETE FROM events WHERE "vedette.seq" <= ?', [bound]).fetchall()[0][0])
