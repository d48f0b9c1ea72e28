"""RealtimeIngestionQueue: where entries wait for the pipeline."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from vedette.model.clock import Clock
from vedette.model.entries import EntryBatch

_LEAST_COST = 1024
"""What a batch costs its lane at least, so that empty batches do not run free."""


@dataclass(frozen=True, slots=True)
class QueueStats:
    """Counters since the start, and what waits now."""

    batches_in: int
    batches_out: int
    entries_in: int
    entries_out: int
    bytes_in: int
    bytes_out: int
    waiting_batches: int
    waiting_entries: int
    waiting_bytes: int
    max_bytes: int
    waiting_sources: int
    blocked_readers: int
    times_full: int
    seconds_full: float


@dataclass(slots=True)
class _Lane:
    """The batches of one source, in order. `virtual_time` grows by bytes / weight as they leave."""

    weight: float
    virtual_time: float
    batches: deque[tuple[float, EntryBatch]] = field(default_factory=deque)
    bytes: int = 0


class RealtimeIngestionQueue:
    """A queue bounded in bytes with a weighted lane for each source; belongs to one event loop.

    `put` waits while the queue is full, so that a reader stops reading instead of anything being lost; one
    batch larger than the whole queue is let in when the queue is empty. A source may fill at most half of the
    queue, so that a long backlog leaves room for the live ones. `take` gives a micro-batch of at most `batch_bytes` and
    `batch_entries`: as soon as so much waits, or when the oldest entry has waited `max_age_seconds`. A batch that is
    larger by itself is given alone. Lanes share by stride
    scheduling with weight 2^(priority-1): urgent sources go first, none starves, and the order within a
    source is kept.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        max_bytes: int,
        batch_bytes: int,
        batch_entries: int = 40_960,
        max_age_seconds: float = 0.02,
    ) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._batch_bytes = batch_bytes
        self._batch_entries = batch_entries
        self._max_age = max_age_seconds
        self._lanes: dict[str, _Lane] = {}
        self._order: list[tuple[float, int, str]] = []
        self._tick = 0
        self._virtual_time = 0.0
        self._bytes = self._entries = self._batches = 0
        self._in = [0, 0, 0]
        self._out = [0, 0, 0]
        self._changed = asyncio.Event()
        self._waiters: deque[tuple[EntryBatch, asyncio.Future[None]]] = deque()
        self._full_since: float | None = None
        self._times_full = 0
        self._seconds_full = 0.0
        self._is_closed = False

    async def put(self, batch: EntryBatch) -> None:
        """Append a batch to its source's lane, waiting for room. Cancelling the wait leaves no trace."""
        if self._has_room(batch) and not self._is_waiting(batch.source_id):
            self._append(batch)
            return
        if self._full_since is None:
            self._full_since = self._clock.monotonic()
            self._times_full += 1
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = (batch, admitted)
        self._waiters.append(waiter)
        self._changed.set()
        try:
            await admitted
        except asyncio.CancelledError:
            self._waiters = deque(other for other in self._waiters if other is not waiter)
            self._admit()
            raise

    async def take(self) -> list[EntryBatch]:
        """The next micro-batch; empty only once the queue is closed and drained. One consumer."""
        while True:
            self._changed.clear()
            wait = self._seconds_to_wait()
            if wait is not None and wait <= 0:
                return self._pop_batches()
            if wait is None and self._is_closed:
                return []
            try:
                await asyncio.wait_for(self._changed.wait(), wait)
            except TimeoutError:
                continue

    def close(self) -> None:
        """Let `take` drain what waits and then end."""
        self._is_closed = True
        self._changed.set()

    def stats(self) -> QueueStats:
        full_for = 0.0 if self._full_since is None else self._clock.monotonic() - self._full_since
        return QueueStats(
            batches_in=self._in[0],
            batches_out=self._out[0],
            entries_in=self._in[1],
            entries_out=self._out[1],
            bytes_in=self._in[2],
            bytes_out=self._out[2],
            waiting_batches=self._batches,
            waiting_entries=self._entries,
            waiting_bytes=self._bytes,
            max_bytes=self._max_bytes,
            waiting_sources=sum(1 for lane in self._lanes.values() if lane.batches),
            blocked_readers=len(self._waiters),
            times_full=self._times_full,
            seconds_full=self._seconds_full + full_for,
        )

    def _has_room(self, batch: EntryBatch) -> bool:
        lane = self._lanes.get(batch.source_id)
        held = lane.bytes if lane else 0
        fits_lane = held == 0 or held + batch.size_bytes <= self._max_bytes // 2
        fits_queue = self._bytes == 0 or self._bytes + batch.size_bytes <= self._max_bytes
        return fits_lane and fits_queue

    def _is_waiting(self, source_id: str) -> bool:
        return any(batch.source_id == source_id for batch, _ in self._waiters)

    def _append(self, batch: EntryBatch) -> None:
        lane = self._lanes.get(batch.source_id)
        if lane is None:
            lane = _Lane(weight=1.0, virtual_time=self._virtual_time)
            self._lanes[batch.source_id] = lane
        lane.weight = 2.0 ** (batch.priority - 1)
        was_empty = not lane.batches
        lane.batches.append((self._clock.monotonic(), batch))
        lane.bytes += batch.size_bytes
        if was_empty:
            self._schedule(batch.source_id, lane)
        self._count(self._in, batch)
        self._bytes += batch.size_bytes
        self._entries += batch.frame.height
        self._batches += 1
        self._changed.set()

    def _schedule(self, source_id: str, lane: _Lane) -> None:
        self._tick += 1
        due = lane.virtual_time + max(lane.batches[0][1].size_bytes, _LEAST_COST) / lane.weight
        heapq.heappush(self._order, (due, self._tick, source_id))

    def _seconds_to_wait(self) -> float | None:
        """0 when a micro-batch is due, None when nothing waits."""
        if not self._batches:
            return None
        is_enough = self._bytes >= self._batch_bytes or self._entries >= self._batch_entries
        if is_enough or self._waiters or self._is_closed:
            return 0.0
        oldest = min(lane.batches[0][0] for lane in self._lanes.values() if lane.batches)
        return max(0.0, oldest + self._max_age - self._clock.monotonic())

    def _pop_batches(self) -> list[EntryBatch]:
        taken: list[EntryBatch] = []
        size = entries = 0
        while self._order:
            due, _, source_id = self._order[0]
            lane = self._lanes[source_id]
            batch = lane.batches[0][1]
            is_too_much = size + batch.size_bytes > self._batch_bytes
            if taken and (is_too_much or entries + batch.frame.height > self._batch_entries):
                break
            heapq.heappop(self._order)
            lane.batches.popleft()
            lane.bytes -= batch.size_bytes
            lane.virtual_time = due
            self._virtual_time = max(self._virtual_time, due)
            if lane.batches:
                self._schedule(source_id, lane)
            else:
                del self._lanes[source_id]
            taken.append(batch)
            size += batch.size_bytes
            entries += batch.frame.height
        self._release(taken)
        return taken

    def _release(self, taken: Iterable[EntryBatch]) -> None:
        for batch in taken:
            self._bytes -= batch.size_bytes
            self._entries -= batch.frame.height
            self._batches -= 1
            self._count(self._out, batch)
        self._admit()

    def _admit(self) -> None:
        """Let waiting readers in, first come first served, a reader whose lane is full not holding up the rest."""
        blocked: deque[tuple[EntryBatch, asyncio.Future[None]]] = deque()
        held_up: set[str] = set()
        for batch, admitted in self._waiters:
            if admitted.cancelled():
                continue
            if batch.source_id not in held_up and self._has_room(batch):
                self._append(batch)
                admitted.set_result(None)
            else:
                held_up.add(batch.source_id)
                blocked.append((batch, admitted))
        self._waiters = blocked
        if not blocked and self._full_since is not None:
            self._seconds_full += self._clock.monotonic() - self._full_since
            self._full_since = None

    @staticmethod
    def _count(counter: list[int], batch: EntryBatch) -> None:
        counter[0] += 1
        counter[1] += batch.frame.height
        counter[2] += batch.size_bytes
