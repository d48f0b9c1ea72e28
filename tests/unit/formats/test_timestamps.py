"""Stamps of every layout, without a year, without a zone, and wrong ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.formats.timestamps import read_stamps

REFERENCE = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

STAMPS = [
    ("2026-11-23T22:04:17Z", "2026-11-23T22:04:17Z"),
    ("2026-11-23T22:04:17.482123+01:00", "2026-11-23T21:04:17.482123Z"),
    ("2026-11-23T22:04:17.482123789Z", "2026-11-23T22:04:17.482123Z"),
    ("2026-11-23T22:04:17-0530", "2026-11-24T03:34:17Z"),
    ("2026-11-23T22:04:17+01", "2026-11-23T21:04:17Z"),
    ("2026-11-23 22:04:17", "2026-11-23T22:04:17Z"),
    ("2026-11-23 22:04:17,5", "2026-11-23T22:04:17.5Z"),
    ("2026-11-23 22:04:17.123 UTC", "2026-11-23T22:04:17.123Z"),
    ("2026-11-23 22:04:17 CEST", "2026-11-23T20:04:17Z"),
    ("2026-11-23T22:04Z", "2026-11-23T22:04:00Z"),
    ("2026-06-30T23:59:60Z", "2026-06-30T23:59:59Z"),
    ("20261123T220417Z", "2026-11-23T22:04:17Z"),
    ("20261123 220417", "2026-11-23T22:04:17Z"),
    ("Nov 23 22:04:17", "2026-11-23T22:04:17Z"),
    ("Nov  3 22:04:17", "2026-11-03T22:04:17Z"),
    ("Nov 3 22:04:17", "2026-11-03T22:04:17Z"),
    ("Nov 23 2024 22:04:17", "2024-11-23T22:04:17Z"),
    ("Nov 23 22:04:17.123", "2026-11-23T22:04:17.123Z"),
    ("Nov 23 22:04:17 UTC", "2026-11-23T22:04:17Z"),
    ("Mon Nov 23 22:04:17 2026", "2026-11-23T22:04:17Z"),
    ("Sun Dec 04 04:47:44.5 2005", "2005-12-04T04:47:44.5Z"),
    ("Sun Dec  4 04:47:44 UTC 2005", "2005-12-04T04:47:44Z"),
    ("23/Nov/2026:22:04:17 +0100", "2026-11-23T21:04:17Z"),
    ("23/Nov/2026:22:04:17", "2026-11-23T22:04:17Z"),
    ("23-Nov-2026 22:04:17.123", "2026-11-23T22:04:17.123Z"),
    ("Mon, 23 Nov 2026 22:04:17 -0500", "2026-11-24T03:04:17Z"),
    ("23 Nov 2026 22:04:17 GMT", "2026-11-23T22:04:17Z"),
    ("2026/11/23 22:04:17", "2026-11-23T22:04:17Z"),
    ("2026/11/23 22:04:17.123456", "2026-11-23T22:04:17.123456Z"),
    ("261123 220417", "2026-11-23T22:04:17Z"),
    ("261123 22:04:17", "2026-11-23T22:04:17Z"),
    ("26/11/23 22:04:17", "2026-11-23T22:04:17Z"),
    ("99/12/31 23:59:59", "1999-12-31T23:59:59Z"),
    ("23.11.2026 22:04:17", "2026-11-23T22:04:17Z"),
    ("23/11/2026 22:04:17", "2026-11-23T22:04:17Z"),
    ("11.23 22:04:17", "2026-11-23T22:04:17Z"),
    ("1795471457", "2026-11-23T22:04:17Z"),
    ("1795471457.25", "2026-11-23T22:04:17.25Z"),
    ("1795471457123", "2026-11-23T22:04:17.123Z"),
    ("1795471457123456", "2026-11-23T22:04:17.123456Z"),
    ("1795471457123456789", "2026-11-23T22:04:17.123456Z"),
]
WRONG = [
    "", "-", "yesterday", "2026-02-30 10:00:00", "2026-13-01 10:00:00", "2026-11-23 25:00:00", "0000-12-30 00:00:00",
    "Foo 23 22:04:17", "Nov 31 22:04:17", "2026-11-23T22:04:17 XYZ", "9999-01-01 00:00:00",
]  # fmt: skip


def read(
    stamps: list[str | None], *layouts: str, timezone: str | None = None, reference: datetime = REFERENCE
) -> list[datetime | None]:
    series = pl.Series("stamp", stamps, dtype=pl.String)
    return read_stamps(series, layouts, timezone=timezone, reference_time=reference).to_list()


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(("stamp", "expected"), STAMPS)
def test_stamp_is_read(stamp: str, expected: str) -> None:
    assert read([stamp]) == [instant(expected)]


def test_stamps_of_all_layouts_are_read_together_in_order() -> None:
    stamps = [stamp for stamp, _ in STAMPS] * 20
    assert read([*stamps, None]) == [instant(expected) for _, expected in STAMPS] * 20 + [None]


@pytest.mark.parametrize("stamp", WRONG)
def test_wrong_stamp_is_null(stamp: str) -> None:
    assert read([stamp, "2026-11-23T22:04:17Z"]) == [None, instant("2026-11-23T22:04:17Z")]


@pytest.mark.parametrize(
    ("stamp", "reference", "expected"),
    [
        ("Nov 25 11:59:00", "2026-11-24T12:00:00Z", "2026-11-25T11:59:00Z"),
        ("Nov 25 12:01:00", "2026-11-24T12:00:00Z", "2025-11-25T12:01:00Z"),
        ("Dec 31 23:59:59", "2026-01-01T00:00:05Z", "2025-12-31T23:59:59Z"),
        ("Jan  1 00:00:01", "2025-12-31T23:59:59Z", "2026-01-01T00:00:01Z"),
        ("Feb 29 10:00:00", "2026-11-24T12:00:00Z", "2024-02-29T10:00:00Z"),
        ("Feb 29 10:00:00", "2028-02-29T12:00:00Z", "2028-02-29T10:00:00Z"),
        ("Feb 29 10:00:00", "2028-02-10T12:00:00Z", "2024-02-29T10:00:00Z"),
        ("Feb 29 10:00:00", "2102-02-10T12:00:00Z", "2096-02-29T10:00:00Z"),
    ],
)
def test_missing_year_is_the_nearest_that_is_not_a_day_ahead(stamp: str, reference: str, expected: str) -> None:
    assert read([stamp], reference=instant(reference)) == [instant(expected)]


def test_year_changes_within_one_batch() -> None:
    assert read(["Dec 31 23:59:59", "Jan  1 00:00:00"], reference=instant("2026-01-01T00:00:05Z")) == [
        instant("2025-12-31T23:59:59Z"),
        instant("2026-01-01T00:00:00Z"),
    ]


@pytest.mark.parametrize(
    ("stamp", "timezone", "expected"),
    [
        ("2026-07-01 12:00:00", "Europe/Berlin", "2026-07-01T10:00:00Z"),
        ("2026-12-01 12:00:00", "Europe/Berlin", "2026-12-01T11:00:00Z"),
        ("2026-12-01 12:00:00Z", "Europe/Berlin", "2026-12-01T12:00:00Z"),
        ("2026-10-25 02:30:00", "Europe/Berlin", "2026-10-25T00:30:00Z"),
        ("2026-03-29 02:30:00", "Europe/Berlin", "2026-03-29T01:30:00Z"),
        ("Nov 24 09:00:00", "America/New_York", "2026-11-24T14:00:00Z"),
        ("2026-12-01 12:00:00", "Nowhere/Else", "2026-12-01T12:00:00Z"),
        ("2026-12-01 12:00:00", "UTC", "2026-12-01T12:00:00Z"),
    ],
)
def test_missing_zone_is_the_given_one_also_where_the_clock_jumps(stamp: str, timezone: str, expected: str) -> None:
    assert read([stamp], timezone=timezone) == [instant(expected)]


def test_only_the_named_layouts_are_tried() -> None:
    assert read(["2026-11-23 22:04:17", "Nov 23 22:04:17"], "syslog") == [None, instant("2026-11-23T22:04:17Z")]


@given(st.integers(86_400, 7_000_000_000), st.integers(0, 999_999), st.integers(-14 * 60, 14 * 60))
def test_iso_stamps_come_back(seconds: int, micros: int, offset: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=micros)
    clock = (moment + timedelta(minutes=offset)).replace(tzinfo=None)
    sign = "-" if offset < 0 else "+"
    stamp = f"{clock.isoformat(timespec='microseconds')}{sign}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
    assert read([stamp]) == [moment]


@given(st.lists(st.text(max_size=40) | st.sampled_from([stamp for stamp, _ in STAMPS]), max_size=20))
def test_any_text_is_read_or_null_and_its_neighbours_do_not_matter(stamps: list[str]) -> None:
    together = read([*stamps])
    assert together == [read([stamp])[0] for stamp in stamps]
