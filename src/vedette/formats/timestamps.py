"""Stamps of every layout to instants, in columns.

A layout is one regular expression whose captures say what their text means:

| capture | meaning |
|---|---|
| `year`, `yy` | four or two digits (70-99 are 19yy); neither: inferred from the reference time |
| `month`, `mon` | digits, or an English name of at least three letters |
| `day`, `hour`, `minute`, `second` | digits; `second` may be left out |
| `ampm` | AM or PM |
| `fraction` | 1-9 digits of a second |
| `zone` | Z, an offset, or a name of ZONES; none: the source's zone, else UTC |
| `epoch_s`, `epoch_ms`, `epoch_us`, `epoch_ns` | time since 1970 in that unit |

A new layout is one line in LAYOUTS and one in its test table. Work is done on distinct stamps, because logs write
many lines a second.
"""

from __future__ import annotations

import functools
from calendar import isleap
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from vedette.model.events import TIME

_ZONE = r"(?P<zone>Z|[+-]\d{2}(?::?\d{2})?|[A-Z]{2,5})"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2}):(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?"
_MON = r"(?P<mon>[A-Z][a-z]{2,8})\.?"
_WEEKDAY = r"(?:[A-Z][a-z]{2,8},? +)?"

LAYOUTS: Final = MappingProxyType(
    {
        "iso": r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})[T _](?P<hour>\d{2}):(?P<minute>\d{2})"
        rf"(?::(?P<second>\d{{2}})(?:[.,:](?P<fraction>\d{{1,9}}))?)? ?{_ZONE}?",
        "iso-basic": r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})[T ]?(?P<hour>\d{2})(?P<minute>\d{2})"
        rf"(?P<second>\d{{2}})(?:[.,](?P<fraction>\d{{1,9}}))? ?{_ZONE}?",
        "syslog": rf"{_WEEKDAY}{_MON} +(?P<day>\d{{1,2}})(?:,? +(?P<year>\d{{4}}))? +{_CLOCK}(?: ?{_ZONE})?",
        "ctime": rf"{_WEEKDAY}{_MON} +(?P<day>\d{{1,2}}) +{_CLOCK} (?:{_ZONE} )?(?P<year>\d{{4}})",
        "clf": rf"(?P<day>\d{{1,2}})[/-]{_MON}[/-](?P<year>\d{{4}})[: ]{_CLOCK}(?: ?{_ZONE})?",
        "rfc2822": rf"{_WEEKDAY}(?P<day>\d{{1,2}}) {_MON} (?P<year>\d{{4}}) {_CLOCK}(?: ?{_ZONE})?",
        "ymd-slashes": rf"(?P<year>\d{{4}})[/.](?P<month>\d{{1,2}})[/.](?P<day>\d{{1,2}})[ T-]{_CLOCK}(?: ?{_ZONE})?",
        "yymmdd-hhmmss": r"(?P<yy>\d{2})(?P<month>\d{2})(?P<day>\d{2}) +"
        r"(?P<hour>\d{1,2}):?(?P<minute>\d{2}):?(?P<second>\d{2})",
        "yy-slashes": rf"(?P<yy>\d{{2}})/(?P<month>\d{{2}})/(?P<day>\d{{2}}) {_CLOCK}",
        "dmy": rf"(?P<day>\d{{1,2}})[./](?P<month>\d{{1,2}})[./](?P<year>\d{{4}}),? {_CLOCK}(?: ?{_ZONE})?",
        "month-dot-day": rf"(?P<month>\d{{2}})\.(?P<day>\d{{2}}) {_CLOCK}",
        "epoch-s": r"(?P<epoch_s>\d{9,11})(?:[.,](?P<fraction>\d{1,9})\d*)?",
        "epoch-ms": r"(?P<epoch_ms>\d{12,14})(?:\.\d+)?",
        "epoch-us": r"(?P<epoch_us>\d{15,17})(?:\.\d+)?",
        "epoch-ns": r"(?P<epoch_ns>\d{18,20})",
    }
)
"""Regular expressions of whole stamps by name."""

ZONES: Final = MappingProxyType(
    {
        "Z": 0, "UTC": 0, "GMT": 0, "UT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120, "MEZ": 60,
        "MESZ": 120, "MET": 60, "MEST": 120, "EET": 120, "EEST": 180, "SAST": 120, "MSK": 180, "IST": 330,
        "SGT": 480, "HKT": 480, "AWST": 480, "JST": 540, "KST": 540, "ACST": 570, "AEST": 600, "AEDT": 660,
        "NZST": 720, "NZDT": 780, "BRT": -180, "ART": -180, "AST": -240, "ADT": -180, "EST": -300, "EDT": -240,
        "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480,
        "HST": -600,
    }
)  # fmt: skip
"""Minutes east of Greenwich by the names programs print; of ambiguous ones the most common meaning."""

