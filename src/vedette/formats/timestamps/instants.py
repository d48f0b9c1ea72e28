"""From the captures of a layout to instants."""

from __future__ import annotations

from calendar import isleap
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from vedette.formats.timestamps.names import HALVES, MONTHS, plain_name
from vedette.formats.timestamps.zones import fixed_offset, known_zone, local_time, to_utc
from vedette.model.events import TIME

_EPOCHS: Final = {
    "epoch_s": (1_000_000, 1, 0),
    "epoch_ms": (1_000, 1, 0),
    "epoch_us": (1, 1, 0),
    "epoch_ns": (1, 1_000, 0),
    "filetime": (1, 10, -11_644_473_600_000_000),
    "ticks": (1, 10, -62_135_596_800_000_000),
    "webkit": (1, 1, -11_644_473_600_000_000),
    "cocoa": (1_000_000, 1, 978_307_200_000_000),
}
"""What to multiply with, divide by, and add to have microseconds since 1970."""

_AHEAD: Final = timedelta(days=1)
_CLOCK_AHEAD: Final = timedelta(hours=1)
_EARLIEST: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - compared with clocks whose zone is not yet applied
_LATEST: Final = datetime(2200, 1, 1)  # noqa: DTZ001
_TAI_EPOCH: Final = 0x400000000000000A
"""The TAI64 label of 1970: what daemontools and runit write, who count no leap seconds."""


def instants(captures: pl.DataFrame, zone: str | None, reference: datetime) -> pl.Series:
    """One a row, null where the captures name no moment between 1970 and 2200."""
    columns = set(captures.columns)
    epoch = next((name for name in columns if name in _EPOCHS), None)
    if epoch is not None:
        return _within(captures.select(time=_epoch(epoch, columns))["time"])
    if "epoch_exp" in columns:
        return _within(captures.select(time=_with_exponent())["time"])
    if "tai_s" in columns:
        return _within(captures.select(time=_tai())["time"])
    return _of_calendar(captures, columns, zone, reference)


def micros(digits: pl.Expr) -> pl.Expr:
    """Digits behind the point of a second as microseconds."""
    return digits.str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64, strict=False)


def _within(micros_since_1970: pl.Series) -> pl.Series:
    first, last = _EARLIEST.replace(tzinfo=UTC), _LATEST.replace(tzinfo=UTC)
    times = micros_since_1970.cast(TIME).to_frame()
    return times.select(pl.when(pl.col("time").is_between(first, last)).then("time")).to_series()


def _epoch(unit: str, columns: set[str]) -> pl.Expr:
    times, over, offset = _EPOCHS[unit]
    number = pl.col(unit).cast(pl.Int64, strict=False)
    whole = pl.when(number.abs() < 2**62 // times).then(number // over * times + offset)
    if "fraction" in columns:
        return whole + micros(pl.col("fraction")).fill_null(0)
    if "below" in columns:
        return whole + pl.col("below").str.pad_end(3, "0").cast(pl.Int64).fill_null(0)
    return whole


def _with_exponent() -> pl.Expr:
    """The size tells the unit: this side of the year 5000 seconds, milli-, micro- and nanoseconds do not overlap."""
    number = pl.col("epoch_exp").cast(pl.Float64, strict=False)
    seconds, millis, nanos = number * 1e6, number * 1e3, number / 1e3
    amount = pl.when(number < 1e11).then(seconds).when(number < 1e14).then(millis).when(number < 1e17).then(number)
    return amount.otherwise(nanos).round().cast(pl.Int64, strict=False)


def _tai() -> pl.Expr:
    seconds = pl.col("tai_s").str.to_integer(base=16, strict=False) - _TAI_EPOCH
    nanos = pl.col("tai_ns").str.to_integer(base=16, strict=False)
    return pl.when(seconds.abs() < 2**40).then(seconds) * 1_000_000 + nanos // 1_000


def _of_calendar(captures: pl.DataFrame, columns: set[str], zone: str | None, reference: datetime) -> pl.Series:
    clock = captures.with_columns(_time(columns).alias("time"))
    if "yday" in columns or "week" in columns:
        date = _day_of_year() if "yday" in columns else _day_of_week()
        clock = clock.with_columns(local=_at(date.dt.to_string("%Y-%m-%d")))
    elif "day" in columns:
        clock = _dated(clock, columns, zone, reference)
    else:
        clock = _today(clock, zone, reference)
    naive: pl.Expr = pl.when(pl.col("local").is_between(_EARLIEST, _LATEST)).then("local")
    if "hour" in columns and (captures["hour"] == "24").any():
        naive = naive + pl.when(pl.col("hour") == "24").then(timedelta(days=1)).otherwise(timedelta(0))
    for digits in columns & {"fraction", "attached"}:
        naive = naive + pl.duration(microseconds=micros(pl.col(digits)).fill_null(0))
    if "millis" in columns and captures["millis"].null_count() < captures.height:
        naive = naive + pl.duration(milliseconds=pl.col("millis").cast(pl.Int64).fill_null(0))
    if "bias" in columns:
        west = pl.duration(minutes=pl.col("bias").cast(pl.Int64))
        biased = (naive + west).dt.replace_time_zone("UTC")
        return clock.select(time=pl.coalesce(biased, to_utc(naive, zone)))["time"]
    return clock.select(time=_zoned(clock, naive, zone))["time"]


def _at(date: pl.Expr) -> pl.Expr:
    """Date and `time` as a clock shows them; null where there is no such moment."""
    text = pl.concat_str(date, pl.col("time"), separator=" ")
    return text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)


