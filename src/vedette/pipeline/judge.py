"""The pure middle: entries in, everything that becomes true with them out."""

from __future__ import annotations

import itertools
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import polars as pl
import structlog

from vedette.detection.contract import Concluding, Preparing, Watch
from vedette.model.batches import CommitBatch
from vedette.model.entries import EntryBatch, LedgerNote
from vedette.model.events import EVENT_SCHEMA
from vedette.model.findings import Finding
from vedette.model.health import HealthState
from vedette.model.inline import inline
from vedette.model.positions import Position

if TYPE_CHECKING:
    from vedette.analysis.contract import Analyser
    from vedette.detection.contract import Detector, Inspection
    from vedette.model.clock import Clock

log = structlog.get_logger(__name__)


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


@runtime_checkable
class Remembers(Protocol):
    """A detector whose state is too large for one snapshot."""

    @property
    def memory(self) -> Memory:
        """Used in the thread of `inspect`."""
        ...


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
class Prepared:
    """Decoded batches with what detectors have yet to do; None for one that failed."""

    decoded: Decoded
    inspections: Mapping[str, Inspection | None]


class Judge:
    """The pure middle: entries in, everything that becomes true with them out. In order; `decode`, `prepare` and
    `conclude` belong to one thread each, which may be different ones.

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
        memories = [part.memory for part in self._detectors if isinstance(part, Remembers)]
        for memory in (*self._memories, *memories):
            memory.restore(known)

    def judge(self, batches: Sequence[EntryBatch]) -> CommitBatch:
        """Decode, detect, analyse, and account for the batches. Blocks."""
        return self.conclude(self.prepare(self.decode(batches)))

    @inline
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

    @inline
    def prepare(self, decoded: Decoded) -> Prepared:
        """What detectors can do with the events alone. Blocks."""
        with self._timed("match"):
            inspections = {
                detector.name: self._prepared(detector, detector.name, decoded.events)
                for detector in self._detectors
                if isinstance(detector, Preparing)
            }
        return Prepared(decoded, inspections)

    @inline
    def conclude(self, prepared: Prepared) -> CommitBatch:
        """Detect and analyse; everything that becomes true together. Blocks."""
        decoded = prepared.decoded
        events = decoded.events
        findings: list[Finding] = []
        state = dict(decoded.state)
        with self._timed("detect"):
            now = self._clock.now()
            for detector in self._detectors:
                findings += self._inspect(detector, prepared, now)
                state |= _state_of(detector)
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

    @inline
    def tick(self) -> CommitBatch | None:
        """What became true because time passed, None when nothing did. Belongs to the thread of `conclude`. Blocks."""
        with self._timed("detect"):
            now = self._clock.now()
            findings: list[Finding] = []
            state: dict[str, bytes] = {}
            for detector in self._detectors:
                if isinstance(detector, Watch) and (found := self._told(detector.tick, detector.name, now)):
                    findings += found
                    state |= _state_of(detector)
        if not findings:
            return None
        token = f"{self._process_token}:{next(self._numbers)}"
        analysed = tuple(self._analysed(findings))
        events = pl.DataFrame(schema=EVENT_SCHEMA)
        return CommitBatch(events, analysed, positions=(), state=state, ledger={}, notes=(), token=token)

    @inline
    def finish(self) -> list[Finding]:
        """What became true because nothing more comes, for reading that stores nothing. Once, after the last batch.
        Belongs to the thread of `conclude`. Blocks."""
        with self._timed("detect"):
            now = self._clock.now()
            findings: list[Finding] = []
            for detector in self._detectors:
                if isinstance(detector, Concluding):
                    findings += self._told(detector.finish, detector.name, now)
        return self._analysed(findings)

    def _analysed(self, findings: list[Finding]) -> list[Finding]:
        """Findings of no batch."""
        events = pl.DataFrame(schema=EVENT_SCHEMA)
        for analyser in self._analysers if findings else ():
            events, findings = self._analyse(analyser, events, findings)
        return findings

    def _told(self, tell: Callable[[datetime], list[Finding]], name: str, now: datetime) -> list[Finding]:
        try:
            return tell(now)
        except Exception as error:
            self._note_failure(name, error)
            return []

    def _decode(self, batches: Sequence[EntryBatch]) -> pl.DataFrame:
        try:
            return self._decoder.decode(batches)
        except Exception as error:
            self._note_failure("formats", error)
            if len(batches) == 1:
                return undecoded(batches[0])
            return pl.concat([self._decode([batch]) for batch in batches])

    def _prepared(self, detector: Preparing, name: str, events: pl.DataFrame) -> Inspection | None:
        try:
            return detector.prepare(events)
        except Exception as error:
            self._note_failure(name, error)
            return None

    def _inspect(self, detector: Detector, prepared: Prepared, now: datetime) -> list[Finding]:
        try:
            if detector.name not in prepared.inspections:
                return detector.inspect(prepared.decoded.events, now)
            inspection = prepared.inspections[detector.name]
            return [] if inspection is None else inspection(now)
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


def _state_of(detector: Detector) -> dict[str, bytes]:
    """What changed since it was asked last."""
    state = dict(detector.memory.snapshots()) if isinstance(detector, Remembers) else {}
    if (snapshot := detector.snapshot()) is not None:
        state[detector.name] = snapshot
    return state


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
