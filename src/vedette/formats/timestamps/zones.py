"""Zones as they are named: in a stamp, and as the wish of a source."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import timezone as fixed
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from vedette.formats.timestamps.names import ZONES

_OFFSET: Final = re.compile(r"(?:UTC|GMT)?([+-])(?:(\d{3})|(\d{1,2})(?::?(\d{2}))?)")
"""Three digits are minutes, as WMI and Db2 write them."""
_WIDEST: Final = timedelta(hours=18)


@functools.lru_cache(maxsize=64)
def known_zone(name: str | None) -> str | None:
    """The zone of that name: an IANA name, or an offset such as +02:00; None (read as UTC) where there is none."""
    if name is None or name.upper() in ("UTC", "Z", "GMT"):
        return None
    if _OFFSET.fullmatch(name):
        east = fixed_offset(name)
        return offset_name(east) if east else None
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def offset_name(east: timedelta) -> str:
    """`+02:00`: how a fixed offset stands for a zone."""
    minutes = round(east.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


@functools.lru_cache(maxsize=512)
def fixed_offset(name: str) -> timedelta | None:
    """What an offset or one of ZONES lies east of Greenwich; None for any other name."""
    if name.upper() == "Z":
        return timedelta(0)
    if name in ZONES:
        return timedelta(minutes=ZONES[name])
    match = _OFFSET.fullmatch(name)
    if match is None:
        return None
    east = timedelta(minutes=int(match[2])) if match[2] else timedelta(hours=int(match[3]), minutes=int(match[4] or 0))
    if east > _WIDEST:
        return None
    return -east if match[1] == "-" else east


def clock_of(name: str | None) -> tzinfo:
    """The zone as Python knows it; UTC for None and for names nobody knows."""
    zone = known_zone(name)
    if zone is None:
        return UTC
    east = fixed_offset(zone) if zone[0] in "+-" else None
    return ZoneInfo(zone) if east is None else fixed(east)


def to_utc(naive: pl.Expr, zone: str | None) -> pl.Expr:
    """Read clocks in a zone. Where it was put back the earlier instant counts; where forward, the offset before."""
    if zone is None:
        return naive.dt.replace_time_zone("UTC")
    east = fixed_offset(zone) if zone[0] in "+-" else None
    if east is not None:
        return (naive - east).dt.replace_time_zone("UTC")
    found = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    gap = pl.duration(hours=3)
    before = (naive - gap).dt.replace_time_zone(zone, ambiguous="latest", non_existent="null")
    return pl.coalesce(found, before.dt.convert_time_zone("UTC") + gap, naive.dt.replace_time_zone("UTC"))


def local_time(moment: datetime, zone: str | None) -> datetime:
    """What a clock of that zone shows, without a zone."""
    return moment.astimezone(clock_of(zone)).replace(tzinfo=None)
