"""Day, month and year in doubt: 03/04/26 may be three days. The whole series of stamps tells which is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from vedette.formats.timestamps.layouts import RIVALS

_AHEAD: Final = timedelta(days=1)
_NEAR: Final = timedelta(days=1)
_HALF_DAY: Final = r"(?i)[ap]\.?m\b"


def are_rivals(names: Sequence[str]) -> bool:
    return bool(rivals_among(names))


def rivals_among(names: Sequence[str]) -> list[frozenset[str]]:
    """Which of these layouts a stamp may fit at once."""
    sets = (frozenset(rivals).intersection(names) for rivals in RIVALS)
    return [rivals for rivals in sets if len(rivals) > 1]


def usual_order(stamps: pl.Series, names: Sequence[str]) -> list[str]:
    """What is meant where nothing else tells: Americans write slashes and AM, nobody writes points and the month first."""
    dotted = stamps.str.contains(r"^\W*[0-9]{1,2}\.").sum() > stamps.len() // 2
    american = stamps.str.contains(_HALF_DAY).any()
    first = {"dmy", "clock-dmy"} if dotted else {"mdy", "clock-mdy"} if american else set()
    return sorted(names, key=lambda name: name not in first)


def likely_order(times: Mapping[str, pl.Series], reference: datetime) -> list[str]:
    """The layouts, the likeliest first, by what they make of the same stamps in the order they were written.

    The fewest that are no date or lie more than a day ahead of the reference time, the fewest steps back in time, the
    shortest span (logs are dense: with day and month exchanged, days become months), and where the last one lies near
    the reference time; else the given order.
    """
    return sorted(times, key=lambda name: _doubts(times[name], reference))


def _doubts(times: pl.Series, reference: datetime) -> tuple[int, int, timedelta, bool]:
    known = times.drop_nulls()
    if known.is_empty():
        return times.len(), 0, timedelta(0), True
    ahead = int((known > reference + _AHEAD).sum())
    back = int((known.diff() < timedelta(0)).sum())
    first, last = known.min(), known.max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    span = timedelta(days=(last - first).days)
    return times.null_count() + ahead, back, span, abs(reference - last) > _NEAR