def _time(columns: set[str]) -> pl.Expr:
    """A leap second counts as the one before it, 24:00:00 as 00:00:00 (of the next day, see _of_calendar)."""
    if "hour" not in columns:
        return pl.lit("00:00:00")
    second = pl.col("second").fill_null("00").replace("60", "59") if "second" in columns else pl.lit("00")
    text = pl.concat_str(_hour(columns), pl.col("minute"), second, separator=":")
    return text.replace("24:00:00", "00:00:00").fill_null("00:00:00")


def _hour(columns: set[str]) -> pl.Expr:
    hour = pl.col("hour").str.zfill(2)
    if "ampm" not in columns:
        return hour
    half = pl.col("ampm").map_batches(_half, return_dtype=pl.Int64)
    twelve = (pl.col("hour").cast(pl.Int64) % 12 + half).cast(pl.String).str.zfill(2)
    return pl.when(half.is_null()).then(hour).otherwise(twelve)


def _half(halves: pl.Series) -> pl.Series:
    return _by_name(halves, {name: HALVES.get(plain_name(name)) for name in halves.unique().drop_nulls()}, pl.Int64())


def _by_name(names: pl.Series, known: dict[str, int | None], dtype: pl.DataType) -> pl.Series:
    if not known:
        return pl.Series(names.name, [None], dtype=dtype).new_from_index(0, names.len())
    return names.replace_strict(known, default=None, return_dtype=dtype)


def _month_and_day(columns: set[str]) -> pl.Expr:
    """`11-23`."""
    named = pl.col("mon").map_batches(_month_number, return_dtype=pl.String)
    month = pl.col("month").str.zfill(2) if "month" in columns else named
    return pl.concat_str(month, pl.col("day").str.zfill(2), separator="-")


def _month_number(names: pl.Series) -> pl.Series:
    numbers = {name: MONTHS.get(plain_name(name)) for name in names.unique().drop_nulls()}
    return _by_name(names, numbers, pl.Int64()).cast(pl.String).str.zfill(2)


def _year(columns: set[str]) -> pl.Expr:
    written = [pl.col("year")] if "year" in columns else []
    if "yy" in columns:
        century = pl.when(pl.col("yy") < "70").then(pl.lit("20")).when(pl.col("yy") >= "70").then(pl.lit("19"))
        written.append(century + pl.col("yy"))
    return pl.coalesce(written) if written else pl.lit(None, dtype=pl.String)


def _day_of_year() -> pl.Expr:
    first = pl.concat_str(pl.col("year"), pl.lit("-01-01")).str.to_date("%Y-%m-%d", strict=False)
    date = first + pl.duration(days=pl.col("yday").cast(pl.Int64) - 1)
    return pl.when(date.dt.year() == first.dt.year()).then(date)


