"""One numbered stream: the newest rows in memory, older ones from the store, each query answered once."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import polars as pl

from vedette.live.chunk import Chunk, View, chunks_of, joined, matches, view
from vedette.live.limits import LiveLimits
from vedette.model.clock import Clock
from vedette.model.query import Query
from vedette.model.rows import SEQUENCE

ReadAfter = Callable[[int, int, int], pl.DataFrame]
"""(seq, until_seq, limit) to the rows with seq < number < until_seq, in order. Blocks; thread-safe."""


_RECENT_CHUNKS = 64


@dataclass(frozen=True, slots=True)
class Filter:
    """What a subscription wants of a stream. `query` is the key under which answers are shared."""

    query: Query | None
    mask: pl.Expr | None


class Channel:
    """A stream that any number of subscriptions read, each at its own pace.

    Belongs to the event loop. Appending never waits for a reader: a reader keeps a number, not a queue. Rows are
    filtered and encoded in `pool` when the first reader asks for them, and the answer is kept for the others.
    `every_number_is_a_row` says that a number the store does not have is a row that is lost (events), not one
    that was superseded (findings).
    """

    def __init__(
        self,
        name: str,
        *,
        next_seq: int,
        clock: Clock,
        limits: LiveLimits,
        pool: Executor,
        read_after: ReadAfter | None = None,
        every_number_is_a_row: bool = True,
    ) -> None:
        self.name = name
        self.every_number_is_a_row = every_number_is_a_row
        self.head = next_seq
        """The number of the next row to be told."""
        self._origin = next_seq
        self._clock = clock
        self._limits = limits
        self._pool = pool
        self._read_after = read_after
        self._chunks: list[Chunk] = []
        self._starts: list[int] = []
        self._bytes = 0
        self._pending: list[pl.DataFrame] = []
        self._flushed_at = float("-inf")
        self._flush_timer: asyncio.TimerHandle | None = None
        self._views: OrderedDict[tuple[int, int, Query | None], tuple[asyncio.Future[View], int]] = OrderedDict()
        self._view_bytes = 0
        self._listeners: set[Callable[[], None]] = set()

    def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever `head` moved."""
        self._listeners.add(wake)

    def ignore(self, wake: Callable[[], None]) -> None:
        self._listeners.discard(wake)

    @property
    def first_in_memory(self) -> int:
        return self._starts[0] if self._starts else self.head

    def publish(self, frame: pl.DataFrame) -> None:
        """Tell numbered rows: at once when it was quiet, else together with what follows within the flush time."""
        if not frame.height:
            return
        self._pending.append(frame)
        wait = self._flushed_at + self._limits.flush_seconds - self._clock.monotonic()
        if wait <= 0:
            self.flush()
        elif self._flush_timer is None:
            self._flush_timer = asyncio.get_running_loop().call_later(wait, self.flush)

    def flush(self) -> None:
        """Tell what is held back."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        if not self._pending:
            return
        frames, self._pending = self._pending, []
        self._flushed_at = self._clock.monotonic()
        self._append(frames[0] if len(frames) == 1 else pl.concat(frames), at=self._flushed_at)
        for wake in tuple(self._listeners):
            wake()

    @property
    def next_free(self) -> int:
        """The number behind everything published, told or held back."""
        return self.head + sum(frame.height for frame in self._pending)

    def seed(self, rows: int) -> None:
        """Load the newest stored rows. Blocks; only before the first `publish`."""
        if self._read_after is None or self._chunks:
            return
        frame = self._read_after(max(-1, self.head - rows - 1), self.head, rows)
        if frame.height:
            self._append(frame, at=self._clock.monotonic(), until=self.head)

    def find(self, seq: int) -> Chunk | None:
        """The chunk in memory that holds a number."""
        index = bisect_right(self._starts, seq) - 1
        return self._chunks[index] if index >= 0 and seq <= self._chunks[index].last_seq else None

    def knows(self, seq: int) -> bool:
        """Whether a number was told in this numbering, so that a reader can continue behind it."""
        return seq < self.head and (self._read_after is not None or seq >= self._origin - 1)

    def start_after(self, seq: int) -> int:
        """Where memory begins again behind a number it does not hold; the head if nowhere."""
        index = bisect_right(self._starts, seq)
        return self._starts[index] if index < len(self._starts) else self.head

    def newest_start(self) -> int:
        """A number near the head, at which a reader that skips continues."""
        return self._chunks[-1].first_seq if self._chunks else self.head

    def age_of(self, seq: int) -> float:
        """Seconds since a number was told; infinite when it is no longer in memory."""
        chunk = self.find(seq)
        return self._clock.monotonic() - chunk.at if chunk else float("inf")

    async def view(self, chunk: Chunk, wanted: Filter) -> View:
        """The rows of a chunk for a query; shared while the chunk is in memory."""
        assert chunk.frame is not None
        loop = asyncio.get_running_loop()
        if self.find(chunk.first_seq) is not chunk:
            return await loop.run_in_executor(self._pool, view, chunk.frame, wanted.mask)
        key = (chunk.first_seq, chunk.last_seq, wanted.query)
        if key not in self._views:
            future = asyncio.ensure_future(loop.run_in_executor(self._pool, view, chunk.frame, wanted.mask))
            self._views[key] = (future, 0)
            future.add_done_callback(lambda done: self._keep(key, done))
        self._views.move_to_end(key)
        return await asyncio.shield(self._views[key][0])

    async def count(self, chunk: Chunk, wanted: Filter, *, from_seq: int) -> int:
        """How many rows of a chunk match, from a number on."""
        assert chunk.frame is not None
        numbers = await asyncio.get_running_loop().run_in_executor(self._pool, matches, chunk.frame, wanted.mask)
        return int((numbers >= from_seq).sum())

    async def read_older(self, seq: int, pool: Executor) -> list[Chunk]:
        """Chunks from number `seq` on that are not in memory: the next page of the store, gone rows included."""
        until = self.start_after(seq)
        if self._read_after is None:
            return [Chunk(seq, until - 1, None, self._clock.monotonic())]
        limit = 4 * self._limits.batch_rows
        loop = asyncio.get_running_loop()
        frame = await loop.run_in_executor(pool, self._read_after, seq - 1, until, limit)
        last = int(frame[SEQUENCE][-1]) if frame.height >= limit else until - 1
        return self._cut(frame, at=self._clock.monotonic(), first=seq, until=last + 1)

    async def start_for(self, wanted: Filter, count: int, pool: Executor) -> int:
        """The number from which on `count` rows match; as far back as is looked when there are fewer."""
        at = lowest = self.head
        floor = max(0, self.head - self._limits.backlog_scan)
        found = 0
        while found < count and at > floor:
            at, frame = await self._before(at, floor, pool)
            if frame is None or not frame.height:
                continue
            lowest = int(frame[SEQUENCE][0])
            loop = asyncio.get_running_loop()
            numbers = await loop.run_in_executor(self._pool, matches, frame, wanted.mask)
            if found + len(numbers) >= count:
                return int(numbers[len(numbers) - (count - found)])
            found += len(numbers)
        return lowest

    async def _before(self, seq: int, floor: int, pool: Executor) -> tuple[int, pl.DataFrame | None]:
        """The rows just before a number, and the number they begin at."""
        chunk = self.find(seq - 1)
        if chunk is not None:
            return chunk.first_seq, chunk.frame
        if self._read_after is None:
            return floor, None
        start = max(floor, seq - 5_000)
        loop = asyncio.get_running_loop()
        return start, await loop.run_in_executor(pool, self._read_after, start - 1, seq, seq - start)

    def _cut(self, frame: pl.DataFrame, *, at: float, first: int, until: int) -> list[Chunk]:
        return chunks_of(
            frame,
            first=first,
            until=until,
            at=at,
            max_rows=self._limits.batch_rows,
            max_bytes=self._limits.batch_bytes,
            is_dense=self.every_number_is_a_row,
        )

    def _append(self, frame: pl.DataFrame, *, at: float, until: int | None = None) -> None:
        numbers = frame[SEQUENCE]
        until = int(numbers[-1]) + 1 if until is None else until
        for chunk in self._cut(frame, at=at, first=int(numbers[0]), until=until):
            self._chunks.append(chunk)
            self._starts.append(chunk.first_seq)
            self._bytes += chunk.size
        self.head = self._chunks[-1].next_seq
        self._join_small()
        self._forget_old()

    def _join_small(self) -> None:
        """Keep the newest chunks as they were told, join one pair behind them if it fits."""
        index = len(self._chunks) - _RECENT_CHUNKS
        if index < 1:
            return
        earlier, later = self._chunks[index - 1 : index + 1]
        is_small = earlier.height + later.height <= self._limits.batch_rows
        if is_small and earlier.size + later.size <= self._limits.batch_bytes and earlier.precedes(later):
            self._chunks[index - 1 : index + 1] = [joined(earlier, later)]
            del self._starts[index]

    def _forget_old(self) -> None:
        oldest = self._clock.monotonic() - self._limits.window_seconds
        gone = 0
        while gone < len(self._chunks) - 1 and self._is_surplus(self._chunks[gone], oldest):
            self._bytes -= self._chunks[gone].size
            gone += 1
        del self._chunks[:gone], self._starts[:gone]

    def _is_surplus(self, chunk: Chunk, oldest: float) -> bool:
        limits = self._limits
        return (
            chunk.at < oldest or self.head - chunk.first_seq > limits.window_rows or self._bytes > limits.window_bytes
        )

    def _keep(self, key: tuple[int, int, Query | None], done: asyncio.Future[View]) -> None:
        """Count an answer that is ready, and let the least used ones go."""
        if done.cancelled() or done.exception() is not None:
            self._views.pop(key, None)
            return
        if key not in self._views:
            return
        size = 2 * len(done.result().joined) + 200
        self._views[key] = (done, size)
        self._view_bytes += size
        while self._view_bytes > self._limits.view_cache_bytes and len(self._views) > 1:
            _, (_, released) = self._views.popitem(last=False)
            self._view_bytes -= released
