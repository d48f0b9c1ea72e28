"""The schema changes in numbered steps that can be killed anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from support.events import SettableClock, numbered_events
from vedette.model.batches import CommitBatch
from vedette.model.errors import StoreError
from vedette.model.events import EVENT_SCHEMA
from vedette.model.query import MATCH_ALL
from vedette.store import DuckDbStore
from vedette.store.duckdb.frames import sql_type
from vedette.store.duckdb.migrations import MIGRATIONS, Migration

TESTS = Path(__file__).resolve().parents[2]
NEXT = Migration(
    MIGRATIONS[-1].version + 1,
    (
        "CREATE TABLE seen (host VARCHAR, amount BIGINT)",
        'INSERT INTO seen SELECT "host.name", count(*) FROM events GROUP BY 1',
        "ALTER TABLE notes ADD COLUMN weight INTEGER DEFAULT 0",
    ),
)


def old_store(folder: Path) -> Path:
    path = folder / "events.duckdb"
    store = DuckDbStore.open(path, clock=SettableClock())
    store.commit(CommitBatch(numbered_events(1_000)))
    store.close()
    return path


def test_the_newest_schema_has_every_event_column(tmp_path: Path) -> None:
    path = old_store(tmp_path)
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'events'"
        ).fetchall()
    expected = {name: sql_type(dtype) for name, dtype in EVENT_SCHEMA.items()}
    assert dict(rows) == expected | {"vedette.seq": "BIGINT", "message_start": "INTEGER"}
    assert [name for name, _ in rows] == ["vedette.seq", "message_start", *EVENT_SCHEMA], "inserts are by position"


def test_versions_are_numbered_without_a_gap() -> None:
    assert [migration.version for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_an_older_database_is_brought_up_to_date_with_its_events(tmp_path: Path) -> None:
    path = old_store(tmp_path)
    store = DuckDbStore.open(path, clock=SettableClock(), migrations=(*MIGRATIONS, NEXT))
    assert store.count(MATCH_ALL) == 1_000
    assert store.commit(CommitBatch(numbered_events(1))).first_seq == 1_001
    store.close()
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("SELECT amount FROM seen").fetchall() == [(1_000,)]
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(NEXT.version,)]


def test_a_database_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = old_store(tmp_path)
    DuckDbStore.open(path, clock=SettableClock(), migrations=(*MIGRATIONS, NEXT)).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"schema version {NEXT.version}.*newer program"):
        DuckDbStore.open(path, clock=SettableClock())
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["events.duckdb"]


PROGRAM = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("steps", sys.argv[1])
steps = importlib.util.module_from_spec(spec)
spec.loader.exec_module(steps)
steps.DuckDbStore.open(
    Path(sys.argv[2]), clock=steps.SettableClock(), migrations=(*steps.MIGRATIONS, steps.NEXT)
).close()
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_migration_killed_anywhere_is_repeated_by_the_next_start(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), *filter(None, sys.path)))}
    kills = 0
    for number in range(1, 7):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = old_store(folder)
        calls = "inject=pwrite64,write,fdatasync,fsync,unlink,ftruncate"
        ended = subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(path), "-P", f"{path}.wal",
             "-e", f"{calls}:signal=KILL:when={number}", sys.executable, "-c", PROGRAM, __file__, str(path)],
            env=environment, check=False,
        )  # fmt: skip
        kills += ended.returncode != 0
        store = DuckDbStore.open(path, clock=SettableClock(), migrations=(*MIGRATIONS, NEXT))
        assert store.count(MATCH_ALL) == 1_000
        assert not store.health().reason
        store.close()
        with duckdb.connect(str(path), read_only=True) as connection:
            assert connection.execute("SELECT amount FROM seen").fetchall() == [(1_000,)]
    assert kills >= 2
