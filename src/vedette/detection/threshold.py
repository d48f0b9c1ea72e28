"""Brute force: many failed logins from one address.

What it means, row by row in order of arrival: a failure belongs to the address's current episode when it is
no more than `window` later and `lateness` earlier than the failure before it; otherwise to another known episode
that reaches so far; otherwise it begins one. When the last `threshold` attempts of an episode lie within `window`,
it becomes a siege: a finding, which every further attempt of the episode lets grow. A success while the siege is
on belongs to it.

One attempt may leave several lines (sshd: "Invalid user", PAM's failure, "Failed password"). Lines of one process
with different actions are taken as one attempt, the same action again as the next one. A line that stands for
several ("message repeated 3 times", `fields.repeated`) counts as so many.

The rows are grouped in columns; Python handles runs of rows of one address, row by row only before a siege.
"""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, NamedTuple

import polars as pl
import structlog

from vedette.detection.episodes import Attempt, Episode, Success
from vedette.detection.rule import FailureThresholdRule
from vedette.detection.wording import finding_of
from vedette.model.events import event_id
from vedette.model.findings import Finding

log = structlog.get_logger(__name__)

_STATE_VERSION: Final = 1
_MICROSECOND: Final = timedelta(microseconds=1)
_MAX_SUCCESSES: Final = 3
_MAX_EPISODES_PER_ADDRESS: Final = 16
_MAX_REPEATED: Final = 1_000
_SMALL_BATCH: Final = 4_096

_ADDRESS: Final = pl.coalesce("source.ip", "source.address")
_LOGIN: Final = (
    (pl.col("event.category") == "authentication")
    & pl.col("event.outcome").is_in(["failure", "success"])
    & _ADDRESS.is_not_null()
    & pl.col("@timestamp").is_not_null()
)
_COLUMNS: Final = (
    _ADDRESS.alias("address"),
    (pl.col("event.outcome") == "failure").alias("failed"),
    pl.col("@timestamp").cast(pl.Int64).alias("time"),
    pl.col("vedette.generation").fill_null(0).alias("generation"),
    pl.col("log.offset").fill_null(0).alias("offset"),
    pl.col("user.name").alias("user"),
    pl.col("host.name").alias("host"),
    pl.col("vedette.source").alias("source"),
    pl.col("process.pid").alias("pid"),
    pl.col("event.action").fill_null("").alias("action"),
    pl.col("event.original").fill_null("").alias("text"),
    pl.col("fields").str.extract(r'"repeated": ?"?(\d+)').cast(pl.Int64, strict=False).alias("repeated"),
)