_MONTHS: Final = {
    name: f"{number:02d}"
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_EPOCH_UNITS: Final = {"epoch_s": (1_000_000, 1), "epoch_ms": (1000, 1), "epoch_us": (1, 1), "epoch_ns": (1, 1000)}
"""What to multiply with and divide by to have microseconds."""

_AHEAD: Final = timedelta(days=1)
_EARLIEST: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - compared with clocks whose zone is not yet applied
_LATEST: Final = datetime(2200, 1, 1)  # noqa: DTZ001
_FRACTION_PATTERN: Final = r"(:\d{2})[.,](\d{1,9})"
_MANY: Final = 256
_FEW: Final = 8


def read_stamps(
    stamps: pl.Series, layouts: Sequence[str] = (), *, timezone: str | None = None, reference_time: datetime
) -> pl.Series:
    """Instants in UTC, one a stamp, same order; null where there is no stamp or no layout fits.

    `layouts` are names of LAYOUTS, tried in order; none means all. A stamp without a year gets the nearest one
    that does not lie more than a day ahead of `reference_time`; one without a zone is read in `timezone`.
    """
    names = tuple(layouts) or tuple(LAYOUTS)
    zone = known_zone(timezone)
    if stamps.len() > _MANY and stamps.head(_MANY).n_unique() > _MANY // 2:
        return _read_fine(stamps, names, zone, reference_time)
    return _read_distinct(stamps, names, zone, reference_time).alias(stamps.name)


@functools.lru_cache(maxsize=64)
def known_zone(name: str | None) -> str | None:
    """The IANA zone of that name; None (read as UTC) when there is none or it is UTC."""
    if name is None or name.upper() in ("UTC", "Z", "GMT"):
        return None
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _read_fine(stamps: pl.Series, names: tuple[str, ...], zone: str | None, reference: datetime) -> pl.Series:
    """Fractions make every stamp distinct: read them apart, so that few distinct stamps remain."""
    parts = stamps.to_frame("stamp").select(
        coarse=pl.col("stamp").str.replace(_FRACTION_PATTERN, "$1"),
        micros=_micros(pl.col("stamp").str.extract(_FRACTION_PATTERN, 2)).fill_null(0),
    )
    time = _read_distinct(parts["coarse"], names, zone, reference).alias("time")
    return parts.select((time + pl.duration(microseconds="micros")).alias(stamps.name)).to_series()


def _read_distinct(stamps: pl.Series, names: tuple[str, ...], zone: str | None, reference: datetime) -> pl.Series:
    frame = stamps.to_frame("stamp")
    distinct = stamps.unique().drop_nulls().rename("stamp")
    if distinct.len() <= _FEW:
        known = _read_few(tuple(distinct.sort()), names, zone, reference)
    else:
        known = _read_each(distinct, names, zone, reference)
    if distinct.len() == 1 and known.height and not stamps.null_count():
        return known["time"].new_from_index(0, stamps.len())
    return frame.join(known, on="stamp", how="left", maintain_order="left")["time"]


@functools.lru_cache(maxsize=512)
def _read_few(stamps: tuple[str, ...], names: tuple[str, ...], zone: str | None, reference: datetime) -> pl.DataFrame:
    """Remembers: small batches of the same second bring the same stamps."""
    return _read_each(pl.Series("stamp", stamps), names, zone, reference)


def _read_each(stamps: pl.Series, names: tuple[str, ...], zone: str | None, reference: datetime) -> pl.DataFrame:
    """Columns `stamp`, `time` in any order; what no layout reads is left out."""
    parts = [pl.DataFrame(schema={"stamp": pl.String, "time": TIME})]
    for name in names:
        if stamps.is_empty():
            break
        captures = stamps.str.extract_groups(_whole(name)).struct.unnest()
        fits = captures["whole"].is_not_null()
        if not fits.any():
            continue
        if fits.all():
            read, stamps = stamps, stamps.clear()
        else:
            read, stamps, captures = stamps.filter(fits), stamps.filter(~fits), captures.filter(fits)
        parts.append(pl.DataFrame([read, _instants(captures, zone, reference)]))
    return pl.concat(parts)


@functools.cache
def _whole(name: str) -> str:
    return rf"^\s*{LAYOUTS[name]}(?P<whole>)\s*$"


def _instants(captures: pl.DataFrame, zone: str | None, reference: datetime) -> pl.Series:
    columns = set(captures.columns)
    fraction = _micros(pl.col("fraction")).fill_null(0) if "fraction" in columns else None
    epoch = next((name for name in columns if name.startswith("epoch_")), None)
    if epoch is not None:
        times, over = _EPOCH_UNITS[epoch]
        micros = pl.col(epoch).cast(pl.Int64, strict=False) // over * times
        return captures.select(time=(micros if fraction is None else micros + fraction).cast(TIME))["time"]
    clock = captures.select(
        day=pl.concat_str(_month(columns), _two_digits("day"), separator="-"),
        time=pl.concat_str(_hour(columns), "minute", _second(columns), separator=":"),
        year=_year(columns),
    )
    if clock["year"].null_count():
        clock = clock.with_columns(pl.col("year").fill_null(_nearest_year(clock, zone, reference)))
    text = pl.format("{}-{} {}", "year", "day", "time")
    local = text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    captures = captures.with_columns(clock.select(local=local)["local"])
    naive: pl.Expr = pl.when(pl.col("local").is_between(_EARLIEST, _LATEST)).then("local")
    if fraction is not None:
        naive = naive + pl.duration(microseconds=fraction)
    written = captures.select(pl.col("zone").drop_nulls().unique())["zone"] if "zone" in columns else None
    return captures.select(time=_to_utc(naive, written, zone))["time"]


def _month(columns: set[str]) -> pl.Expr:
    if "month" in columns:
        return _two_digits("month")
    return pl.col("mon").str.head(3).str.to_lowercase().replace_strict(_MONTHS, default=None, return_dtype=pl.String)


def _hour(columns: set[str]) -> pl.Expr:
    if "ampm" not in columns:
        return _two_digits("hour")
    is_pm = pl.col("ampm").str.to_lowercase().str.starts_with("p")
    hour = pl.col("hour").cast(pl.Int64) % 12 + pl.when(is_pm).then(12).otherwise(0)
    return hour.cast(pl.String).str.zfill(2)


def _second(columns: set[str]) -> pl.Expr:
    """A leap second counts as the one before it."""
    if "second" not in columns:
        return pl.lit("00")
    return pl.col("second").fill_null("00").replace("60", "59")


def _year(columns: set[str]) -> pl.Expr:
    if "yy" in columns:
        return pl.when(pl.col("yy") < "70").then(pl.lit("20")).otherwise(pl.lit("19")) + pl.col("yy")
    return pl.col("year") if "year" in columns else pl.lit(None, dtype=pl.String)


def _two_digits(name: str) -> pl.Expr:
    return pl.col(name).str.zfill(2)


def _micros(fraction: pl.Expr) -> pl.Expr:
    return fraction.str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64, strict=False)


