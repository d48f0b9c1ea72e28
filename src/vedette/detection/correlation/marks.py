"""How far the events of each source have come in event time."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from typing import Final

import polars as pl

_MAX_SOURCES: Final = 4_096
ALREADY: Final = -1


class Marks:
    """The latest event time of each source, before a batch and at each row of it. Bounded: the longest unheard of
    source is forgotten first."""

    def __init__(self) -> None:
        self._before: OrderedDict[str, int] = OrderedDict()
        self._rows: dict[str, list[int]] = {}
        self._marks: dict[str, list[int]] = {}

    def read(self, facts: pl.DataFrame) -> None:
        """Take a batch: its rows with their time and source."""
        known = facts.select("row", "time", pl.col("source").fill_null("")).drop_nulls("time")
        mark = known.with_columns(mark=pl.col("time").cum_max().over("source"))
        rising = mark.filter(pl.col("mark") > pl.col("mark").shift(1).over("source").fill_null(-(2**62)))
        self._rows, self._marks = {}, {}
        for source, rows, marks in rising.group_by("source", maintain_order=True).agg("row", "mark").iter_rows():
            self._rows[source], self._marks[source] = rows, marks

    def passed(self, source: str, deadline: int) -> int | None:
        """The row at which a source passed a moment, ALREADY when before this batch, None while it has not."""
        if self._before.get(source, -(2**62)) > deadline:
            return ALREADY
        marks = self._marks.get(source, [])
        at = bisect_left(marks, deadline + 1)
        return self._rows[source][at] if at < len(marks) else None

    def advance(self) -> None:
        """The batch is done."""
        for source, marks in self._marks.items():
            self._before[source] = max(self._before.pop(source, marks[-1]), marks[-1])
        while len(self._before) > _MAX_SOURCES:
            self._before.popitem(last=False)
        self._rows, self._marks = {}, {}

    def to_json(self) -> dict[str, int]:
        return dict(self._before)

    def load(self, state: dict[str, int]) -> None:
        self._before = OrderedDict((str(source), int(mark)) for source, mark in state.items())


class EndOfInput(Marks):
    """The marks when nothing more comes: every source has passed every moment up to `until`, None for all moments."""

    def __init__(self, until: int | None = None) -> None:
        super().__init__()
        self._until = until

    def passed(self, source: str, deadline: int) -> int | None:
        return ALREADY if self._until is None or deadline <= self._until else None
