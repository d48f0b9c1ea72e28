"""Stamps of every layout, without a year, without a zone, and wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
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
    ("20261123:220417.123", "2026-11-23T22:04:17.123Z"),
    ("23-Nov 22:04", "2026-11-23T22:04:00Z"),
    ("1123/220417.123456", "2026-11-23T22:04:17.123456Z"),
    ("20261123/220417.123", "2026-11-23T22:04:17.123Z"),
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
    ("23-Nov-2026::22:04:17", "2026-11-23T22:04:17Z"),
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
    stamps: Sequence[str | None], *layouts: str, timezone: str | None = None, reference: datetime = REFERENCE
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


@pytest.mark.parametrize(
    ("stamps", "first"),
    [
        (["02/03/2026 10:00:00", "13/03/2026 10:00:00"], "2026-03-02T10:00:00Z"),
        (["02/03/2026 10:00:00", "02/13/2026 10:00:00"], "2026-02-03T10:00:00Z"),
        (["2/3/2026 10:00:00", "2/13/2026 10:00:00"], "2026-02-03T10:00:00Z"),
        (["02/03/2026 10:00:00", "02/04/2026 10:00:00"], "2026-02-03T10:00:00Z"),
        (["02/03/2026 10:00:00", "03/03/2026 10:00:00"], "2026-03-02T10:00:00Z"),
        (["11/12/2025 10:00:00", "12/01/2026 10:00:00"], "2025-12-11T10:00:00Z"),
        (["12/10/2026 10:00:00"], "2026-10-12T10:00:00Z"),
        (["10/12/2026 10:00:00"], "2026-10-12T10:00:00Z"),
        (["11/12/26 10:00:00", "11/13/26 10:00:00"], "2026-11-12T10:00:00Z"),
        (["11/12/26 10:00:00", "11/12/27 10:00:00"], "2011-12-26T10:00:00Z"),
        (["02.03.2026 10:00:00"], "2026-03-02T10:00:00Z"),
        (["02/03/2026 10:00:00 AM"], "2026-02-03T10:00:00Z"),
        (["02/03 10:00:00", "02/13 10:00:00"], "2026-02-03T10:00:00Z"),
        (["02/03 10:00:00", "13/03 10:00:00"], "2026-03-02T10:00:00Z"),
        (["10:00:00 02/03/2026", "10:00:00 02/13/2026"], "2026-02-03T10:00:00Z"),
    ],
)
def test_whole_series_tells_the_order_of_day_and_month(stamps: list[str], first: str) -> None:
    assert read(stamps)[0] == instant(first)


def test_order_of_day_and_month_is_that_near_the_reference_time() -> None:
    assert read(["03/11/2026 10:00:00"], reference=instant("2026-11-03T10:00:05Z")) == [instant("2026-11-03T10:00:00Z")]
    assert read(["11/03/2026 10:00:00"], reference=instant("2026-11-03T10:00:05Z")) == [instant("2026-11-03T10:00:00Z")]


def test_order_of_day_and_month_in_doubt_is_that_of_the_format() -> None:
    assert read(["02/03/2026 10:00:00"], "mdy", "dmy") == [instant("2026-02-03T10:00:00Z")]
    assert read(["02/03/2026 10:00:00"], "dmy", "mdy") == [instant("2026-03-02T10:00:00Z")]


def test_stamps_that_begin_otherwise_have_no_say_in_the_order_of_day_and_month() -> None:
    stamps = ["02/03/2026 10:00:00", "26/11/23 10:00:00", "02.03.2026 10:00:00", "02/13/2026 10:00:00"]
    assert read(stamps) == [
        instant("2026-02-03T10:00:00Z"), instant("2026-11-23T10:00:00Z"), instant("2026-03-02T10:00:00Z"),
        instant("2026-02-13T10:00:00Z"),
    ]  # fmt: skip


def test_column_of_stamps_with_fractions_of_all_layouts_is_read() -> None:
    moments = [datetime(2026, 11, 23, 22, 4, tzinfo=UTC) + timedelta(milliseconds=7 * number) for number in range(2000)]
    for written in ("%Y-%m-%d %H:%M:%S.%f", "%d/%b/%Y:%H:%M:%S.%f", "%b %d %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S,%f"):
        assert read([f"{moment:{written}}" for moment in moments]) == moments
    assert read([f"{moment.timestamp():.6f}" for moment in moments]) == moments
    assert read([f"{moment:%Y%m%d-%H:%M:%S}:{moment.microsecond // 1000:03d}" for moment in moments]) == moments


def test_column_of_stamps_with_uneven_fractions_is_read() -> None:
    """Java and Go leave zeros at the end out."""
    moments = [datetime(2026, 11, 23, 22, 4, tzinfo=UTC) + timedelta(microseconds=12_500 * n) for n in range(2000)]
    assert read([f"{moment:%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".") + "Z" for moment in moments]) == moments
    assert read([f"{m:%Y-%m-%d %H:%M:%S.%f}" if n % 3 else None for n, m in enumerate(moments)]) == [
        m if n % 3 else None for n, m in enumerate(moments)
    ]


def test_column_of_more_shapes_than_stamps_ever_have_is_read_as_far_as_they_are_common() -> None:
    junk = [f"junk {chr(0x4E00 + number)}" for number in range(5_000)]
    assert read([*junk, *["Nov 23 22:04:17"] * 2]) == [None] * 5_000 + [instant("2026-11-23T22:04:17Z")] * 2


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
