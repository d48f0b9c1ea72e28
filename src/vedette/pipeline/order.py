"""The way of one batch: entries → events → findings → committed → told.

Decoding runs in one thread, matching in another, windows and analysis in a third, the store's commit in a fourth, so
that a batch is decoded while the ones before it are judged and written. In a backlog several batches share a commit. Nothing is told
before it is committed, and no batch is given up: when the store refuses, the same batch is tried again until it takes
it, and the full queue stops the readers.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import structlog

from vedette.model.batches import CommitBatch, Committed
from vedette.model.errors import StoreBroken, StoreError, StoreFull
from vedette.model.health import HealthState, PartHealth
from vedette.pipeline.judge import Decoded, Judge, Prepared, Trouble

if TYPE_CHECKING:
    from vedette.model.clock import Clock
    from vedette.queue import RealtimeIngestionQueue
    from vedette.store.contract import EventStore

log = structlog.get_logger(__name__)

_FIRST_RETRY_SECONDS = 0.1
_LONGEST_RETRY_SECONDS = 3.0
_LATENCIES_KEPT = 2_000
_BACKLOG_ROWS = 16_384
"""A batch of so many rows comes out of a backlog: the next one is worth waiting for."""
_COMMIT_ROWS = 122_880
"""What the store writes best at once: its row group. Fewer rows go through its write-ahead file as well."""
_LONGEST_WAIT_SECONDS = 0.5
_TICK_SECONDS = 5.0
"""So often detectors are asked what time alone has changed."""


@dataclass(frozen=True, slots=True)
class PipelineStats:
    """Counters since the start; `seconds` by stage; latencies from reading to committed, in seconds."""

    events: int
    findings: int
    commits: int
    failures: int
    seconds: Mapping[str, float]
    latency_p50: float | None
    latency_p99: float | None


@dataclass(frozen=True, slots=True)
class _Ready:
    batch: CommitBatch
    first_read: datetime


class Pipeline:
    """Runs until the queue is closed and drained. One instance, one event loop."""

    def __init__(
        self,
        *,
        queue: RealtimeIngestionQueue,
        judge: Judge,
        store: EventStore,
        tell: Callable[[Committed], None],
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._judge = judge
        self._store = store
        self._tell = tell
        self._clock = clock
        self._started = clock.now()
        self._counters: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=_LATENCIES_KEPT)
        self._commit_seconds = 0.0
        self._trouble: Trouble | None = None

    async def run(self) -> None:
        """Take, judge, commit, tell; returns when the queue is closed and everything is committed."""
        decoded: asyncio.Queue[Decoded | None] = asyncio.Queue(maxsize=1)
        prepared: asyncio.Queue[Prepared | None] = asyncio.Queue(maxsize=1)
        ready: asyncio.Queue[_Ready | None] = asyncio.Queue(maxsize=1)
        with (
            ThreadPoolExecutor(1, "decode") as decoding,
            ThreadPoolExecutor(1, "match") as matching,
            ThreadPoolExecutor(1, "judge") as judging,
            ThreadPoolExecutor(1, "commit") as commits,
        ):
            await all_or_none(
                self._decode_all(decoded, decoding),
                self._prepare_all(decoded, prepared, matching),
                self._judge_all(prepared, ready, judging),
                self._commit_all(ready, commits),
            )

    def stats(self) -> PipelineStats:
        ordered = sorted(self._latencies)
        return PipelineStats(
            events=self._counters["events"],
            findings=self._counters["findings"],
            commits=self._counters["commits"],
            failures=self._counters["failures"] + self._judge.failures,
            seconds={**self._judge.seconds, "commit": self._commit_seconds},
            latency_p50=ordered[len(ordered) // 2] if ordered else None,
            latency_p99=ordered[len(ordered) * 99 // 100] if ordered else None,
        )

    def health(self) -> PartHealth:
        """Down while the store refuses; degraded once a stage failed on a batch."""
        trouble = self._trouble or next(iter(self._judge.trouble.values()), None)
        if trouble is None:
            return PartHealth("pipeline", HealthState.OK, self._started)
        return PartHealth("pipeline", trouble.state, trouble.since, trouble.reason, trouble.remedy)

    async def _decode_all(self, decoded: asyncio.Queue[Decoded | None], decoding: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while batches := await self._queue.take():
            await decoded.put(await loop.run_in_executor(decoding, self._judge.decode, batches))
            del batches
        await decoded.put(None)

    async def _prepare_all(
        self,
        decoded: asyncio.Queue[Decoded | None],
        prepared: asyncio.Queue[Prepared | None],
        matching: ThreadPoolExecutor,
    ) -> None:
        loop = asyncio.get_running_loop()
        while (item := await decoded.get()) is not None:
            await prepared.put(await loop.run_in_executor(matching, self._judge.prepare, item))
            del item
        await prepared.put(None)

    async def _judge_all(
        self,
        prepared: asyncio.Queue[Prepared | None],
        ready: asyncio.Queue[_Ready | None],
        judging: ThreadPoolExecutor,
    ) -> None:
        loop = asyncio.get_running_loop()
        next_tick = loop.time() + _TICK_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(next_tick):
                    item = await prepared.get()
            except TimeoutError:
                pass
            else:
                if item is None:
                    break
                batch = await loop.run_in_executor(judging, self._judge.conclude, item)
                await ready.put(_Ready(batch, item.decoded.first_read))
                del item, batch
            if loop.time() >= next_tick:
                next_tick = loop.time() + _TICK_SECONDS
                if (told := await loop.run_in_executor(judging, self._judge.tick)) is not None:
                    await ready.put(_Ready(told, self._clock.now()))
        await ready.put(None)

    async def _commit_all(self, ready: asyncio.Queue[_Ready | None], commits: ThreadPoolExecutor) -> None:
        while group := await _take_group(ready):
            first_read = min(item.first_read for item in group)
            committed = await self._commit(joined([item.batch for item in group]), commits)
            self._counters["events"] += committed.events.height
            self._counters["findings"] += len(committed.findings)
            self._counters["commits"] += 1
            if committed.events.height:
                self._latencies.append((committed.committed_at - first_read).total_seconds())
            self._tell(committed)
            del group, committed

    async def _commit(self, batch: CommitBatch, commits: ThreadPoolExecutor) -> Committed:
        """Until the store takes it. Repeating is safe: the batch carries its token."""
        loop = asyncio.get_running_loop()
        wait = _FIRST_RETRY_SECONDS
        while True:
            started = time.perf_counter()
            try:
                committed = await loop.run_in_executor(commits, self._store.commit, batch)
            except Exception as error:
                self._note_refusal(error)
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LONGEST_RETRY_SECONDS)
                continue
            self._commit_seconds += time.perf_counter() - started
            if self._trouble is not None:
                log.info("store_accepts_again", reason=self._trouble.reason)
                self._trouble = None
            return committed

    def _note_refusal(self, error: Exception) -> None:
        if isinstance(error, StoreFull):
            remedy = "Free space on the data folder's file system; Vedette goes on by itself"
        elif isinstance(error, StoreBroken):
            remedy = "Nothing to do unless it lasts; the database is being reopened"
        else:
            remedy = "See the log; `vedette doctor` looks at the data folder"
        if self._trouble is None or self._trouble.reason != str(error):
            log.error("store_refused", error=str(error), exc_info=None if isinstance(error, StoreError) else error)
            since = self._trouble.since if self._trouble else self._clock.now()
            self._trouble = Trouble(since, HealthState.DOWN, str(error), remedy)
        self._counters["failures"] += 1


async def _take_group(ready: asyncio.Queue[_Ready | None]) -> list[_Ready]:
    """The next batch, in a backlog with those that follow until they fill a commit; empty at the end."""
    group: list[_Ready] = []
    rows = 0
    while rows < _COMMIT_ROWS:
        try:
            async with asyncio.timeout(_LONGEST_WAIT_SECONDS if group else None):
                item = await ready.get()
        except TimeoutError:
            break
        if item is None:
            if group:
                ready.put_nowait(None)
            break
        group.append(item)
        rows += item.batch.events.height
        if item.batch.events.height < _BACKLOG_ROWS:
            break
    return group


def joined(batches: Sequence[CommitBatch]) -> CommitBatch:
    """Consecutive batches as one, with the token of the last; of a finding that grew, its last state."""
    if len(batches) == 1:
        return batches[0]
    ledger: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for batch in batches:
        for source, counts in batch.ledger.items():
            ledger[source].update(counts)
    positions = {(each.source_id, each.generation): each for batch in batches for each in batch.positions}
    return CommitBatch(
        events=pl.concat([batch.events for batch in batches]),
        findings=tuple({each.id: each for batch in batches for each in batch.findings}.values()),
        positions=tuple(positions.values()),
        state={name: snapshot for batch in batches for name, snapshot in batch.state.items()},
        ledger=ledger,
        notes=tuple(note for batch in batches for note in batch.notes),
        token=batches[-1].token,
    )


async def all_or_none(*works: Coroutine[Any, Any, None]) -> None:
    """Run together; when one fails, end the others and raise its error."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