class FailureThreshold:
    """The `Detector` of brute force. Findings do not depend on how the stream is cut, as long as no bound is
    reached; what the bounds cost is counted in `evicted`."""

    def __init__(self, rule: FailureThresholdRule | None = None) -> None:
        self._rule = rule or FailureThresholdRule()
        self._window = self._rule.window // _MICROSECOND
        self._lateness = self._rule.lateness // _MICROSECOND
        self._addresses: OrderedDict[str, list[Episode]] = OrderedDict()
        self._logins: dict[str, int] = {}
        self._newest = 0
        self._changed = False
        self.evicted = 0

    @property
    def name(self) -> str:
        return self._rule.id

    def inspect(self, events: pl.DataFrame, now: datetime) -> list[Finding]:
        rows = self._relevant(events)
        if rows.is_empty():
            return []
        self._changed = True
        wall = int(now.timestamp() * 1_000_000)
        grown: dict[str, tuple[str, Episode]] = {}
        rows = _number_runs(self._count_attempts(rows), self._window, self._lateness)
        table = _Table(rows)
        for address, run in _runs(rows):
            for episode in self._take(address, run, table, wall):
                if episode.siege is not None:
                    grown[episode.siege.id] = (address, episode)
        self._forget(rows, wall)
        return [
            finding_of(self._rule, address, episode.siege)
            for address, episode in grown.values()
            if episode.siege is not None
        ]

    def snapshot(self) -> bytes | None:
        if not self._changed:
            return None
        self._changed = False
        state = {
            "version": _STATE_VERSION,
            "newest": self._newest,
            "logins": self._logins,
            "addresses": {
                address: [episode.to_json() for episode in episodes] for address, episodes in self._addresses.items()
            },
        }
        return zlib.compress(json.dumps(state, separators=(",", ":")).encode(), level=1)

    def restore(self, state: bytes) -> None:
        self._addresses.clear()
        self._logins.clear()
        self._newest = 0
        self._changed = False
        if not state:
            return
        try:
            self._load(json.loads(zlib.decompress(state)))
        except (zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
            self._addresses.clear()
            self._logins.clear()
            log.warning("detector_state_unreadable", detector=self.name, reason=str(error))

    def _load(self, state: dict[str, Any]) -> None:
        if state["version"] != _STATE_VERSION:
            raise ValueError(f"version {state['version']}")
        logins = {str(key): int(count) for key, count in state["logins"].items()}
        addresses = {
            str(address): [Episode.from_json(one) for one in episodes]
            for address, episodes in state["addresses"].items()
        }
        self._newest = int(state["newest"])
        self._logins.update(logins)
        self._addresses.update(addresses)

    def _relevant(self, events: pl.DataFrame) -> pl.DataFrame:
        """Failures, and the successes of addresses that failed."""
        rows = events.filter(_LOGIN).select(_COLUMNS)
        if rows.is_empty():
            return rows
        failing = rows.filter("failed").get_column("address").unique().to_list()
        return rows.filter(pl.col("failed") | pl.col("address").is_in([*failing, *self._addresses]))

    def _count_attempts(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Add `attempts`: how many attempts a row tells of first.

        A login is known by address, host, process and the stretch of time it falls in (pids come round again).
        Within it, the n-th line of an action opens the n-th attempt unless another action already has.
        """
        stretch, host = pl.col("time") // self._window, pl.col("host").fill_null("")
        rows = rows.with_columns(
            login=pl.when("failed").then(pl.concat_str(stretch, "pid", host, "address", separator="\t")),
        ).with_columns(step=pl.concat_str("login", "action", separator="\t"))
        known = pl.DataFrame(
            {"step": list(self._logins), "before": list(self._logins.values())},
            schema={"step": pl.String, "before": pl.Int64},
        )
        most = (
            known.group_by(login=pl.col("step").str.replace(r"\t[^\t]*$", ""))
            .agg(pl.col("before").max())
            .rename({"before": "most"})
        )
        lines = pl.col("repeated").fill_null(1).clip(1, _MAX_REPEATED)
        rank = lines.cum_sum().over("step") + pl.col("before").fill_null(0)
        rows = (
            rows.join(known, on="step", how="left", maintain_order="left")
            .join(most, on="login", how="left", maintain_order="left")
            .with_columns(rank=pl.when(pl.col("login").is_not_null()).then(rank))
        )
        self._remember_logins(rows)
        highest = pl.max_horizontal(
            pl.col("rank").cum_max().shift(1).over("login").fill_null(0), pl.col("most").fill_null(0)
        )
        first_told = pl.when(pl.col("pid").is_null()).then(lines).otherwise(pl.col("rank") - highest)
        return rows.with_columns(attempts=pl.when("failed").then(first_told.clip(0)).otherwise(0))

    def _remember_logins(self, rows: pl.DataFrame) -> None:
        ranked = rows.filter(pl.col("rank").is_not_null())
        for step, rank in ranked.group_by("step", maintain_order=True).agg(pl.col("rank").max()).iter_rows():
            self._logins.pop(step, None)
            self._logins[step] = rank

    def _take(self, address: str, run: _Run, table: _Table, wall: int) -> Iterator[Episode]:
        """Put a run into its episodes; yield those with a siege that it touched."""
        if not run.is_failure:
            yield from self._add_successes(address, table.rows(run.rows))
            return
        episode = self._find(address, run.first) or self._begin(address, run.first)
        episode.widen(run.low, run.high, run.last)
        episode.touched = wall
        episodes = self._addresses[address]
        if episodes[-1] is not episode:
            episodes.remove(episode)
            episodes.append(episode)
        self._addresses.move_to_end(address)
        rest = self._wait_for_siege(address, episode, run, table, wall) if episode.siege is None else run
        if rest is not None:
            self._add_failures(episode, rest, table)
        if episode.siege is not None:
            yield episode

    def _find(self, address: str, time: int) -> Episode | None:
        """The episode a record at `time` belongs to, most recently touched first."""
        episodes = self._addresses.get(address, ())
        for episode in reversed(episodes):
            if -self._lateness <= time - episode.previous <= self._window:
                return episode
        for episode in reversed(episodes):
            if episode.siege and episode.low - self._window <= time <= episode.high + self._window:
                return episode
        return None

    def _begin(self, address: str, time: int) -> Episode:
        episode = Episode(low=time, high=time, previous=time, touched=0)
        episodes = self._addresses.setdefault(address, [])
        episodes.append(episode)
        if len(episodes) > _MAX_EPISODES_PER_ADDRESS:
            del episodes[0]
            self.evicted += 1
        return episode

    def _wait_for_siege(self, address: str, episode: Episode, run: _Run, table: _Table, wall: int) -> _Run | None:
        """Go row by row, but only until the threshold is reached; what is left then."""
        for place, number in enumerate(run.rows):
            row = table.row(number)
            if row.attempts <= 0:
                continue
            attempt = Attempt(row.time, row.generation, row.offset, row.user, row.host, row.source)
            used = episode.add_attempts(attempt, row.attempts, self._rule, address, wall)
            if episode.siege is not None:
                episode.siege.count += row.attempts - used
                self._add_samples(episode, [row])
                return table.run_of(run.rows[place + 1 :])
        return None

    def _add_failures(self, episode: Episode, run: _Run, table: _Table) -> None:
        siege = episode.siege
        if siege is None:
            return
        siege.users.add(run.users)
        siege.hosts.add(run.hosts)
        siege.sources.add(run.sources)
        if run.attempt_low is None or run.attempt_high is None:
            return
        siege.count += run.attempts
        siege.start = min(siege.start, run.attempt_low)
        siege.last = max(siege.last, run.attempt_high)
        wanted = self._rule.max_event_ids - len(siege.event_ids)
        if wanted > 0 or len(siege.samples) < self._rule.max_samples:
            first = islice(
                (row for row in table.rows(run.rows) if row.attempts > 0), max(wanted, self._rule.max_samples)
            )
            attempts = list(first)
            siege.event_ids.extend(event_id(row.generation, row.offset) for row in attempts[: max(0, wanted)])
            self._add_samples(episode, attempts)

    def _add_samples(self, episode: Episode, attempts: Sequence[_Row]) -> None:
        if episode.siege is None:
            return
        wanted = self._rule.max_samples - len(episode.siege.samples)
        for row in attempts[: max(0, wanted)]:
            sample = event_id(row.generation, row.offset), row.text[: self._rule.max_text]
            episode.siege.samples.append(sample)

    def _add_successes(self, address: str, successes: Iterator[_Row]) -> Iterator[Episode]:
        for row in successes:
            episode = self._find(address, row.time)
            if episode is None or episode.siege is None:
                continue
            siege = episode.siege
            siege.success_count += 1
            if len(siege.successes) < _MAX_SUCCESSES:
                identifier = event_id(row.generation, row.offset)
                siege.successes.append(Success(row.time, identifier, row.user or "", row.text[: self._rule.max_text]))
            yield episode

    def _forget(self, rows: pl.DataFrame, wall: int) -> None:
        """Drop what can no longer matter, then, counted, what is too much."""
        reach = self._window + self._lateness
        self._newest = max(self._newest, min(_int(rows.get_column("time").max()), wall + reach))
        horizon = self._newest - reach
        for address, episodes in list(self._addresses.items()):
            if episodes[-1].touched < wall - reach:
                kept = [one for one in episodes if one.high >= horizon]
                if kept:
                    self._addresses[address] = kept
                else:
                    del self._addresses[address]
            else:
                break
        surplus = sum(map(len, self._addresses.values())) - self._rule.max_episodes
        while surplus > 0:
            _, gone = self._addresses.popitem(last=False)
            surplus -= len(gone)
            self.evicted += len(gone)
        self._forget_logins(horizon // self._window)

    def _forget_logins(self, oldest_stretch: int) -> None:
        if len(self._logins) > self._rule.max_logins_in_progress // 2:
            self._logins = {
                step: rank for step, rank in self._logins.items() if int(step.partition("\t")[0]) >= oldest_stretch
            }
        surplus = len(self._logins) - self._rule.max_logins_in_progress
        for step in list(self._logins)[: max(0, surplus)]:
            del self._logins[step]
            self.evicted += 1


class _Run(NamedTuple):
    """A stretch of rows of one address that share an episode for certain, summed up.

    It is all failures or all successes, and no failure in it jumps in time. `rows` are row numbers of the frame.
    """

    is_failure: bool
    rows: list[int]
    first: int
    last: int
    low: int
    high: int
    attempts: int
    attempt_low: int | None
    attempt_high: int | None
    users: list[str]
    hosts: list[str]
    sources: list[str]


class _Row(NamedTuple):
    """What is asked of a single row."""

    time: int
    generation: int
    offset: int
    user: str | None
    host: str | None
    source: str | None
    text: str
    attempts: int


class _Table:
    """The rows of a batch by number. Fetched one by one from a large one, of which few are asked for singly; all at once
    from a small one, where that is cheaper than asking."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self._frame = rows
        self._columns = rows.select(_Row._fields)
        is_small = rows.height <= _SMALL_BATCH
        self._all = [_Row(*row) for row in self._columns.iter_rows()] if is_small else None

    def row(self, number: int) -> _Row:
        return self._all[number] if self._all is not None else _Row(*self._columns.row(number))

    def rows(self, numbers: Sequence[int]) -> Iterator[_Row]:
        return (self.row(number) for number in numbers)

    def run_of(self, numbers: Sequence[int]) -> _Run | None:
        """The failures with these numbers, summed up; None when there are none."""
        if not numbers:
            return None
        return next((run for _, run in _runs(self._frame[numbers])), None)


def _number_runs(rows: pl.DataFrame, window: int, lateness: int) -> pl.DataFrame:
    gap = pl.col("time") - pl.col("time").shift(1).over("address")
    is_other_kind = pl.col("failed").ne_missing(pl.col("failed").shift(1).over("address"))
    is_new = is_other_kind | (pl.col("failed") & ~gap.is_between(-lateness, window))
    return rows.with_columns(run=is_new.cum_sum().over("address")).with_row_index("row")


def _runs(rows: pl.DataFrame) -> Iterator[tuple[str, _Run]]:
    """With their addresses; those of one address in order."""
    time, attempts = pl.col("time"), pl.col("attempts")
    runs = rows.group_by("address", "run", maintain_order=True).agg(
        pl.col("failed").first(),
        pl.col("row"),
        time.first().alias("first"),
        time.last().alias("last"),
        time.min().alias("low"),
        time.max().alias("high"),
        attempts.sum(),
        time.filter(attempts > 0).min().alias("attempt_low"),
        time.filter(attempts > 0).max().alias("attempt_high"),
        *(pl.col(name).drop_nulls().unique(maintain_order=True) for name in ("user", "host", "source")),
    )
    for address, _, *run in runs.iter_rows():
        yield address, _Run(*run)


def _int(value: Any) -> int:
    """Polars types the minimum of any column as any value."""
    return int(value)
