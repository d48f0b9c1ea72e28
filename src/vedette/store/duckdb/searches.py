"""Reading events: pages, counts, histograms, the neighbourhood of one."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import duckdb
import polars as pl

from vedette.model.events import place_of
from vedette.model.query import Query
from vedette.model.query.tree import Field
from vedette.model.rows import SEQUENCE, rows_of
from vedette.store.contract import Page, Row
from vedette.store.cursors import from_cursor, to_cursor
from vedette.store.duckdb import long_texts
from vedette.store.duckdb.frames import EVENT_SELECT, events_of, read_frame
from vedette.store.results import banded, microseconds_of, shown
from vedette.store.sql import condition, value_of

_YEAR_ONE: Final = -62_135_596_800_000_000
"""The earliest time there is, in microseconds from 1970."""


def search(
    connection: duckdb.DuckDBPyConnection, query: Query, *, limit: int, cursor: str | None, newest_first: bool
) -> Page:
    """One page. Finds the rows by their narrow columns first and reads whole rows only of those."""
    where = condition(query, with_long_texts=long_texts.are_present(connection))
    texts, parameters = [where.text], list(where.parameters)
    if cursor is not None:
        text, values = _behind(cursor, newest_first=newest_first)
        texts.append(text)
        parameters += values
    direction = "DESC" if newest_first else "ASC"
    found = connection.execute(
        f"""SELECT rowid, epoch_us("@timestamp"), "{SEQUENCE}" FROM events WHERE {" AND ".join(texts)}
        ORDER BY "@timestamp" {direction}, "{SEQUENCE}" {direction} LIMIT ?""",  # noqa: S608
        [*parameters, limit + 1],
    ).fetchall()
    has_more, found = len(found) > limit, found[:limit]
    if not found:
        return Page([], None)
    frame = _whole_rows(connection, [row[0] for row in found])
    ordered = frame.sort("@timestamp", SEQUENCE, descending=newest_first)
    return Page(rows_of(ordered), to_cursor(*found[-1][1:]) if has_more else None)


def _behind(cursor: str, *, newest_first: bool) -> tuple[str, list[object]]:
    """What lies behind the row that a page ended with. The first comparison lets whole row groups be skipped."""
    microseconds, seq = from_cursor(cursor, 2)
    sign = "<" if newest_first else ">"
    text = f"""("@timestamp" {sign}= make_timestamp(?)
        AND ("@timestamp" {sign} make_timestamp(?) OR "{SEQUENCE}" {sign} ?))"""
    return text, [microseconds, microseconds, seq]


def _whole_rows(connection: duckdb.DuckDBPyConnection, rowids: list[int]) -> pl.DataFrame:
    sql = f"SELECT {EVENT_SELECT} FROM events WHERE rowid IN (SELECT unnest(?::BIGINT[]))"  # noqa: S608
    return long_texts.restored(connection, events_of(read_frame(connection, sql, [rowids])))


def frames_after(connection: duckdb.DuckDBPyConnection, seq: int, until_seq: int, limit: int) -> pl.DataFrame:
    """Events by number."""
    sql = f"""SELECT {EVENT_SELECT} FROM events WHERE "{SEQUENCE}" > ? AND "{SEQUENCE}" < ?
        ORDER BY "{SEQUENCE}" LIMIT ?"""  # noqa: S608
    return long_texts.restored(connection, events_of(read_frame(connection, sql, [seq, until_seq, limit])))


def count(connection: duckdb.DuckDBPyConnection, query: Query) -> int:
    """How many events match."""
    where = condition(query, with_long_texts=long_texts.are_present(connection))
    sql = f"SELECT count(*) FROM events WHERE {where.text}"  # noqa: S608
    return int(connection.execute(sql, where.parameters).fetchall()[0][0])


def histogram(connection: duckdb.DuckDBPyConnection, query: Query, interval: timedelta) -> list[Row]:
    """Counts by time and severity band."""
    where = condition(query, with_long_texts=long_texts.are_present(connection))
    width = microseconds_of(interval)
    shift = -_YEAR_ONE // width + 1
    sql = f"""SELECT (epoch_us("@timestamp") + ?) // ? AS bucket, "event.severity", count(*) FROM events
        WHERE {where.text} GROUP BY 1, 2"""  # noqa: S608
    counts = connection.execute(sql, [shift * width, width, *where.parameters]).fetchall()
    # `//` rounds towards zero: shifted by whole buckets there is nothing below it, and no second operation per row.
    return banded([(bucket - shift, severity, amount) for bucket, severity, amount in counts], width)


def top(connection: duckdb.DuckDBPyConnection, query: Query, field: Field, limit: int) -> list[Row]:
    """The most frequent values of a field."""
    where, value = condition(query), value_of(field)
    sql = f"""SELECT {value.text} AS value, count(*) AS amount FROM events WHERE {where.text}
        GROUP BY 1 HAVING value IS NOT NULL ORDER BY amount DESC, value LIMIT ?"""  # noqa: S608
    rows = connection.execute(sql, [*value.parameters, *where.parameters, limit]).fetchall()
    return [{"value": shown(found, field), "count": amount} for found, amount in rows]


def get(connection: duckdb.DuckDBPyConnection, identifier: str) -> Row | None:
    """The event with this id."""
    place = place_of(identifier)
    if place is None:
        return None
    sql = f"""SELECT {EVENT_SELECT} FROM events WHERE "vedette.generation" = ? AND "log.offset" = ?
        ORDER BY "{SEQUENCE}" LIMIT 1"""  # noqa: S608
    rows = rows_of(long_texts.restored(connection, events_of(read_frame(connection, sql, place))))
    return rows[0] if rows else None


def context(connection: duckdb.DuckDBPyConnection, identifier: str, before: int, after: int) -> list[Row]:
    """The event between its neighbours in the file."""
    event, place = get(connection, identifier), place_of(identifier)
    if event is None or place is None:
        return []
    generation, offset = place
    frames = [
        _neighbours(connection, generation, offset, sign, limit)
        for sign, limit in (("<", before), (">", after))
        if limit > 0
    ]
    rows = [row for frame in frames for row in rows_of(frame)]
    return sorted([*rows, event], key=lambda row: int(row["log.offset"]))


def _neighbours(
    connection: duckdb.DuckDBPyConnection, generation: int, offset: int, sign: str, limit: int
) -> pl.DataFrame:
    direction = "DESC" if sign == "<" else "ASC"
    found = connection.execute(
        f"""SELECT rowid FROM events WHERE "vedette.generation" = ? AND "log.offset" {sign} ?
        ORDER BY "log.offset" {direction} LIMIT ?""",  # noqa: S608
        [generation, offset, limit],
    ).fetchall()
    return _whole_rows(connection, [row[0] for row in found])