def _day_of_week() -> pl.Expr:
    """The week of 4 January is the first (ISO 8601)."""
    fourth = pl.concat_str(pl.col("year"), pl.lit("-01-04")).str.to_date("%Y-%m-%d", strict=False)
    days = pl.col("week").cast(pl.Int64) * 7 - 7 + pl.col("weekday").cast(pl.Int64) - fourth.dt.weekday()
    date = fourth + pl.duration(days=days)
    is_right = (date.dt.iso_year() == fourth.dt.year()) & pl.col("weekday").is_between(pl.lit("1"), pl.lit("7"))
    return pl.when(is_right).then(date)


def _dated(clock: pl.DataFrame, columns: set[str], zone: str | None, reference: datetime) -> pl.DataFrame:
    dated = clock.with_columns(year=_year(columns), day=_month_and_day(columns))
    if dated["year"].null_count():
        dated = dated.with_columns(pl.col("year").fill_null(_nearest_year(dated, zone, reference)))
    return dated.with_columns(local=_at(pl.concat_str("year", "day", separator="-")))


def _nearest_year(dated: pl.DataFrame, zone: str | None, reference: datetime) -> pl.Expr:
    """The latest year in which the stamp is not more than a day ahead; for 29 February a leap year."""
    limit = _now(dated, zone, reference + _AHEAD)
    is_later = pl.concat_str("day", "time", separator=" ") > limit.dt.to_string("%m-%d %H:%M:%S")
    year = limit.dt.year() - is_later.cast(pl.Int32)
    if not (dated["day"] == "02-29").any():
        return year.cast(pl.String)
    near = range(reference.year - 2, reference.year + 3)
    leap_years = {last: next((one for one in range(last, last - 9, -1) if isleap(one)), last) for last in near}
    leap_year = year.replace_strict(leap_years, default=year, return_dtype=pl.Int32)
    return pl.when(pl.col("day") == "02-29").then(leap_year).otherwise(year).cast(pl.String)


def _today(clock: pl.DataFrame, zone: str | None, reference: datetime) -> pl.DataFrame:
    """Clocks without a date are read on the latest day that does not put them more than an hour ahead."""
    now = _now(clock, zone, reference)
    today = clock.with_columns(now.alias("now")).with_columns(local=_at(pl.col("now").dt.to_string("%Y-%m-%d")))
    is_ahead, is_behind = (
        pl.col("local") > pl.col("now") + _CLOCK_AHEAD,
        pl.col("local") <= pl.col("now") + _CLOCK_AHEAD - _AHEAD,
    )
    shift = pl.when(is_ahead).then(-_AHEAD).when(is_behind).then(_AHEAD).otherwise(timedelta(0))
    return today.with_columns(local=pl.col("local") + shift)


def _now(clock: pl.DataFrame, zone: str | None, reference: datetime) -> pl.Expr:
    """What clocks show at the reference time, each in the zone that is written behind it or else in `zone`."""
    here = pl.lit(local_time(reference, zone))
    written = _written_zones(clock)
    if not written:
        return here
    shown = {}
    for name in written:
        east = fixed_offset(name)
        shown[name] = local_time(reference, name) if east is None else local_time(reference, None) + east
    return pl.col("zone").replace_strict(shown, default=here, return_dtype=pl.Datetime("us"))


def _written_zones(clock: pl.DataFrame) -> list[str]:
    return clock["zone"].unique().drop_nulls().to_list() if "zone" in clock.columns else []


def _zoned(clock: pl.DataFrame, naive: pl.Expr, zone: str | None) -> pl.Expr:
    """Subtract the zone where one is written; elsewhere read the clock in `zone`."""
    unwritten = to_utc(naive, zone)
    written = _written_zones(clock)
    if not written:
        return unwritten
    offsets = {name: fixed_offset(name) for name in written}
    offset = pl.col("zone").replace_strict(offsets, default=None, return_dtype=pl.Duration("us"))
    read = pl.when(pl.col("zone").is_null()).then(unwritten).otherwise((naive - offset).dt.replace_time_zone("UTC"))
    places = [name for name, east in offsets.items() if east is None and known_zone(name) is not None]
    for name in places:
        read = pl.when(pl.col("zone") == name).then(to_utc(naive, known_zone(name))).otherwise(read)
    return read
