"""Reading the value of a clause as what its field holds: text, number, address, or a span of time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from typing import Final

from vedette.model.severity import HIGHEST, LOWEST, severity_name

NUMBER: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?")
"""What counts as a number in a JSON field, in every reading alike."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_RELATIVE: Final = re.compile(r"(?:now)?(?:([+-])?(\d{1,9})([smhdw]))?")
_STAMP: Final = re.compile(
    r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[T ](\d{2})(?::(\d{2})(?::(\d{2})(?:[.,](\d{1,6})\d*)?)?)?)?)?)?"
    r"(Z|[+-]\d{2}:?\d{2})?"
)
_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)
_FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)

_SEVERITIES: Final = {severity_name(value): (value - 1, value) for value in range(LOWEST + 1, HIGHEST + 1, 2)}


def severity_range(text: str) -> tuple[int, int] | None:
    """The lowest and highest severity that a name (`high`) stands for."""
    return _SEVERITIES.get({"info": "informational"}.get(text.lower(), text.lower()))


def near_severity(text: str) -> str | None:
    """The severity name that was probably meant."""
    return next(iter(get_close_matches(text.lower(), [*_SEVERITIES], n=1, cutoff=0.5)), None)


def near_name(name: str, known: list[str]) -> str | None:
    """The known name of which this one is probably a misspelling."""
    alike = [other for other in known if other[0] == name[0]]
    return next(iter(get_close_matches(name, alike, n=1, cutoff=0.84)), None)


def whole_number(text: str) -> int | None:
    """A whole number that fits 64 bits."""
    if not re.fullmatch(r"-?[0-9]{1,19}", text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def json_number(text: str) -> int | float | None:
    """A number as JSON fields compare it."""
    if not NUMBER.fullmatch(text):
        return None
    return float(text) if "." in text else int(text)


def address(text: str) -> str | None:
    """An IP address in canonical text."""
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def network(text: str) -> str | None:
    """A network in canonical text; bits behind the prefix are ignored."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return None


def time_span(text: str, now: datetime) -> tuple[datetime, datetime] | None:
    """The time that a value names, from its start until before its end: `2026-11-23` is a day, `…T10:00` a minute,
    `-1h` or `now` a microsecond. Without a zone it is UTC."""
    relative = _RELATIVE.fullmatch(text.lower())
    try:
        if text and relative:
            return _instant(_shifted(now, relative))
        stamp = _STAMP.fullmatch(text.upper() if text.isascii() else text)
        return _stamp_span(stamp) if stamp and text.isascii() else None
    except (ValueError, OverflowError):
        return None


def _shifted(now: datetime, relative: re.Match[str]) -> datetime:
    sign, amount, unit = relative.groups()
    if amount is None:
        return now
    shift = timedelta(seconds=int(amount) * _UNITS[unit])
    return now + shift if sign == "+" else now - shift


def _instant(time: datetime) -> tuple[datetime, datetime]:
    start = min(max(time.astimezone(UTC), _FIRST), _LAST)
    return start, start + timedelta(microseconds=1)


def _stamp_span(stamp: re.Match[str]) -> tuple[datetime, datetime]:
    year, month, day, hour, minute, second, fraction, zone = stamp.groups()
    local = datetime(
        int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0),
        int((fraction or "0").ljust(6, "0")), tzinfo=UTC,
    )  # fmt: skip
    if fraction:
        end = local + timedelta(microseconds=10 ** (6 - len(fraction)))
    elif day:
        end = local + timedelta(seconds=1 if second else 60 if minute else 3_600 if hour else 86_400)
    elif month:
        end = local.replace(year=local.year + local.month // 12, month=local.month % 12 + 1)
    else:
        end = local.replace(year=local.year + 1)
    offset = _offset(zone)
    return local - offset, end - offset


def _offset(zone: str | None) -> timedelta:
    if zone in (None, "Z"):
        return timedelta()
    digits = zone[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -size if zone[0] == "-" else size
