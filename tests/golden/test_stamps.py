"""Stamps as programs really print them (stamps.csv): each is read as it was meant, whether its layout is known or not.

Columns: who writes so, the stamp, the instant (empty: it is no stamp), the zone of the source (empty: none), and the
reference time (empty: REFERENCE).
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from vedette.formats.timestamps import ANY_STAMP, LAYOUTS, read_stamps
from vedette.formats.timestamps.layouts import ONLY_BY_NAME, RIVALS
from vedette.model.events import TIME

REFERENCE = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Row(NamedTuple):
    origin: str
    stamp: str
    instant: datetime | None
    timezone: str | None
    reference: datetime


def rows() -> list[Row]:
    with (Path(__file__).parent / "stamps.csv").open(encoding="utf-8", newline="") as file:
        return [
            Row(
                row["origin"],
                row["stamp"],
                datetime.fromisoformat(row["instant"]) if row["instant"] else None,
                row["timezone"] or None,
                datetime.fromisoformat(row["reference"]) if row["reference"] else REFERENCE,
            )
            for row in csv.DictReader(file)
        ]


ROWS = rows()
USUAL = [row for row in ROWS if row.instant and row.timezone is None and row.reference == REFERENCE]


def read(row: Row, *layouts: str) -> datetime | None:
    series = pl.Series([row.stamp], dtype=pl.String)
    (instant,) = read_stamps(series, layouts, timezone=row.timezone, reference_time=row.reference).to_list()
    assert instant is None or isinstance(instant, datetime)
    return instant


def test_table_holds_hundreds_of_stamps_and_things_that_are_none() -> None:
    assert len({row.stamp for row in ROWS if row.instant}) >= 300
    assert len({row.stamp for row in ROWS if row.instant is None}) >= 30


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.origin}: {row.stamp}" for row in ROWS])
def test_stamp_is_read_as_it_was_meant(row: Row) -> None:
    assert read(row) == row.instant


@pytest.mark.parametrize(
    ("layout", "stamp", "instant"),
    [("errpt", "1123220426", "2026-11-23T22:04:00Z"), ("epoch-2001", "817164257.5", "2026-11-23T22:04:17.5Z")],
)
def test_layout_that_looks_like_another_is_read_where_it_is_named(layout: str, stamp: str, instant: str) -> None:
    row = Row("", stamp, datetime.fromisoformat(instant), None, REFERENCE)
    assert read(row, layout) == row.instant
    assert read(row) != row.instant


def test_fragment_for_any_stamp_takes_whole_stamps_out_of_lines() -> None:
    stamps = pl.Series(
        [row.stamp for row in ROWS if row.instant and row.stamp[-1].isalnum() and row.stamp[0].isalnum()]
    )
    found = ("[" + stamps + "] INFO started").str.extract(rf"^\[({ANY_STAMP})\] INFO started$", 1)
    assert found.null_count() < 0.25 * stamps.len()
    assert found.drop_nulls().to_list() == stamps.filter(found.is_not_null()).to_list()
    others = pl.Series(
        ["at 22:04:17 it broke", "192.0.2.17 - - GET", "1.2.3.4:5000 up", "error 12 in x.py:17", "12345"]
    )
    assert not others.str.contains(rf"^(?:{ANY_STAMP})").any()


def times(rows: list[Row], *layouts: str) -> pl.Series:
    return read_stamps(pl.Series([row.stamp for row in rows]), layouts, reference_time=REFERENCE)


def test_every_layout_reads_a_stamp_of_the_table() -> None:
    meant = pl.Series([row.instant for row in USUAL], dtype=TIME)
    assert {name for name in LAYOUTS if not (times(USUAL, name) == meant).any()} == ONLY_BY_NAME


def test_stamps_of_the_table_are_read_alike_in_one_long_column() -> None:
    """But for those whose order of day and month the whole column decides."""
    contested = {
        row for rivals in RIVALS for name in rivals for row, time in zip(USUAL, times(USUAL, name), strict=True) if time
    }
    sure = [row for row in USUAL if row not in contested]
    assert len(sure) > 256
    assert times(sure).to_list() == [row.instant for row in sure]
