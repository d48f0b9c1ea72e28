"""The rows of a batch by source and unit of event time, as a detector meets them that reads row by row.

A source's *watermark* is the latest unit its rows reached so far. Later rows with an older time come late; they are met
when the watermark is where it is. Everything is computed on runs of rows of the same source, file and unit, of which
there are few.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl

MAX_LEAD: Final = timedelta(minutes=5)
"""A record dated further than this after it was read has a wrong clock: nothing is learned from it."""

_LEAD_MICROSECONDS: Final = MAX_LEAD // timedelta(microseconds=1)


def usable(events: pl.DataFrame) -> pl.DataFrame:
    """The events with a source and a believable time."""
    lead = pl.col("@timestamp").to_physical() - pl.col("event.ingested").to_physical()
    is_usable = pl.col("@timestamp").is_not_null() & (lead.is_null() | (lead <= _LEAD_MICROSECONDS))
    verdict = events.select((is_usable & pl.col("vedette.source").is_not_null()).alias("usable")).to_series()
    return events if verdict.all() else events.filter(verdict)


def runs_of(events: pl.DataFrame, unit: timedelta, *columns: str) -> tuple[pl.DataFrame, pl.Series]:
    """(the runs in order; the number of its run for every row).

    A run has `source`, the columns asked for, `unit` (units since 1970), `rows`, and `watermark`, the greatest unit
    of its source in this batch up to it.
    """
    microseconds = unit // timedelta(microseconds=1)
    keys = {"source": pl.col("vedette.source"), **{name: pl.col(name) for name in columns}}
    frame = events.select(**keys, unit=pl.col("@timestamp").to_physical() // microseconds)
    names = [*keys, "unit"]
    begins = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in names)
    is_first = pl.int_range(pl.len()) == 0
    frame = frame.with_columns(begins=begins | is_first).with_row_index("row")
    runs = frame.filter("begins")
    ends = pl.col("row").shift(-1, fill_value=frame.height)
    runs = runs.select(*names, (ends - pl.col("row")).alias("rows")).with_columns(
        watermark=pl.col("unit").cum_max().over("source")
    )
    return runs, frame.select(pl.col("begins").cum_sum() - 1).to_series()
