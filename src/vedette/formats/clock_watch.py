"""What the newest lines of a file tell about the zone of its clock."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from vedette.formats.codecs.line import LineFormat
from vedette.formats.contract import ParseContext
from vedette.formats.timestamps.zone_guess import GuessedZone, ZoneGuess
from vedette.model.entries import EntryBatch

_NEWEST_LINES: Final = 31
_ANOTHER_ZONE: Final = "+01:00"


def watch_clock(guess: ZoneGuess, batch: EntryBatch, one: LineFormat) -> GuessedZone | None:
    """The zone of the batch's file, where this batch makes it known. Quick where there is nothing to find out."""
    file = (batch.source_id, batch.path)
    if batch.timezone is not None or batch.frame.is_empty():
        return None
    if not guess.is_due(file, read_at=batch.read_at, changed_at=batch.reference_time):
        return None
    texts = batch.frame["text"]
    stamps = zoneless_stamps(one, pl.concat([texts.head(1), texts.slice(1).tail(_NEWEST_LINES)]), batch.reference_time)
    if stamps is None:
        guess.has_zone(file, batch.read_at)
        return None
    return guess.observe(file, stamps, batch.read_at)


def zoneless_stamps(one: LineFormat, lines: pl.Series, reference: datetime) -> list[datetime] | None:
    """The stamps that name no zone, read as UTC; None where there are only stamps that name one.

    They are those that mean another instant when read in another zone.
    """
    lines = lines.filter(one.matches(lines))
    if lines.is_empty():
        return []
    times = one.parse(lines, ParseContext(reference))["@timestamp"]
    others = one.parse(lines, ParseContext(reference, _ANOTHER_ZONE))["@timestamp"]
    without = times.filter(times != others).drop_nulls().to_list()
    return None if not without and times.null_count() < times.len() else without