def _nearest_year(clock: pl.DataFrame, zone: str | None, reference: datetime) -> pl.Expr:
    """The latest year in which the stamp is not more than a day ahead; for 29 February a leap year."""
    limit = reference.astimezone(ZoneInfo(zone) if zone else UTC) + _AHEAD
    is_later = pl.concat_str("day", "time", separator=" ") > f"{limit:%m-%d %H:%M:%S}"
    if not (clock["day"] == "02-29").any():
        return pl.when(is_later).then(pl.lit(str(limit.year - 1))).otherwise(pl.lit(str(limit.year)))
    leap_years = [next(year for year in range(last, 0, -1) if isleap(year)) for last in (limit.year - 1, limit.year)]
    year_before = pl.when(pl.col("day") == "02-29").then(leap_years[0]).otherwise(limit.year - 1)
    year = pl.when(pl.col("day") == "02-29").then(leap_years[1]).otherwise(limit.year)
    return pl.when(is_later).then(year_before).otherwise(year).cast(pl.String)


def _to_utc(naive: pl.Expr, written: pl.Series | None, zone: str | None) -> pl.Expr:
    """Subtract the zone where one is written; elsewhere read the clock in `zone`."""
    unwritten = naive.dt.replace_time_zone("UTC") if zone is None else _localise(naive, zone)
    offsets = {name: _offset(name) for name in written} if written is not None else {}
    if not offsets:
        return unwritten
    offset = pl.col("zone").replace_strict(offsets, default=None, return_dtype=pl.Duration("us"))
    return pl.when(pl.col("zone").is_null()).then(unwritten).otherwise((naive - offset).dt.replace_time_zone("UTC"))


def _localise(naive: pl.Expr, zone: str) -> pl.Expr:
    """Where the clock was put back the earlier instant counts; where it was put forward, the offset before."""
    found = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    gap = pl.duration(hours=3)
    before = (naive - gap).dt.replace_time_zone(zone, ambiguous="latest", non_existent="null")
    return pl.coalesce(found, before.dt.convert_time_zone("UTC") + gap, naive.dt.replace_time_zone("UTC"))


@functools.lru_cache(maxsize=512)
def _offset(zone: str) -> timedelta | None:
    if zone[0] in "+-":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        east = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return -east if zone[0] == "-" else east
    return timedelta(minutes=ZONES[zone]) if zone in ZONES else None
