"""A source that is quiet for longer than it ever is.

Gaps are learned in event time, by the hours of the day they touch, weekends apart; what is learned fades by the day. Only gaps of
minutes matter, so times are whole minutes. A source is judged by the wall clock, and only while it is live: its records
came when they were written. An import teaches and is never judged. Time in which nobody listened (Vedette stopped, the
machine asleep) is nobody's silence.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from vedette.analysis.keeping import Pieces
from vedette.analysis.stretches import runs_of, usable
from vedette.model.findings import Evidence, Finding
from vedette.model.severity import SeverityFactor

_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceRule:
    """When a source is too quiet: longer than `factor` times its longest gap at these hours, and than `at_least`.

    `learning` and `learning_events` come first. A record read within `live_within` of being written is live. A source
    that does not come back within `forget` is taken to be gone. `fading` is what a longest gap loses a day. Ticks
    that are further apart than `deaf` mean that nobody listened in between.
    """

    id: str = "vedette.silence"
    factor: float = 2.0
    at_least: timedelta = timedelta(minutes=10)
    learning: timedelta = timedelta(days=1)
    learning_events: int = 200
    live_within: timedelta = timedelta(minutes=5)
    deaf: timedelta = timedelta(minutes=5)
    forget: timedelta = timedelta(days=7)
    fading: float = 0.03
    severity: int = 4
    much_longer: float = 10.0
    max_sources: int = 1_000


@dataclass(slots=True)
class _Quiet:
    """A silence that was told; `told` is its length in minutes when it was told last."""

    id: str
    since: float
    found_at: float
    longest: int
    told: int


@dataclass(slots=True)
class _Heard:
    """What is known of a source: event time in minutes, `live` is when a live record was read last, seconds."""

    first: int
    watermark: int
    events: int = 0
    live: float | None = None
    host: str = ""
    gaps: dict[int, list[int]] = field(default_factory=dict)
    quiet: _Quiet | None = None

    def learn(self, minute: int, rule: SilenceRule) -> None:
        """A gap that ends now: it is as long as it is in every hour that it touches.

        A silence that was told is learned with twice what was usual at most, or one failure would hide the next.
        """
        day = minute // _DAY
        gap = float(minute - self.watermark)
        if self.quiet is not None:
            gap = min(gap, max(2 * self.quiet.longest, rule.at_least / _MINUTE))
        for hour in _hours(self.watermark, minute):
            if gap >= self._faded(hour, day, rule.fading):
                self.gaps[hour] = [int(gap), day]

    def longest(self, start: int, end: int, fading: float) -> int:
        """The longest gap that was ever quiet between these minutes' hours; of all where nothing is known of them."""
        day = end // _DAY
        known = [self._faded(hour, day, fading) for hour in _hours(start, end) if hour in self.gaps]
        return math.ceil(max(known, default=max((self._faded(hour, day, fading) for hour in self.gaps), default=1)))

    def _faded(self, hour: int, day: int, fading: float) -> float:
        gap, learned = self.gaps.get(hour, (1, day))
        return gap * (1 - fading) ** max(0, day - learned)


