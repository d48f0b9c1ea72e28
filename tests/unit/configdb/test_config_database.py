"""What people decided is kept, checked and told."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from sqlalchemy import Engine, inspect, text

from support.manual_clock import ManualClock
from vedette.configdb import Change, ConfigManager, downgrade, open_database, revision_of, upgrade
from vedette.model.errors import SettingsError


class Watched(BaseModel):
    """A configuration type as a stage would bring it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    paths: tuple[str, ...]
    priority: int = Field(5, ge=1, le=10)
    enabled: bool = True


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.db"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    opened = open_database(path)
    yield opened
    opened.dispose()


@pytest.fixture
def manager(engine: Engine) -> ConfigManager[Watched]:
    return manager_of(engine)


def manager_of(engine: Engine) -> ConfigManager[Watched]:
    return ConfigManager(engine, TypeAdapter(Watched), ManualClock())


def watched(identifier: str, **more: Any) -> dict[str, Any]:
    return {"id": identifier, "paths": ["/var/log/x.log"], **more}


def test_what_was_added_is_there_after_a_restart(path: Path) -> None:
    first = open_database(path)
    for identifier in ("b", "a", "c"):
        manager_of(first).add(watched(identifier, priority=7), origin="discovery")
    first.dispose()
    second = open_database(path)
    entries = manager_of(second).list()
    assert [entry.id for entry in entries] == ["b", "a", "c"]
    assert (entries[0].document.priority, entries[0].origin) == (7, "discovery")
    assert entries[0].created_at == ManualClock().now()
    second.dispose()


def test_change_replaces_the_named_fields_only(manager: ConfigManager[Watched]) -> None:
    manager.add(watched("a", priority=3))
    manager.change("a", {"paths": ["/tmp/y.log"]})
    entry = manager.get("a")
    assert entry is not None
    assert (entry.document.paths, entry.document.priority) == (("/tmp/y.log",), 3)


def test_switching_off_is_kept_in_the_document_too(engine: Engine, manager: ConfigManager[Watched]) -> None:
    manager.add(watched("a"))
    manager.set_enabled("a", is_enabled=False)
    (entry,) = manager_of(engine).list()
    assert (entry.is_enabled, entry.document.enabled) == (False, False)
    manager.change("a", {"enabled": True})
    (entry,) = manager_of(engine).list()
    assert (entry.is_enabled, entry.document.enabled) == (True, True)


def test_document_that_is_off_is_added_off(manager: ConfigManager[Watched]) -> None:
    assert not manager.add(watched("a", enabled=False)).is_enabled


