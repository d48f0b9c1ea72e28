"""Event frames to and from the `events` table.

The table holds the event columns under their dotted names (times as UTC), `vedette.seq`, and `message_start`: where
`message` is an ending of `event.original`, as it nearly always is, only the character it begins at is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import duckdb
import polars as pl

from vedette.model.events import EVENT_SCHEMA
from vedette.model.query.tree import LOOKED_AT
from vedette.model.rows import SEQUENCE
from vedette.store.sql import MESSAGE

_SQL_TYPES: Final[dict[Any, str]] = {
    pl.String: "VARCHAR",
    pl.Int64: "BIGINT",
    pl.Int32: "INTEGER",
    pl.UInt8: "UTINYINT",
    pl.Datetime: "TIMESTAMP",
}


def sql_type(dtype: pl.DataType) -> str:
    """The column type an event column is stored as."""
    return _SQL_TYPES[dtype.base_type()]


def stored(events: pl.DataFrame, first_seq: int) -> pl.DataFrame:
    """The events as the table keeps them, numbered from `first_seq`."""
    original, message = pl.col("event.original"), pl.col("message")
    is_ending = original.str.ends_with(message).fill_null(False) & (original.str.len_bytes() <= LOOKED_AT)
    return events.select(
        pl.int_range(first_seq, first_seq + pl.len(), dtype=pl.Int64).alias(SEQUENCE),
        pl.when(is_ending)
        .then(original.str.len_chars().cast(pl.Int32) - message.str.len_chars().cast(pl.Int32))
        .alias("message_start"),
        *(
            pl.when(~is_ending).then(message).alias("message") if name == "message" else _stored(name, dtype)
            for name, dtype in EVENT_SCHEMA.items()
        ),
    )


def _stored(name: str, dtype: pl.DataType) -> pl.Expr:
    return pl.col(name).dt.replace_time_zone(None) if isinstance(dtype, pl.Datetime) else pl.col(name)


EVENT_SELECT: Final = ", ".join(
    [f'"{SEQUENCE}"', *(f'{MESSAGE} AS "message"' if name == "message" else f'"{name}"' for name in EVENT_SCHEMA)]
)
"""What to select from `events` to get rows of EVENT_SCHEMA with their numbers."""


def events_of(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows read with EVENT_SELECT as EVENT_SCHEMA plus `vedette.seq`."""
    return frame.select(*(_event(name, dtype) for name, dtype in EVENT_SCHEMA.items()), pl.col(SEQUENCE).cast(pl.Int64))


def _event(name: str, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Datetime):
        return pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return pl.col(name).cast(dtype)


class _ArrowStream:
    """A frame as the database reads it, without pyarrow: it must not look like a Polars frame."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


@contextmanager
def visible(connection: duckdb.DuckDBPyConnection, frame: pl.DataFrame, name: str) -> Iterator[None]:
    """Let SQL on this connection read the frame under a name."""
    connection.register(name, _ArrowStream(frame))
    try:
        yield
    finally:
        connection.unregister(name)


def read_frame(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Iterable[object] = ()) -> pl.DataFrame:
    """The result of a query as a frame."""
    return pl.DataFrame(cast(Any, connection.query(sql, params=list(parameters))))
