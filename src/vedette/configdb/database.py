"""Opens the configuration database and brings it to the newest schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DatabaseError

from vedette.model.errors import SettingsError

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def open_database(path: Path) -> Engine:
    """The SQLite database at `path`, made if it is not there, migrated to the newest schema.

    Safe to be killed anywhere: each migration is one transaction, the next start goes on. Blocks. Raises
    SettingsError when the file is no database of ours. Dispose of the engine when done.
    """
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _set_up_connection)
    event.listen(engine, "begin", _begin_immediately)
    try:
        upgrade(engine)
    except DatabaseError as error:
        engine.dispose()
        raise SettingsError(
            f"The configuration database {path} cannot be opened ({error.orig}); "
            "restore it from a backup, or move it away to begin with an empty one."
        ) from error
    return engine


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Migrate up to a revision; nothing happens when it is reached already."""
    with engine.begin() as connection:
        command.upgrade(_alembic(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Migrate down to a revision; `base` takes everything away."""
    with engine.begin() as connection:
        command.downgrade(_alembic(connection), revision)


def revision_of(engine: Engine) -> str | None:
    """The schema's revision, None when it has none yet."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _set_up_connection(connection: Any, _record: object) -> None:
    """Durable, and patient with a second thread. The driver's own transactions are off: see _begin_immediately."""
    connection.isolation_level = None
    for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_immediately(connection: Connection) -> None:
    """Take the write lock at once, so that a read-then-write never fails half-way; covers schema changes too."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