def _hours(start: int, end: int) -> set[int]:
    """The hours of the day between two minutes, both included; those of a weekend are 24 to 47."""
    first, last = start // 60, end // 60
    return {hour % 24 + 24 * _is_weekend(hour // 24) for hour in range(first, min(last, first + 7 * 24) + 1)}


def _is_weekend(day: int) -> bool:
    """Of a day since 1970, which began on a Thursday."""
    return (day + 3) % 7 >= 5


class Silence:
    """The `Detector` of silence. Silence brings no batch, so somebody has to call `tick` about once a minute, in the
    thread of `inspect`. `watched` gives the sources that are read just now: only these can be silent; None is all.
    `memory` is its state, to be kept with every commit. `forgotten` counts sources given up."""

    def __init__(
        self, rule: SilenceRule | None = None, *, watched: Callable[[], Collection[str]] | None = None
    ) -> None:
        self._rule = rule or SilenceRule()
        self._watched = watched
        self._sources: OrderedDict[str, _Heard] = OrderedDict()
        self._listening_since = 0.0
        self._called_at: float | None = None
        self.forgotten = 0
        self.memory = Pieces(self.name, write=self._write, read=self._read)

    @property
    def name(self) -> str:
        return "silence"

    def snapshot(self) -> bytes | None:
        """Nothing: it is all in `memory`."""
        return None

    def restore(self, state: bytes) -> None:
        """Nothing to do: see `memory`."""

    def inspect(self, events: pl.DataFrame, now: datetime) -> list[Finding]:
        """Learn; the silences that ended."""
        self._listen(now)
        events = usable(events)
        if events.is_empty():
            return []
        runs, _ = runs_of(events, _MINUTE)
        self._learn_gaps(runs)
        ended = []
        for source, rows, live, host in self._met(events):
            heard = self._sources[source]
            heard.events += rows
            heard.host = host or heard.host
            if live is not None:
                if heard.quiet is not None and live > heard.quiet.since:
                    ended.append(self._end(source, heard, heard.quiet, live))
                heard.live = max(heard.live or 0.0, live)
            self._sources.move_to_end(source)
            self.memory.changed(source)
        while len(self._sources) > self._rule.max_sources:
            source, _gone = self._sources.popitem(last=False)
            self.memory.changed(source)
            self.forgotten += 1
        return ended

    def tick(self, now: datetime) -> list[Finding]:
        """The silences that began or went on for twice as long."""
        self._listen(now)
        watched = None if self._watched is None else self._watched()
        told = []
        for source, heard in sorted(self._sources.items()):
            if heard.live is None or (watched is not None and source not in watched):
                continue
            if (finding := self._judge(source, heard, now)) is not None:
                told.append(finding)
                self.memory.changed(source)
        return told

    def _listen(self, now: datetime) -> None:
        seconds = now.timestamp()
        if self._called_at is None or seconds - self._called_at > self._rule.deaf.total_seconds():
            self._listening_since = seconds
        self._called_at = seconds

    def _learn_gaps(self, runs: pl.DataFrame) -> None:
        met = runs.group_by("source", "watermark", maintain_order=True).agg()
        for source, minute in met.iter_rows():
            heard = self._sources.get(source)
            if heard is None:
                self._sources[source] = _Heard(minute, minute)
                continue
            if minute - heard.watermark > 1:
                heard.learn(minute, self._rule)
            heard.watermark = max(heard.watermark, minute)

    def _met(self, events: pl.DataFrame) -> list[tuple[str, int, float | None, str | None]]:
        """(source, rows, when its last live record was read, its host) for every source of the batch."""
        read, written = pl.col("event.ingested"), pl.col("@timestamp")
        grouped = events.group_by("vedette.source", maintain_order=True).agg(
            rows=pl.len(),
            live=read.filter((read - written) <= self._rule.live_within).max().dt.epoch("us"),
            host=pl.col("host.name").drop_nulls().last(),
        )
        return [
            (source, rows, None if live is None else live / 1_000_000, host)
            for source, rows, live, host in grouped.iter_rows()
        ]

    def _judge(self, source: str, heard: _Heard, now: datetime) -> Finding | None:
        seconds = now.timestamp()
        since = max(heard.live or 0.0, self._listening_since)
        minutes = int((seconds - since) // 60)
        if (quiet := heard.quiet) is not None:
            if seconds - quiet.since > self._rule.forget.total_seconds():
                heard.quiet, heard.live = None, None
                self.memory.changed(source)
                return None
            length = int((seconds - quiet.since) // 60)
            if length < 2 * quiet.told:
                return None
            quiet.told = length
            return self._finding(source, heard, quiet, length, is_over=False)
        if not self._knows(heard, int(seconds // 86_400)):
            return None
        longest = heard.longest(int(since // 60), int(seconds // 60), self._rule.fading)
        if minutes <= max(longest * self._rule.factor, self._rule.at_least / _MINUTE):
            return None
        heard.quiet = _Quiet(_id(self._rule.id, source, str(int(since))), since, seconds, longest, minutes)
        return self._finding(source, heard, heard.quiet, minutes, is_over=False)

    def _knows(self, heard: _Heard, day: int) -> bool:
        """Whether enough was learned for this day: a weekend has to follow a whole week."""
        learned = (heard.watermark - heard.first) * _MINUTE
        needed = max(self._rule.learning, timedelta(days=7)) if _is_weekend(day) else self._rule.learning
        return learned >= needed and heard.events >= self._rule.learning_events

    def _end(self, source: str, heard: _Heard, quiet: _Quiet, live: float) -> Finding:
        heard.quiet = None
        return self._finding(source, heard, quiet, int((live - quiet.since) // 60), is_over=True)

    def _finding(self, source: str, heard: _Heard, quiet: _Quiet, minutes: int, *, is_over: bool) -> Finding:
        days = max(1, round((heard.watermark - heard.first) / _DAY))
        usual = "never longer than a minute" if quiet.longest < 2 else f"never longer than {_span(quiet.longest)}"
        known = f"{days} days" if days > 1 else "a day"
        since = datetime.fromtimestamp(quiet.since, UTC)
        if is_over:
            title = f"{source} was silent for {_span(minutes)}"
            summary = (
                f"Nothing came from {source} for {_span(minutes)}, until it spoke again. "
                f"In {known} it was quiet {usual} at these hours."
            )
        else:
            title = f"{source} has been silent for {_span(minutes)}"
            summary = (
                f"Nothing has come from {source} for {_span(minutes)}. In {known} it was quiet {usual} at these hours."
            )
        factors = [SeverityFactor("quieter than ever", self._rule.severity)]
        if minutes >= self._rule.much_longer * max(quiet.longest, self._rule.at_least / _MINUTE):
            factors.append(SeverityFactor(f"{self._rule.much_longer:.0f} times as long as ever", 1))
        if is_over:
            factors.append(SeverityFactor("it speaks again", -1))
        entity = {"vedette.source": source} | ({"host.name": heard.host} if heard.host else {})
        return Finding(
            id=quiet.id,
            rule_id=self._rule.id,
            rule_name="A source is silent",
            rule_level="medium",
            title=title,
            summary=summary,
            factors=tuple(factors),
            first_seen=since,
            last_seen=since + minutes * _MINUTE,
            found_at=datetime.fromtimestamp(quiet.found_at, UTC),
            entity=entity,
            evidence=(
                Evidence(
                    clause=f"quiet for more than {self._rule.factor:g} times {_span(quiet.longest)} and than "
                    f"{_span(int(self._rule.at_least / _MINUTE))}",
                    column="vedette.source",
                    value=_span(minutes),
                ),
            ),
            event_ids=(),
            event_count=0,
            category="host",
            actions=(
                "Look whether the machine runs and whether the program that writes the log does (`systemctl status`).",
                "Look whether the file was moved, its rights changed, or its disk is full.",
                "If somebody stopped the log on purpose, find out who: logs are stopped to hide what follows.",
            ),
            tags=("attack.defense_evasion", "attack.t1562.001", "attack.t1562.008"),
            sources=(source,),
            details={"quiet_minutes": minutes, "longest_minutes": quiet.longest, "is_over": int(is_over)},
        )

    def _write(self, source: str) -> bytes:
        heard = self._sources.get(source)
        return b"" if heard is None else json.dumps(asdict(heard), separators=(",", ":")).encode()

    def _read(self, source: str, piece: bytes) -> None:
        state: dict[str, Any] = json.loads(piece)
        gaps = {int(hour): [int(gap), int(day)] for hour, (gap, day) in state.pop("gaps").items()}
        quiet = state.pop("quiet")
        self._sources[source] = _Heard(**state, gaps=gaps, quiet=_Quiet(**quiet) if quiet else None)


def _span(minutes: int) -> str:
    for size, unit in ((_DAY, "days"), (60, "hours")):
        if minutes >= 2 * size:
            return f"{round(minutes / size)} {unit}"
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def _id(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(errors="surrogatepass"), digest_size=8).hexdigest()
