"""Long texts are kept in parts beside the events.

The database reads 2,048 values of a column at a time: with texts of a megabyte that is more memory than it may take,
and a few hundred of them would make the file unreadable. So `events` holds the first LOOKED_AT characters of a text,
and `long_texts` the whole of the longer ones in parts. Parts overlap by the length of the longest query, so that what
is looked for lies in one of them if it is in the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import duckdb
import polars as pl

from vedette.model.query.reading import MAX_CHARACTERS
from vedette.model.query.tree import LOOKED_AT
from vedette.model.rows import SEQUENCE
from vedette.store.duckdb.frames import read_frame, visible

_SCHEMA: Final = {"seq": pl.Int64, "name": pl.String, "part": pl.Int32, "text": pl.String}


def are_present(connection: duckdb.DuckDBPyConnection) -> bool:
    """True when any text is stored in parts."""
    return bool(connection.execute("SELECT 1 FROM long_texts LIMIT 1").fetchall())


def split(stored: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """The rows for `events` with their texts cut, and those for `long_texts`, None when no text is long."""
    texts = [name for name, dtype in stored.schema.items() if dtype == pl.String]
    longest = stored.select(pl.col(texts).str.len_bytes().max())
    long = [name for name in texts if (longest[name][0] or 0) > LOOKED_AT]
    if not long:
        return stored, None
    parts = pl.DataFrame(list(_parts(stored, long)), schema=_SCHEMA, orient="row")
    return stored.with_columns(pl.col(long).str.head(LOOKED_AT)), parts if parts.height else None


def _parts(stored: pl.DataFrame, names: list[str]) -> Iterator[tuple[int, str, int, str]]:
    """A loop over rows: over those with a text of more than 8 KiB, which are few or the input is dirty."""
    for name in names:
        rows = stored.filter(pl.col(name).str.len_chars() > LOOKED_AT).select(SEQUENCE, name).iter_rows()
        for seq, text in rows:
            for part, start in enumerate(range(0, len(text), LOOKED_AT)):
                yield seq, name, part, text[start : start + LOOKED_AT + MAX_CHARACTERS]


def write(connection: duckdb.DuckDBPyConnection, parts: pl.DataFrame) -> None:
    """Store the parts, in the caller's transaction."""
    with visible(connection, parts, "new_parts"):
        connection.execute("INSERT INTO long_texts SELECT * FROM new_parts")


def restored(connection: duckdb.DuckDBPyConnection, events: pl.DataFrame) -> pl.DataFrame:
    """The events with their long texts whole; a look at lengths when there are none."""
    texts = [name for name, dtype in events.schema.items() if dtype == pl.String]
    is_cut = pl.any_horizontal(pl.col(texts).str.len_chars() == LOOKED_AT)
    numbers = events.filter(is_cut)[SEQUENCE].to_list()
    if not numbers:
        return events
    wholes: dict[str, dict[int, list[str]]] = {}
    sql = """SELECT name, seq, substr(text, 1, ?) AS text FROM long_texts
        WHERE seq IN (SELECT unnest(?::BIGINT[])) AND seq BETWEEN ? AND ? ORDER BY name, seq, part"""
    for name, seq, text in read_frame(connection, sql, [LOOKED_AT, numbers, min(numbers), max(numbers)]).iter_rows():
        wholes.setdefault(name, {}).setdefault(seq, []).append(text)
    return events.with_columns(_replaced(name, found) for name, found in wholes.items())


def _replaced(name: str, found: dict[int, list[str]]) -> pl.Expr:
    whole = pl.Series(["".join(parts) for parts in found.values()], dtype=pl.String)
    numbers = pl.Series(list(found), dtype=pl.Int64)
    return pl.col(SEQUENCE).replace_strict(numbers, whole, default=pl.col(name)).alias(name)
