"""What an event store is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import polars as pl

from vedette.model.batches import CommitBatch, Committed
from vedette.model.entries import LedgerNote
from vedette.model.findings import Finding
from vedette.model.health import PartHealth
from vedette.model.positions import Position
from vedette.model.query import Query

FINDINGS_LOOKED_AT: Final = 5_000
"""At most, for one page of findings that are chosen among others."""

Row = dict[str, Any]
"""One event for people and the API: dotted column names to JSON values, nulls left out, `event.id` and
`vedette.seq` added, times as ISO 8601 with Z, `fields` as an object."""


@dataclass(frozen=True, slots=True)
class Page:
    """Events newest first (or oldest first when asked). `cursor` continues behind the last one; None at the end."""

    rows: list[Row]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Sizes: `events` and `findings` rows stored, bytes on disk, and the time span of the events."""

    events: int
    findings: int
    bytes_on_disk: int
    oldest: datetime | None
    newest: datetime | None


class EventStore(Protocol):
    """Keeps events, findings, positions and detector state, atomically. Thread-safe; every method blocks.

    One thread commits; any number read. A read sees whole commits only.
    """

    @property
    def epoch(self) -> str:
        """Names this store's numbering: the same as long as its sequence continues."""
        ...

    def commit(self, batch: CommitBatch) -> Committed:
        """Make the batch durable, all or nothing, or raise StoreFull or StoreBroken (repeat it: once applied,
        it is not applied again)."""
        ...

    def search(self, query: Query, *, limit: int, cursor: str | None = None, newest_first: bool = True) -> Page: ...

    def frames_after(self, seq: int, until_seq: int, *, limit: int) -> pl.DataFrame:
        """Events with seq < number < until_seq in order, at most `limit`, EVENT_SCHEMA plus `vedette.seq` (Int64)."""
        ...

    def oldest_seq(self) -> int:
        """The smallest number still stored, or the next one when empty."""
        ...

    def next_seq(self) -> int: ...

    def count(self, query: Query) -> int: ...

    def histogram(self, query: Query, *, interval: timedelta) -> list[Row]:
        """Rows {time, severity (name of the band), count}, time order, empty buckets left out."""
        ...

    def top(self, query: Query, column: str, *, limit: int) -> list[Row]:
        """Rows {value, count}, most frequent first; nulls left out."""
        ...

    def get(self, event_id: str) -> Row | None: ...

    def context(self, event_id: str, *, before: int, after: int) -> list[Row]:
        """The event with its neighbours in the same generation of its file, in file order; empty if unknown."""
        ...

    def findings(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        min_severity: int = 1,
        where: Callable[[Finding], bool] | None = None,
    ) -> tuple[list[Finding], str | None]:
        """Most recently changed first; `where` leaves others out. A page looks at FINDINGS_LOOKED_AT findings at most, so
        it may hold fewer than `limit`, even none, and still have a cursor."""
        ...

    def finding(self, finding_id: str) -> Finding | None: ...

    def findings_after(self, seq: int, *, limit: int) -> list[tuple[int, Finding]]:
        """Findings whose number is greater than `seq`, in order; a finding that grew has its newest number only."""
        ...

    def next_finding_seq(self) -> int: ...

    def positions(self, source_id: str | None = None) -> list[Position]:
        """Oldest change first."""
        ...

    def forget_positions(self, source_id: str) -> None: ...

    def state(self) -> Mapping[str, bytes]:
        """Newest snapshot of every detector."""
        ...

    def ledger(self) -> Mapping[str, Mapping[str, int]]: ...

    def notes(self, source_id: str | None = None, *, limit: int = 100) -> Sequence[LedgerNote]:
        """Newest first."""
        ...

    def drop_before(self, time: datetime) -> int:
        """Delete events older than `time`; the number deleted."""
        ...

    def shrink_to(self, max_bytes: int) -> int:
        """Delete the oldest events until the store takes at most `max_bytes`; the number deleted."""
        ...

    def stats(self) -> StoreStats: ...

    def health(self) -> PartHealth: ...

    def close(self) -> None:
        """Checkpoint and release; safe to call twice."""
        ...
