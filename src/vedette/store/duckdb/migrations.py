"""The schema of the database, step by step.

A step that has been released is never edited: the next change is a new one. `migrate` runs the missing ones in a
single transaction, so a process that dies in the middle leaves the old schema, whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import structlog

from vedette.model.errors import StoreError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: the version it leads to, and its statements."""

    version: int
    statements: tuple[str, ...]


_EVENTS: Final = """
CREATE TABLE events (
    "vedette.seq" BIGINT,
    "message_start" INTEGER,
    "@timestamp" TIMESTAMP,
    "event.ingested" TIMESTAMP,
    "event.original" VARCHAR,
    "message" VARCHAR,
    "vedette.source" VARCHAR,
    "vedette.generation" BIGINT,
    "log.offset" BIGINT,
    "log.length" BIGINT,
    "log.format" VARCHAR,
    "log.level" VARCHAR,
    "log.file.path" VARCHAR,
    "host.name" VARCHAR,
    "process.name" VARCHAR,
    "process.pid" BIGINT,
    "user.name" VARCHAR,
    "source.ip" VARCHAR,
    "source.port" INTEGER,
    "source.address" VARCHAR,
    "destination.ip" VARCHAR,
    "destination.port" INTEGER,
    "event.category" VARCHAR,
    "event.action" VARCHAR,
    "event.outcome" VARCHAR,
    "event.severity" UTINYINT,
    "http.request.method" VARCHAR,
    "url.original" VARCHAR,
    "http.response.status_code" INTEGER,
    "user_agent.original" VARCHAR,
    "process.executable" VARCHAR,
    "process.command_line" VARCHAR,
    "template.id" VARCHAR,
    "parse.status" VARCHAR,
    "vedette.marks" VARCHAR,
    "fields" VARCHAR
)"""

MIGRATIONS: Final = (
    Migration(
        1,
        (
            _EVENTS,
            """CREATE TABLE findings (
                id VARCHAR, seq BIGINT, rule_id VARCHAR, severity UTINYINT, status VARCHAR,
                first_seen TIMESTAMP, last_seen TIMESTAMP, payload VARCHAR)""",
            """CREATE TABLE positions (
                source_id VARCHAR, generation BIGINT, changed BIGINT, payload VARCHAR)""",
            "CREATE TABLE state (name VARCHAR, snapshot BLOB)",
            "CREATE TABLE ledger (source_id VARCHAR, counters VARCHAR)",
            """CREATE TABLE notes (
                number BIGINT, source_id VARCHAR, kind VARCHAR, detail VARCHAR, noted_at TIMESTAMP, path VARCHAR,
                bytes_lost BIGINT)""",
            """CREATE TABLE meta (
                epoch VARCHAR, next_seq BIGINT, next_finding_seq BIGINT, next_note BIGINT, changes BIGINT,
                last_batch VARCHAR, last_first_seq BIGINT, last_first_finding_seq BIGINT,
                last_committed_at TIMESTAMP)""",
        ),
    ),
    Migration(2, ("CREATE TABLE long_texts (seq BIGINT, name VARCHAR, part INTEGER, text VARCHAR)",)),
)


def migrate(connection: duckdb.DuckDBPyConnection, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Bring the schema to the newest version, in the caller's transaction; the version it had before.

    Raises StoreError when the database is newer than the program."""
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER)")
    rows = connection.execute("SELECT version FROM schema_version").fetchall()
    version = int(rows[0][0]) if rows else 0
    newest = migrations[-1].version
    if version > newest:
        raise StoreError(
            f"{path} has schema version {version}, this program knows versions up to {newest}; "
            "use the newer program that wrote it, or another data folder"
        )
    for migration in migrations:
        if migration.version <= version:
            continue
        for statement in migration.statements:
            connection.execute(statement)
    if not rows:
        connection.execute("INSERT INTO schema_version VALUES (?)", [newest])
    elif version < newest:
        connection.execute("UPDATE schema_version SET version = ?", [newest])
        log.info("store_migrated", path=str(path), from_version=version, to_version=newest)
    return version
