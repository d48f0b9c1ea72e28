"""Resuming from the database on disk: numbers outlive the server, the window and retention."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from support.journal import NOON, events_of, finding_of
from support.ranges import Told, listen
from support.serving import broadcaster_of
from vedette.live import EventBroadcaster, LiveLimits, ResumePoint, Stream
from vedette.model.batches import CommitBatch
from vedette.model.clock import SystemClock
from vedette.model.events import TIME
from vedette.model.findings import Finding
from vedette.store import DuckDbStore

TINY = LiveLimits(window_rows=50, flush_seconds=0)


def opened(path: Path) -> DuckDbStore:
    return DuckDbStore.open(path / "events.duckdb", clock=SystemClock())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDbStore]:
    keeper = opened(tmp_path)
    yield keeper
    keeper.close()


def write(store: DuckDbStore, numbers: range, *findings: Finding, live: EventBroadcaster | None = None) -> None:
    """Commit one event a number, a minute apart, every tenth severe; tell it where somebody listens."""
    events = events_of(*(str(number) for number in numbers)).with_columns(
        pl.Series("@timestamp", [NOON + timedelta(minutes=number) for number in numbers], dtype=TIME),
        pl.Series("log.offset", numbers, dtype=pl.Int64),
        pl.Series("event.severity", [9 if number % 10 == 7 else 1 for number in numbers], dtype=pl.UInt8),
    )
    committed = store.commit(CommitBatch(events, findings))
    if live is not None:
        live.publish(committed)


async def test_resume_spans_store_memory_and_a_restart(tmp_path: Path) -> None:
    first = opened(tmp_path)
    live = broadcaster_of(first, limits=TINY)
    told = await listen(await live.subscribe("s", Stream.EVENTS, ""))
    write(first, range(100), live=live)
    write(first, range(100, 120))
    live.close()
    first.close()

    second = opened(tmp_path)
    live = broadcaster_of(second, limits=TINY)
    assert live.epoch == first.epoch
    live.seed()
    write(second, range(120, 400), live=live)
    assert told.next_seq is not None
    point = ResumePoint(epoch=live.epoch, seq=told.next_seq - 1)
    await listen(await live.subscribe("s", Stream.EVENTS, "", resume=point), told)
    assert told.messages == [str(number) for number in range(400)]
    assert told.gaps == []
    live.close()
    second.close()


async def test_rows_that_retention_removed_are_told_as_missing(store: DuckDbStore) -> None:
    live = broadcaster_of(store, limits=TINY)
    start = store.next_seq()
    for first in range(0, 200, 10):
        write(store, range(first, first + 10), live=live)
    store.drop_before(NOON + timedelta(minutes=90))
    point = ResumePoint(epoch=live.epoch, seq=start + 9)
    told = await listen(await live.subscribe("s", Stream.EVENTS, "", resume=point), Told(start + 10))
    assert sum(gap["missed"] for gap in told.gaps) == 80
    assert {gap["reason"] for gap in told.gaps} == {"deleted"}
    assert told.messages == [str(number) for number in range(90, 200)]
    live.close()


async def test_backlog_after_a_restart_holds_the_newest_matches(store: DuckDbStore) -> None:
    write(store, range(3_000))
    live = broadcaster_of(store, limits=TINY)
    live.seed()
    told = await listen(await live.subscribe("s", Stream.EVENTS, "severity>=7", backlog=25))
    assert told.messages == [str(number) for number in range(2757, 3000, 10)]
    assert told.gaps == []
    live.close()


async def test_findings_resume_with_their_newest_version(store: DuckDbStore) -> None:
    start = store.next_finding_seq()
    write(store, range(1), finding_of("a"), finding_of("b"))
    write(store, range(1, 2), finding_of("a", event_count=5))
    live = broadcaster_of(store, limits=TINY)
    point = ResumePoint(epoch=live.epoch, seq=start)
    told = await listen(await live.subscribe("s", Stream.FINDINGS, "", resume=point))
    assert [(row["id"], row["event_count"]) for row in told.rows] == [("b", 1), ("a", 5)]
    live.close()
