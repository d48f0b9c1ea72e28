"""How far one subscription of one client is, and what it is told next."""

from __future__ import annotations

import json
from collections import deque
from concurrent.futures import Executor
from dataclasses import dataclass

import structlog

from vedette.live.channel import Channel, Filter
from vedette.live.chunk import Chunk
from vedette.live.limits import LiveLimits
from vedette.live.protocol import Gap, GapReason, Status
from vedette.model.clock import Clock
from vedette.model.errors import StoreError

log = structlog.get_logger(__name__)

_CHUNKS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class _Missing:
    """Numbers from the cursor up to `until` will not come."""

    until: int
    reason: GapReason


class Subscription:
    """A cursor over a channel that tells every number once, as part of a batch or of a gap.

    The client's sender calls `next_message` whenever it can send; what a client does not fetch costs nothing but
    the shared window. `start` is the first number to tell. Numbers below `lenient_before` may be missing without
    a word: they precede what the client asked for.
    """

    def __init__(
        self,
        identifier: str,
        channel: Channel,
        wanted: Filter,
        *,
        start: int,
        is_resumed: bool = False,
        lenient_before: int = 0,
        clock: Clock,
        limits: LiveLimits,
        store_pool: Executor,
    ) -> None:
        self.id = identifier
        self.channel = channel
        self.is_resumed = is_resumed
        self.is_paused = False
        self.gaps_told = 0
        self._wanted = wanted
        self._clock = clock
        self._limits = limits
        self._store_pool = store_pool
        self._lenient_before = lenient_before
        self._told = start  # the next number to tell
        self._cursor = start  # the next number to look at, never before _told
        self._missing: _Missing | None = None
        self._is_catching_up = start < channel.head
        self._pages: deque[Chunk] = deque()  # read from the store, not looked at yet
        self._told_at = clock.monotonic()
        self._counted = start
        self._waiting = 0
        self._opening = f'{{"type":"batch","id":{json.dumps(identifier)},"first_seq":'
        self._limit_replay()

    @property
    def next_seq(self) -> int:
        """The first number of the next batch or gap."""
        return self._told

    @property
    def has_more(self) -> bool:
        """There is something to look at or to tell now."""
        return not self.is_paused and (self._cursor < self.channel.head or self._missing is not None)

    @property
    def wants_tick(self) -> bool:
        """Something will have to be told even if nothing happens."""
        return self.is_paused or self._told < self._cursor

    def pause(self) -> Status:
        """Stop telling rows; what waits is counted from here."""
        if not self.is_paused:
            self.is_paused = True
            self._counted, self._waiting = self._told, 0
            self._told_at = self._clock.monotonic()
        return self._status()

    def resume(self) -> Status:
        """Go on where `pause` stopped."""
        self.is_paused = False
        self._is_catching_up = True
        self._limit_replay()
        return self._status()

    async def next_message(self) -> str | None:
        """The next batch, gap or status as JSON text; None when nothing is to be told now."""
        if self.is_paused:
            return await self._waiting_status() if self._is_overdue() else None
        return await self._next_rows()

    async def _next_rows(self) -> str | None:
        texts = await self._gather()
        if self.is_paused:
            self._cursor = self._told
            return None
        if texts or (self._told < self._cursor and (self._missing or self._is_overdue())):
            return self._batch(texts)
        return self._gap(self._missing) if self._missing else None

    async def _gather(self) -> list[str]:
        """Look at chunks until a message is full, the head is reached, or rows are found missing."""
        texts: list[str] = []
        rows = size = looked = 0
        self._note_lateness()
        while self._missing is None and self._cursor < self.channel.head and looked < _CHUNKS_AT_ONCE:
            looked += 1
            chunk = await self._chunk_at_cursor()
            if chunk is None:
                break
            if chunk.frame is None:
                self._pass_over(chunk)
                continue
            more, text = (await self.channel.view(chunk, self._wanted)).rows_from(self._cursor)
            if rows and (rows + more > self._limits.batch_rows or size + len(text) > self._limits.batch_bytes):
                break
            self._cursor = chunk.next_seq
            if more:
                rows, size = rows + more, size + len(text)
                texts.append(text)
        if self._cursor >= self.channel.head:
            self._is_catching_up = False
        return texts

    async def _chunk_at_cursor(self) -> Chunk | None:
        """The chunk that holds the cursor's number, from memory or from the store; None when that cannot be read."""
        while self._pages and self._pages[0].last_seq < self._cursor:
            self._pages.popleft()
        if self._pages:
            return self._pages[0]
        chunk = self.channel.find(self._cursor)
        if chunk is not None:
            return chunk
        try:
            self._pages.extend(await self.channel.read_older(self._cursor, self._store_pool))
        except StoreError as error:
            log.warning("live_replay_failed", stream=self.channel.name, error=str(error))
            self._missing = _Missing(self.channel.start_after(self._cursor), GapReason.UNAVAILABLE)
            return None
        return self._pages[0]

    def _pass_over(self, gone: Chunk) -> None:
        if not self.channel.every_number_is_a_row or gone.last_seq < self._lenient_before:
            self._cursor = gone.next_seq
        else:
            self._missing = _Missing(gone.next_seq, GapReason.DELETED)

    def _limit_replay(self) -> None:
        """Skip what is further back than the replay window."""
        floor = self.channel.head - self._limits.replay_rows
        if self._missing is None and self._cursor < floor:
            self._missing = _Missing(floor, GapReason.TOO_OLD)

    def _note_lateness(self) -> None:
        """Skip to the newest rows when too many wait, or a few batches for too long."""
        if self._missing is not None:
            return
        limits, lag = self._limits, self.channel.head - self._cursor
        if self._is_catching_up:
            is_late = lag > 2 * limits.replay_rows
        else:
            is_old = lag > 2 * limits.batch_rows and self.channel.age_of(self._cursor) > limits.lag_seconds
            is_late = lag > limits.lag_rows or is_old
        newest = self.channel.newest_start()
        if is_late and newest > self._cursor:
            self._missing = _Missing(newest, GapReason.TOO_SLOW)

    def _batch(self, texts: list[str]) -> str:
        first, self._told = self._told, self._cursor
        self._told_at = self._clock.monotonic()
        return f'{self._opening}{first},"last_seq":{self._told - 1},"rows":[{",".join(texts)}]}}'

    def _gap(self, missing: _Missing) -> str:
        first, self._told, self._missing = self._told, missing.until, None
        self._cursor = self._told
        self._told_at = self._clock.monotonic()
        self.gaps_told += 1
        gap = Gap(
            id=self.id,
            first_seq=first,
            last_seq=self._told - 1,
            missed=self._told - first,
            reason=missing.reason,
        )
        return gap.model_dump_json()

    def _is_overdue(self) -> bool:
        return self._clock.monotonic() - self._told_at >= self._limits.progress_seconds

    async def _waiting_status(self) -> str | None:
        """How many rows wait, if that changed since it was told."""
        before = self._waiting
        while self._counted < self.channel.head and self.is_paused:
            chunk = self.channel.find(self._counted)
            if chunk is None or chunk.frame is None:
                self._counted = self.channel.start_after(self._counted)
                continue
            self._waiting += await self.channel.count(chunk, self._wanted, from_seq=self._counted)
            self._counted = chunk.next_seq
        self._told_at = self._clock.monotonic()
        return self._status().model_dump_json() if self._waiting != before and self.is_paused else None

    def _status(self) -> Status:
        if self.is_paused:
            return Status(id=self.id, state="paused", waiting=self._waiting)
        return Status(id=self.id, state="live")
