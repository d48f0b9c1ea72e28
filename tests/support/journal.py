"""A store's numbering in a list: as much of it as the live streams need."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import polars as pl

from vedette.live import EventBroadcaster, LiveLimits
from vedette.model.batches import Committed
from vedette.model.clock import Clock, SystemClock
from vedette.model.events import EVENT_SCHEMA
from vedette.model.findings import Finding
from vedette.model.severity import SeverityFactor

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def events_of(*messages: str, **columns: Any) -> pl.DataFrame:
    """Events with these messages; further columns by name with `_` for `.`."""
    named = {name.replace("_", "."): value for name, value in columns.items()}
    rows = [
        {
            "@timestamp": NOON,
            "event.ingested": NOON,
            "event.original": message,
            "message": message,
            "vedette.source": "test",
            "vedette.generation": 1,
            "log.offset": index,
            "log.length": len(message) + 1,
            "event.severity": 2,
            "parse.status": "parsed",
            **named,
        }
        for index, message in enumerate(messages)
    ]
    return pl.DataFrame(rows, schema=EVENT_SCHEMA)


def finding_of(identifier: str, *, severity: int = 7, **more: Any) -> Finding:
    """A finding with as little as it can have."""
    parts: dict[str, Any] = {
        "rule_id": "rule",
        "rule_name": "A rule",
        "rule_level": "high",
        "title": f"Finding {identifier}",
        "summary": "Something happened.",
        "factors": (SeverityFactor("base", severity),),
        "first_seen": NOON,
        "last_seen": NOON,
        "found_at": NOON,
        "entity": {"source.ip": "203.0.113.9"},
        "evidence": (),
        "event_ids": (),
        "event_count": 1,
    }
    return Finding(id=identifier, **(parts | more))


class Journal:
    """Numbered events and findings; thread-safe. Deleted events leave holes, superseded findings too."""

    epoch = "journal-1"

    def __init__(self, *, first_seq: int = 1) -> None:
        self.reads = 0
        self._lock = Lock()
        self._next = first_seq
        self._events = pl.DataFrame(schema={**EVENT_SCHEMA, "vedette.seq": pl.Int64()})
        self._findings: dict[str, tuple[int, Finding]] = {}
        self._next_finding = 1

    def commit(self, events: pl.DataFrame, findings: Sequence[Finding] = ()) -> Committed:
        with self._lock:
            told = Committed(events, self._next, tuple(findings), self._next_finding, NOON)
            numbers = pl.int_range(self._next, told.next_seq, dtype=pl.Int64, eager=True)
            self._events = pl.concat([self._events, events.with_columns(numbers.alias("vedette.seq"))])
            self._next = told.next_seq
            for finding in findings:
                self._findings[finding.id] = (self._next_finding, finding)
                self._next_finding += 1
            return told

    def delete(self, *, first: int, last: int) -> None:
        with self._lock:
            self._events = self._events.filter(~pl.col("vedette.seq").is_between(first, last))

    def events_after(self, seq: int, until: int, limit: int) -> pl.DataFrame:
        with self._lock:
            self.reads += 1
            number = pl.col("vedette.seq")
            return self._events.filter((number > seq) & (number < until)).head(limit)

    def findings_after(self, seq: int, limit: int) -> list[tuple[int, Finding]]:
        with self._lock:
            numbered = sorted(self._findings.values(), key=lambda pair: pair[0])
            return [pair for pair in numbered if pair[0] > seq][:limit]

    def broadcaster(self, *, limits: LiveLimits | None = None, clock: Clock | None = None) -> EventBroadcaster:
        return EventBroadcaster(
            epoch=self.epoch,
            next_seq=self._next,
            next_finding_seq=self._next_finding,
            events_after=self.events_after,
            findings_after=self.findings_after,
            clock=clock or SystemClock(),
            limits=limits,
        )
