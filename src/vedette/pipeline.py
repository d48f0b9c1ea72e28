"""The way of one batch: entries → events → findings → committed → told.

Decoding runs in one thread, detection and analysis in another, the store's commit in a third, so that a batch is
decoded while the ones before it are judged and written. In a backlog several batches share a commit. Nothing is told before it is
committed, and no batch is given up: when the store refuses, the same batch is tried again until it takes it, and the
full queue stops the readers.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl
import structlog

from vedette.model.batches import CommitBatch, Committed
from vedette.model.entries import EntryBatch, LedgerNote
from vedette.model.errors import StoreBroken, StoreError, StoreFull
from vedette.model.events import EVENT_SCHEMA
from vedette.model.findings import Finding
from vedette.model.health import HealthState, PartHealth
from vedette.model.positions import Position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vedette.analysis.contract import Analyser
    from vedette.detection.contract import Detector
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


class Decoder(Protocol):
    """Turns entries into events, and remembers what it learned about the sources."""

    @property
    def name(self) -> str: ...

    def decode(self, batches: Sequence[EntryBatch]) -> pl.DataFrame:
        """One row of EVENT_SCHEMA an entry, same order; entries that continue a record are lines of its row."""
        ...

    def snapshot(self) -> bytes | None: ...

    def restore(self, state: bytes) -> None: ...


class Memory(Protocol):
    """What a stage learned, kept under several keys so that a commit carries only what changed."""

    def snapshots(self) -> Mapping[str, bytes]:
        """What changed since the last call, by key."""
        ...

    def restore(self, states: Mapping[str, bytes]) -> None:
        """Continue with what is found under its keys among all states."""
        ...


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
class Trouble:
    """Why a part is not well, since when, and what to do."""

    since: datetime
    state: HealthState
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """The events of some batches, with what was learned from them and how they are accounted for."""

    events: pl.DataFrame
    state: Mapping[str, bytes]
    positions: tuple[Position, ...]
    ledger: Mapping[str, Mapping[str, int]]
    notes: tuple[LedgerNote, ...]
    first_read: datetime


@dataclass(frozen=True, slots=True)
class _Ready:
    batch: CommitBatch
    first_read: datetime


class Judge:
    """The pure middle: entries in, everything that becomes true with them out. In order; `decode` belongs to one thread,
    `conclude` to one, which may be another.

    A stage that fails on a batch loses its own contribution only: entries that cannot be decoded are kept raw.
    """

    def __init__(
        self,
        *,
        decoder: Decoder,
        detectors: Sequence[Detector],
        analysers: Sequence[Analyser],
        clock: Clock,
        memories: Sequence[Memory] = (),
    ) -> None:
        self._decoder = decoder
        self._detectors = detectors
        self._analysers = analysers
        self._memories = memories
        self._clock = clock
        self._process_token = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.failures = 0
        self.trouble: dict[str, Trouble] = {}

    def restore(self, known: Mapping[str, bytes]) -> None:
        """Give every stage what it knew when the last commit was made."""
        parts: list[Decoder | Detector] = [self._decoder, *self._detectors]
        for part in parts:
            if part.name in known:
                part.restore(known[part.name])
        for memory in self._memories:
            memory.restore(known)

    def judge(self, batches: Sequence[EntryBatch]) -> CommitBatch:
        """Decode, detect, analyse, and account for the batches. Blocks."""
        return self.conclude(self.decode(batches))

    def decode(self, batches: Sequence[EntryBatch]) -> Decoded:
        """The events of the batches. Blocks."""
        with self._timed("decode"):
            events = self._decode(batches)
            state: dict[str, bytes] = {}
            if (learned := self._decoder.snapshot()) is not None:
                state[self._decoder.name] = learned
            for memory in self._memories:
                state |= memory.snapshots()
            return Decoded(
                events=events,
                state=state,
                positions=_last_positions(batches),
                ledger=ledger_of(batches, events),
                notes=tuple(note for batch in batches for note in batch.notes),
                first_read=min(batch.read_at for batch in batches),
            )

    def conclude(self, decoded: Decoded) -> CommitBatch:
        """Detect and analyse; everything that becomes true together. Blocks."""
        events = decoded.events
        findings: list[Finding] = []
        state = dict(decoded.state)
        with self._timed("detect"):
            now = self._clock.now()
            for detector in self._detectors:
                findings += self._inspect(detector, events, now)
                if (snapshot := detector.snapshot()) is not None:
                    state[detector.name] = snapshot
        with self._timed("analyse"):
            for analyser in self._analysers:
                events, findings = self._analyse(analyser, events, findings)
        return CommitBatch(
            events=events,
            findings=tuple(findings),
            positions=decoded.positions,
            state=state,
            ledger=decoded.ledger,
            notes=decoded.notes,
            token=f"{self._process_token}:{next(self._numbers)}",
        )

    def _decode(self, batches: Sequence[EntryBatch]) -> pl.DataFrame:
        try:
            return self._decoder.decode(batches)
        except Exception as error:
            self._note_failure("formats", error)
            if len(batches) == 1:
                return undecoded(batches[0])
            return pl.concat([self._decode([batch]) for batch in batches])

    def _inspect(self, detector: Detector, events: pl.DataFrame, now: datetime) -> list[Finding]:
        try:
            return detector.inspect(events, now)
        except Exception as error:
            self._note_failure(detector.name, error)
            return []

    def _analyse(
        self, analyser: Analyser, events: pl.DataFrame, findings: list[Finding]
    ) -> tuple[pl.DataFrame, list[Finding]]:
        try:
            return analyser.analyse(events, findings)
        except Exception as error:
            self._note_failure(analyser.name, error)
            return events, findings

    def _note_failure(self, stage: str, error: Exception) -> None:
        self.failures += 1
        log.error("stage_failed", stage=stage, error=str(error), exc_info=error)
        self.trouble[stage] = Trouble(
            self._clock.now(),
            HealthState.DEGRADED,
            f"{stage} failed on a batch: {error}",
            "The entries are kept; please report this with the log",
        )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started


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
        ready: asyncio.Queue[_Ready | None] = asyncio.Queue(maxsize=1)
        with (
            ThreadPoolExecutor(1, "decode") as decoding,
            ThreadPoolExecutor(1, "judge") as judging,
            ThreadPoolExecutor(1, "commit") as commits,
        ):
            await all_or_none(
                self._decode_all(decoded, decoding),
                self._judge_all(decoded, ready, judging),
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

    async def _judge_all(
        self,
        decoded: asyncio.Queue[Decoded | None],
        ready: asyncio.Queue[_Ready | None],
        judging: ThreadPoolExecutor,
    ) -> None:
        loop = asyncio.get_running_loop()
        while (item := await decoded.get()) is not None:
            batch = await loop.run_in_executor(judging, self._judge.conclude, item)
            await ready.put(_Ready(batch, item.first_read))
            del item, batch
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


def undecoded(batch: EntryBatch) -> pl.DataFrame:
    """The entries of a batch as raw events, for the case that decoding itself fails."""
    known = {
        "@timestamp": pl.lit(batch.read_at),
        "event.ingested": pl.lit(batch.read_at),
        "event.original": pl.col("text"),
        "message": pl.col("text"),
        "vedette.source": pl.lit(batch.source_id),
        "vedette.generation": pl.lit(batch.generation),
        "log.offset": pl.col("offset"),
        "log.length": pl.col("length"),
        "log.file.path": pl.lit(batch.path),
        "event.severity": pl.lit(1),
        "parse.status": pl.lit("unparsed"),
        "vedette.marks": pl.lit("decode-failed"),
    }
    return batch.frame.select(
        known.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in EVENT_SCHEMA.items()
    )


def ledger_of(batches: Sequence[EntryBatch], events: pl.DataFrame) -> dict[str, dict[str, int]]:
    """What each source read, and what became of it: entries = stored + joined, and every other count beside it.

    `joined` are the entries that became lines of the event before them.
    """
    ledger: dict[str, Counter[str]] = {}
    for batch in batches:
        counts = ledger.setdefault(batch.source_id, Counter())
        counts["entries"] += batch.frame.height
        counts.update(batch.counts)
    if events.height:
        is_joined = pl.col("vedette.marks").str.contains(r"\bjoined\b")
        breaks = pl.col("event.original").str.count_matches("\n", literal=True)
        summary = events.group_by("vedette.source").agg(
            stored=pl.len(),
            unparsed=(pl.col("parse.status") == "unparsed").sum(),
            joined=pl.when(is_joined).then(breaks).sum(),
        )
        for source, stored, unparsed, joined in summary.iter_rows():
            ledger[source]["stored"] += stored
            ledger[source]["unparsed"] += unparsed
            ledger[source]["joined"] += joined
    return {source: {name: amount for name, amount in counts.items() if amount} for source, counts in ledger.items()}


def _last_positions(batches: Sequence[EntryBatch]) -> tuple[Position, ...]:
    """The last position of each generation."""
    last = {(b.source_id, b.generation): b.position for b in batches if b.position is not None}
    return tuple(last.values())