def test_removed_entry_is_gone(engine: Engine, manager: ConfigManager[Watched]) -> None:
    manager.add(watched("a"))
    manager.remove("a")
    assert manager.get("a") is None
    assert manager_of(engine).list() == []


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"paths": ["x"]}, "id"),
        (watched("a", priority=99), "priority"),
        (watched("a", paths=[1]), "paths.0"),
        (watched("a", colour="red"), "colour"),
    ],
)
def test_wrong_document_is_refused_with_its_field(
    manager: ConfigManager[Watched], document: dict[str, Any], field: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        manager.add(document)
    assert caught.value.field == field
    assert manager.list() == []


def test_id_cannot_be_taken_twice_nor_changed(manager: ConfigManager[Watched]) -> None:
    manager.add(watched("a"))
    with pytest.raises(SettingsError, match="already"):
        manager.add(watched("a"))
    with pytest.raises(SettingsError, match="cannot change"):
        manager.change("a", {"id": "b"})


def test_unknown_id_is_refused(manager: ConfigManager[Watched]) -> None:
    for act in (lambda: manager.change("x", {}), lambda: manager.remove("x")):
        with pytest.raises(SettingsError, match="no source 'x'"):
            act()


def test_refused_change_leaves_everything_as_it_was(engine: Engine, manager: ConfigManager[Watched]) -> None:
    manager.add(watched("a", priority=3))
    with pytest.raises(SettingsError):
        manager.change("a", {"priority": 0})
    assert [entry.document.priority for entry in (*manager.list(), *manager_of(engine).list())] == [3, 3]


def test_listeners_are_told_after_the_change_is_durable(engine: Engine, manager: ConfigManager[Watched]) -> None:
    seen: list[tuple[str, int]] = []

    def look(change: Change[Watched]) -> None:
        seen.append((change.kind, len(manager_of(engine).list())))

    manager.listen(look)
    manager.add(watched("a"))
    manager.change("a", {"priority": 9})
    manager.remove("a")
    assert seen == [("added", 1), ("changed", 1), ("removed", 0)]


def test_listener_that_fails_keeps_nobody_else_from_being_told(manager: ConfigManager[Watched]) -> None:
    told: list[str] = []

    def fail(_change: Change[Watched]) -> None:
        raise RuntimeError("no")

    manager.listen(fail)
    manager.listen(lambda change: told.append(change.id))
    manager.add(watched("a"))
    assert told == ["a"]


def test_two_threads_changing_at_once_lose_nothing(engine: Engine, manager: ConfigManager[Watched]) -> None:
    changes: list[Change[Watched]] = []
    manager.listen(changes.append)
    barrier = Barrier(2)

    def work(name: str) -> None:
        barrier.wait()
        for number in range(20):
            manager.add(watched(f"{name}{number}"))
            manager.change(f"{name}{number}", {"priority": 1 + number % 10})
            if number % 2:
                manager.remove(f"{name}{number}")

    threads = [Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = {f"{name}{number}" for name in "ab" for number in range(0, 20, 2)}
    assert {entry.id for entry in manager.list()} == kept
    assert manager_of(engine).list() == manager.list()
    assert len(changes) == 2 * (20 + 20 + 10)


def test_two_managers_of_one_file_do_not_disturb_each_other(path: Path, manager: ConfigManager[Watched]) -> None:
    other_engine = open_database(path)
    other = manager_of(other_engine)
    failures: list[Exception] = []

    def work(target: ConfigManager[Watched], name: str) -> None:
        try:
            for number in range(15):
                target.add(watched(f"{name}{number}"))
        except Exception as error:
            failures.append(error)

    threads = [Thread(target=work, args=pair) for pair in ((manager, "a"), (other, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(manager_of(other_engine).list()) == 30
    other_engine.dispose()


def test_entry_that_is_not_valid_any_more_is_kept_and_named(engine: Engine, manager: ConfigManager[Watched]) -> None:
    manager.add(watched("good"))
    manager.add(watched("old"))
    with engine.begin() as connection:
        connection.execute(text("""UPDATE sources SET document = '{"id": "old"}' WHERE id = 'old'"""))
    again = manager_of(engine)
    assert [entry.id for entry in again.list()] == ["good"]
    assert "paths" in again.unreadable["old"]
    with pytest.raises(SettingsError, match="already"):
        again.add(watched("old"))
    again.remove("old")
    assert manager_of(engine).unreadable == {}


def test_schema_goes_up_and_down_and_up_again(engine: Engine) -> None:
    assert revision_of(engine) == "0004"
    downgrade(engine, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    upgrade(engine)
    assert inspect(engine).has_table("sources")


def test_migration_makes_the_tables_that_the_code_knows(engine: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from vedette.configdb.tables import Table

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_writes_are_durable_and_journaled(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2


def test_file_that_is_no_database_is_refused_with_a_remedy(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(SettingsError, match="restore it from a backup") as caught:
        open_database(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes().startswith(b"not a database")


def test_migration_that_fails_half_way_leaves_nothing_behind(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE sources (somebody_elses TEXT)")
    with pytest.raises(SettingsError):
        open_database(path)
    with sqlite3.connect(path) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
    connection.close()
    assert tables == ["sources"]


def test_first_start_killed_anywhere_is_finished_by_the_next(tmp_path: Path) -> None:
    script = (
        "import sys, os, signal\n"
        "from pathlib import Path\n"
        "from sqlalchemy import event\n"
        "from sqlalchemy.engine import Engine\n"
        "steps = int(sys.argv[2])\n"
        "def count(*args):\n"
        "    global steps\n"
        "    steps -= 1\n"
        "    if steps < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "for name in ('before_cursor_execute', 'after_cursor_execute', 'commit'):\n"
        "    event.listen(Engine, name, count)\n"
        "from vedette.configdb import open_database\n"
        "open_database(Path(sys.argv[1])).dispose()\n"
    )
    killed = 0
    for steps in range(0, 60, 2):
        path = tmp_path / f"{steps}.db"
        command = [sys.executable, "-c", script, str(path), str(steps)]
        ended = subprocess.run(command, env=os.environ, timeout=60, check=False)
        killed += ended.returncode == -signal.SIGKILL
        engine = open_database(path)
        manager_of(engine).add(watched("a"))
        assert revision_of(engine) == "0004"
        engine.dispose()
        if ended.returncode == 0:
            break
    assert killed >= 3
