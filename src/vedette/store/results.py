"""What every keeper makes of its numbers before it hands them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from vedette.model.findings import Finding
from vedette.model.query.tree import Field, Kind
from vedette.model.rows import iso_utc
from vedette.model.severity import LOWEST, clamp, severity_name
from vedette.store.contract import FINDINGS_LOOKED_AT, Row
from vedette.store.cursors import to_cursor

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds_of(interval: timedelta) -> int:
    """The width of a bucket: at least a microsecond, at most a thousand years."""
    return min(max(1, interval // timedelta(microseconds=1)), 31_556_952_000_000_000)


def banded(counts: Sequence[tuple[Any, ...]], width: int) -> list[Row]:
    """Histogram rows of (bucket number, severity, count): severities of one band are added up."""
    bands: dict[tuple[int, int], int] = {}
    for bucket, severity, amount in counts:
        level = LOWEST if severity is None else clamp(severity)
        key = (bucket, (level - 1) // 2)
        bands[key] = bands.get(key, 0) + amount
    return [
        {
            "time": iso_utc(_EPOCH + timedelta(microseconds=bucket * width)),
            "severity": severity_name(2 * band + 1),
            "count": amount,
        }
        for (bucket, band), amount in sorted(bands.items())
    ]


def page_of_findings(
    numbered: Iterable[tuple[int, Finding]], *, limit: int, where: Callable[[Finding], bool] | None
) -> tuple[list[Finding], str | None]:
    """The first of the findings that fit, and the cursor behind the last one that was looked at."""
    page: list[Finding] = []
    last = None
    for looked_at, (number, finding) in enumerate(numbered):
        if len(page) == limit or (where is not None and looked_at == FINDINGS_LOOKED_AT):
            return page, to_cursor(last) if last is not None else None
        if where is None or where(finding):
            page.append(finding)
        last = number
    return page, None


def shown(value: Any, field: Field) -> Any:
    """A value as rows hold it."""
    return iso_utc(value.replace(tzinfo=UTC)) if field.kind is Kind.TIME else value


def added(
    totals: Mapping[str, Mapping[str, int]], increments: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """The counters of every source after the increments."""
    sums = {source: dict(counters) for source, counters in totals.items()}
    for source, amounts in increments.items():
        counters = sums.setdefault(source, {})
        for name, amount in amounts.items():
            counters[name] = counters.get(name, 0) + amount
    return sums
