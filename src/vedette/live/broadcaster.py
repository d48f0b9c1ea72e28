"""Tells everyone who listens what was stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final

import polars as pl

from vedette.live.channel import Channel, Filter, ReadAfter
from vedette.live.chunk import ENCODED
from vedette.live.limits import LiveLimits
from vedette.live.protocol import ResumePoint, Stream
from vedette.live.subscription import Subscription
from vedette.model.batches import Committed
from vedette.model.clock import Clock
from vedette.model.errors import QueryError
from vedette.model.events import EVENT_SCHEMA
from vedette.model.findings import Finding
from vedette.model.inline import inline
from vedette.model.query import mask, parse_query
from vedette.model.rows import SEQUENCE, finding_row

FindingsAfter = Callable[[int, int], Sequence[tuple[int, Finding]]]
"""(seq, limit) to the findings with a greater number, in order. Blocks; thread-safe."""

_SEEDED_ROWS: Final = 2_000
_FINDING_COLUMNS: Final[Mapping[str, Callable[[Finding], Any]]] = {
    "@timestamp": lambda finding: finding.last_seen,
    "message": lambda finding: f"{finding.title} {finding.summary}",
    "event.severity": lambda finding: finding.severity,
    "event.category": lambda finding: finding.category or None,
    "vedette.source": lambda finding: finding.sources[0] if finding.sources else None,
}
"""How a finding looks to a query; the columns of its entity come on top."""


class EventBroadcaster:
    """The live streams: events and findings with the store's numbers, status and metrics with their own.

    Belongs to the event loop: `publish` is called there after each commit and never waits. `epoch` and the numbers
    are the store's, so that a client can resume after a restart of the server; what is no longer in memory is
    read through `events_after` and `findings_after`.
    """

    def __init__(
        self,
        *,
        epoch: str,
        next_seq: int,
        next_finding_seq: int,
        events_after: ReadAfter,
        findings_after: FindingsAfter,
        clock: Clock,
        limits: LiveLimits | None = None,
    ) -> None:
        self.epoch = epoch
        self.limits = limits or LiveLimits()
        self._clock = clock
        self._encoders = ThreadPoolExecutor(2, thread_name_prefix="live-encode")
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="live-replay")
        started = int(clock.now().timestamp() * 1_000_000)

        def channel(
            stream: Stream, first: int, read: ReadAfter | None = None, *, every_number_is_a_row: bool = True
        ) -> Channel:
            return Channel(
                stream.value,
                next_seq=first,
                clock=clock,
                limits=self.limits,
                pool=self._encoders,
                read_after=read,
                every_number_is_a_row=every_number_is_a_row,
            )

        self._channels = {
            Stream.EVENTS: channel(Stream.EVENTS, next_seq, events_after),
            Stream.FINDINGS: channel(
                Stream.FINDINGS, next_finding_seq, _findings_reader(findings_after), every_number_is_a_row=False
            ),
            Stream.STATUS: channel(Stream.STATUS, started),
            Stream.METRICS: channel(Stream.METRICS, started),
        }

    def seed(self) -> None:
        """Load the newest stored rows, so that reconnecting clients after a restart do not all ask the store.
        Blocks; call it once before the first `publish`."""
        for stream in (Stream.EVENTS, Stream.FINDINGS):
            self._channels[stream].seed(_SEEDED_ROWS)

    @inline
    def publish(self, committed: Committed) -> None:
        """Tell a commit. Commits come in the order of their numbers."""
        if committed.events.height:
            numbers = pl.int_range(committed.first_seq, committed.next_seq, dtype=pl.Int64, eager=True)
            self._channels[Stream.EVENTS].publish(committed.events.with_columns(numbers.alias(SEQUENCE)))
        if committed.findings:
            numbered = list(enumerate(committed.findings, committed.first_finding_seq))
            self._channels[Stream.FINDINGS].publish(findings_frame(numbered))

    def publish_status(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Tell changes of state: of parts, of sources. Values are JSON values or times."""
        self._publish_rows(Stream.STATUS, rows)

    def publish_metrics(self, row: Mapping[str, Any]) -> None:
        """Tell one measurement of rates and sizes."""
        self._publish_rows(Stream.METRICS, [row])

    def channel(self, stream: Stream) -> Channel:
        return self._channels[stream]

    async def subscribe(
        self, identifier: str, stream: Stream, query: str, *, resume: ResumePoint | None = None, backlog: int = 0
    ) -> Subscription:
        """A subscription that begins behind `resume`, or with the newest rows, or now. Raises QueryError."""
        channel = self._channels[stream]
        wanted = self._filter(stream, query)
        lenient_before = 0
        is_resumed = resume is not None and resume.epoch == self.epoch and channel.knows(resume.seq)
        if resume is not None and is_resumed:
            start = resume.seq + 1
        elif backlog:
            count = min(backlog, self.limits.backlog_rows)
            start, lenient_before = await channel.start_for(wanted, count, self._readers), channel.head
        else:
            start = channel.head
        return Subscription(
            identifier,
            channel,
            wanted,
            start=start,
            is_resumed=is_resumed,
            lenient_before=lenient_before,
            clock=self._clock,
            limits=self.limits,
            store_pool=self._readers,
        )

    def flush(self) -> None:
        """Tell what is held back for the next flush."""
        for channel in self._channels.values():
            channel.flush()

    def close(self) -> None:
        """Release the threads."""
        self._encoders.shutdown(wait=False, cancel_futures=True)
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _filter(self, stream: Stream, query: str) -> Filter:
        if not query.strip():
            return Filter(None, None)
        if stream in (Stream.STATUS, Stream.METRICS):
            raise QueryError(f"The {stream} stream takes no query; leave it empty.", text=query, position=0)
        parsed = parse_query(query, now=self._clock.now())
        return Filter(parsed, mask(parsed))

    def _publish_rows(self, stream: Stream, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        channel = self._channels[stream]
        first = channel.next_free
        texts = [
            json.dumps({**row, "seq": number}, default=_iso, separators=(",", ":"), allow_nan=False)
            for number, row in enumerate(rows, first)
        ]
        numbers = pl.int_range(first, first + len(rows), dtype=pl.Int64, eager=True)
        channel.publish(pl.DataFrame({SEQUENCE: numbers, ENCODED: texts}))


def findings_frame(numbered: Sequence[tuple[int, Finding]]) -> pl.DataFrame:
    """Findings as rows that a query can be asked of, each encoded already."""
    columns: dict[str, list[Any]] = {name: [] for name in EVENT_SCHEMA}
    for _, finding in numbered:
        looks = {name: look(finding) for name, look in _FINDING_COLUMNS.items()} | _entity(finding)
        for name, values in columns.items():
            values.append(looks.get(name))
    texts = [json.dumps({**finding_row(finding), "seq": number}, separators=(",", ":")) for number, finding in numbered]
    return pl.DataFrame(columns, schema=EVENT_SCHEMA, strict=False).with_columns(
        pl.Series(SEQUENCE, [number for number, _ in numbered], dtype=pl.Int64),
        pl.Series(ENCODED, texts, dtype=pl.String),
    )


def _entity(finding: Finding) -> dict[str, str]:
    return {name: value for name, value in finding.entity.items() if EVENT_SCHEMA.get(name) == pl.String}


def _findings_reader(findings_after: FindingsAfter) -> ReadAfter:
    def read(seq: int, until: int, limit: int) -> pl.DataFrame:
        numbered = [(number, finding) for number, finding in findings_after(seq, limit) if number < until]
        return findings_frame(numbered)

    return read


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"{value!r} cannot be told as JSON")
