"""The event store in memory: for tests, and for looking at files without keeping anything."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

from vedette.model.batches import CommitBatch, Committed
from vedette.model.clock import Clock, SystemClock
from vedette.model.entries import LedgerNote
from vedette.model.errors import StoreError
from vedette.model.events import EVENT_SCHEMA, place_of
from vedette.model.findings import Finding
from vedette.model.health import HealthState, PartHealth
from vedette.model.positions import Position
from vedette.model.query import Query, mask
from vedette.model.query.mask import value_of
from vedette.model.rows import SEQUENCE, rows_of
from vedette.store.contract import Page, Row, StoreStats
from vedette.store.cursors import from_cursor, to_cursor
from vedette.store.fields import field_named
from vedette.store.results import added, banded, microseconds_of, page_of_findings, shown


class MemoryStore:
    """An EventStore that forgets everything when the process ends."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()
        self._epoch = secrets.token_hex(8)
        self._events = pl.DataFrame(schema={**EVENT_SCHEMA, SEQUENCE: pl.Int64()})
        self._next_seq = 1
        self._findings: dict[str, tuple[int, Finding]] = {}
        self._next_finding_seq = 1
        self._positions: dict[tuple[str, int], Position] = {}
        self._state: dict[str, bytes] = {}
        self._ledger: dict[str, dict[str, int]] = {}
        self._notes: list[LedgerNote] = []
        self._last: tuple[str, Committed] | None = None
        self._opened_at = self._clock.now()
        self._is_closed = False

    @property
    def epoch(self) -> str:
        return self._epoch

    def commit(self, batch: CommitBatch) -> Committed:
        if batch.events.schema != EVENT_SCHEMA:
            raise ValueError(f"events must have EVENT_SCHEMA, these have {batch.events.schema}")
        with self._lock:
            if self._is_closed:
                raise StoreError("the store in memory is closed")
            if batch.token and self._last and self._last[0] == batch.token:
                return self._last[1]
            committed = Committed(
                batch.events, self._next_seq, batch.findings, self._next_finding_seq, self._clock.now()
            )
            self._apply(batch)
            self._last = (batch.token, committed)
            return committed

    def _apply(self, batch: CommitBatch) -> None:
        numbers = pl.int_range(self._next_seq, self._next_seq + pl.len(), dtype=pl.Int64).alias(SEQUENCE)
        self._events = pl.concat([self._events, batch.events.with_columns(numbers)])
        self._next_seq += batch.events.height
        for finding in batch.findings:
            self._findings[finding.id] = (self._next_finding_seq, finding)
            self._next_finding_seq += 1
        for position in batch.positions:
            key = (position.source_id, position.generation)
            self._positions.pop(key, None)
            self._positions[key] = position
        self._state.update(batch.state)
        self._ledger = added(self._ledger, batch.ledger)
        self._notes.extend(batch.notes)

    def search(self, query: Query, *, limit: int, cursor: str | None = None, newest_first: bool = True) -> Page:
        time, seq = pl.col("@timestamp").dt.epoch("us"), pl.col(SEQUENCE)
        found = self._events.lazy().filter(mask(query))
        if cursor is not None:
            micros, number = from_cursor(cursor, 2)
            older = (time < micros) | ((time == micros) & (seq < number))
            newer = (time > micros) | ((time == micros) & (seq > number))
            found = found.filter(older if newest_first else newer)
        page = found.sort("@timestamp", SEQUENCE, descending=newest_first).head(limit + 1).collect()
        if page.height <= limit:
            return Page(rows_of(page), None)
        page = page.head(limit)
        last = page.select(time.last(), seq.last()).row(0) if limit else (0, 0)
        return Page(rows_of(page), to_cursor(*last) if limit else None)

    def frames_after(self, seq: int, until_seq: int, *, limit: int) -> pl.DataFrame:
        number = pl.col(SEQUENCE)
        return self._events.filter((number > seq) & (number < until_seq)).head(limit)

    def oldest_seq(self) -> int:
        events = self._events
        return int(events[SEQUENCE][0]) if events.height else self._next_seq

    def next_seq(self) -> int:
        return self._next_seq

    def count(self, query: Query) -> int:
        return self._events.filter(mask(query)).height

    def histogram(self, query: Query, *, interval: timedelta) -> list[Row]:
        width = microseconds_of(interval)
        counts = (
            self._events.filter(mask(query))
            .group_by(pl.col("@timestamp").dt.epoch("us") // width, "event.severity")
            .agg(pl.len())
        )
        return banded(counts.rows(), width)

    def top(self, query: Query, column: str, *, limit: int) -> list[Row]:
        field = field_named(column)
        values = self._events.filter(mask(query)).select(value_of(field).alias("value")).drop_nulls()
        counts = values.group_by("value").agg(pl.len().alias("count"))
        rows = counts.sort("count", "value", descending=[True, False]).head(limit).rows()
        return [{"value": shown(value, field), "count": amount} for value, amount in rows]

    def get(self, event_id: str) -> Row | None:
        place = place_of(event_id)
        if place is None:
            return None
        generation, offset = place
        found = self._events.filter(
            (pl.col("vedette.generation") == generation) & (pl.col("log.offset") == offset)
        ).head(1)
        return rows_of(found)[0] if found.height else None

    def context(self, event_id: str, *, before: int, after: int) -> list[Row]:
        place = place_of(event_id)
        if place is None or self.get(event_id) is None:
            return []
        generation, offset = place
        file = self._events.filter(pl.col("vedette.generation") == generation).sort("log.offset")
        earlier = file.filter(pl.col("log.offset") < offset).tail(before)
        later = file.filter(pl.col("log.offset") > offset).head(after)
        here = file.filter(pl.col("log.offset") == offset).head(1)
        return rows_of(pl.concat([earlier, here, later]))

    def findings(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        min_severity: int = 1,
        where: Callable[[Finding], bool] | None = None,
    ) -> tuple[list[Finding], str | None]:
        before = from_cursor(cursor, 1)[0] if cursor is not None else self._next_finding_seq
        with self._lock:
            known = sorted(self._findings.values(), key=lambda numbered: -numbered[0])
        older = ((n, finding) for n, finding in known if n < before and finding.severity >= min_severity)
        return page_of_findings(older, limit=limit, where=where)

    def finding(self, finding_id: str) -> Finding | None:
        numbered = self._findings.get(finding_id)
        return numbered[1] if numbered else None

    def findings_after(self, seq: int, *, limit: int) -> list[tuple[int, Finding]]:
        with self._lock:
            newer = [numbered for numbered in self._findings.values() if numbered[0] > seq]
        return sorted(newer, key=lambda numbered: numbered[0])[:limit]

    def next_finding_seq(self) -> int:
        return self._next_finding_seq

    def positions(self, source_id: str | None = None) -> list[Position]:
        with self._lock:
            known = list(self._positions.values())
        return [position for position in known if source_id is None or position.source_id == source_id]

    def forget_positions(self, source_id: str) -> None:
        with self._lock:
            self._positions = {key: kept for key, kept in self._positions.items() if kept.source_id != source_id}

    def state(self) -> Mapping[str, bytes]:
        with self._lock:
            return dict(self._state)

    def ledger(self) -> Mapping[str, Mapping[str, int]]:
        return self._ledger

    def notes(self, source_id: str | None = None, *, limit: int = 100) -> Sequence[LedgerNote]:
        with self._lock:
            newest_first = self._notes[::-1]
        return [note for note in newest_first if source_id is None or note.source_id == source_id][:limit]

    def drop_before(self, time: datetime) -> int:
        return self._keep(pl.col("@timestamp") >= time)

    def shrink_to(self, max_bytes: int) -> int:
        with self._lock:
            size = self._events.estimated_size()
            deleted = 0
            while size > max_bytes and self._events.height:
                surplus = max(1, round(self._events.height * max(1 - max_bytes / size, 0.01)))
                deleted += self._keep(pl.int_range(pl.len()) >= surplus)
                size = self._events.estimated_size()
            return deleted

    def _keep(self, kept: pl.Expr) -> int:
        with self._lock:
            before = self._events.height
            self._events = self._events.filter(kept).rechunk()
            return before - self._events.height

    def stats(self) -> StoreStats:
        events = self._events
        oldest, newest = events.select(first=pl.col("@timestamp").min(), last=pl.col("@timestamp").max()).row(0)
        return StoreStats(events.height, len(self._findings), int(events.estimated_size()), oldest, newest)

    def health(self) -> PartHealth:
        return PartHealth("store", HealthState.OK, self._opened_at)

    def close(self) -> None:
        self._is_closed = True
