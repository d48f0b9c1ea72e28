"""RealtimeIngestionQueue: bounds, fairness, order, age."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import polars as pl
import pytest

from vedette.model.clock import SystemClock
from vedette.model.entries import ENTRY_SCHEMA, EntryBatch
from vedette.queue import RealtimeIngestionQueue

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def batch(source: str, number: int, size: int = 1000, priority: int = 5) -> EntryBatch:
    frame = pl.DataFrame(
        {"offset": [number], "length": [size], "text": [f"{source} {number}"], "flags": [0], "hash": [None]},
        schema=ENTRY_SCHEMA,
    )
    return EntryBatch(source, 1, f"/{source}", frame, None, size, NOW, NOW, priority)


def queue(*, max_bytes: int = 10_000, batch_bytes: int = 4_000, age: float = 0.005) -> RealtimeIngestionQueue:
    return RealtimeIngestionQueue(
        clock=SystemClock(), max_bytes=max_bytes, batch_bytes=batch_bytes, max_age_seconds=age
    )


def numbers(batches: list[EntryBatch], source: str) -> list[int]:
    return [b.frame["offset"][0] for b in batches if b.source_id == source]


async def drain(q: RealtimeIngestionQueue) -> list[EntryBatch]:
    q.close()
    out: list[EntryBatch] = []
    while taken := await q.take():
        out += taken
    return out


async def test_a_lone_entry_leaves_after_its_age() -> None:
    q = queue()
    await q.put(batch("a", 1))
    assert numbers(await asyncio.wait_for(q.take(), 2), "a") == [1]


async def test_enough_bytes_leave_before_their_age() -> None:
    q = queue(age=5.0)
    for n in range(4):
        await q.put(batch("a", n))
    assert numbers(await asyncio.wait_for(q.take(), 1), "a") == [0, 1, 2, 3]


async def test_a_micro_batch_holds_no_more_entries_than_it_may() -> None:
    q = RealtimeIngestionQueue(clock=SystemClock(), max_bytes=10_000, batch_bytes=9_000, batch_entries=3)
    for n in range(4):
        await q.put(batch("a", n, size=100))
    q.close()
    assert numbers(await asyncio.wait_for(q.take(), 1), "a") == [0, 1, 2]
    assert numbers(await q.take(), "a") == [3]


async def test_a_full_queue_stops_its_reader_and_loses_nothing() -> None:
    q = queue()
    sent = 200

    async def read() -> None:
        for n in range(sent):
            await q.put(batch("a", n))
        q.close()

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    assert q.stats().blocked_readers == 1
    assert q.stats().waiting_bytes <= 10_000
    got: list[int] = []
    most = 0
    while taken := await q.take():
        got += numbers(taken, "a")
        most = max(most, q.stats().waiting_bytes)
    await reader
    assert got == list(range(sent))
    assert most <= 10_000
    stats = q.stats()
    assert (stats.entries_in, stats.entries_out, stats.waiting_bytes) == (sent, sent, 0)
    assert stats.times_full > 0


async def test_a_backlog_leaves_room_for_other_sources() -> None:
    q = queue()
    readers = [asyncio.create_task(q.put(batch("backlog", n))) for n in range(50)]
    await asyncio.sleep(0)
    await asyncio.wait_for(q.put(batch("live", 1)), 1)
    assert q.stats().waiting_sources == 2
    out = await drain(q)
    await asyncio.gather(*readers)
    assert numbers(out, "backlog") == list(range(50))


async def test_urgent_sources_leave_first_and_no_source_starves() -> None:
    q = queue(max_bytes=1_000_000, batch_bytes=1_000)
    for n in range(100):
        await q.put(batch("urgent", n, priority=10))
        await q.put(batch("bulk", n, priority=9))
    order = [b.source_id for b in await drain(q)]
    first_half = order[:100]
    assert first_half.count("urgent") > first_half.count("bulk")
    assert "bulk" in order[:10]


async def test_an_entry_larger_than_the_queue_passes_when_it_is_empty() -> None:
    q = queue()
    await asyncio.wait_for(q.put(batch("a", 1, size=50_000)), 1)
    assert len(await q.take()) == 1


async def test_a_cancelled_reader_leaves_no_trace() -> None:
    q = queue()
    await q.put(batch("a", 0, size=9_000))
    waiting = asyncio.create_task(q.put(batch("b", 1, size=9_000)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert q.stats().blocked_readers == 0
    assert [b.source_id for b in await drain(q)] == ["a"]


async def test_order_of_a_source_survives_a_change_of_its_priority() -> None:
    q = queue(max_bytes=1_000_000, batch_bytes=2_000)
    for n in range(20):
        await q.put(batch("a", n, priority=1 if n < 10 else 10))
        await q.put(batch("b", n))
    assert numbers(await drain(q), "a") == list(range(20))


async def test_an_empty_closed_queue_ends() -> None:
    q = queue()
    q.close()
    assert await asyncio.wait_for(q.take(), 1) == []
