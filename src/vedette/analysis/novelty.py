"""What was never there before: a user, a login, an address, a program, a kind of message on a source that is known.

What is known is kept by source and kind of value. Two things keep it from speaking too early and too often, both in
event time, so that an import of history learns like a live source does:

- A file of a source (digits in its path do not count, so that rotation changes nothing) has to be watched for
  `learning` and `learning_events` before its rows may be called new.
- A kind speaks only while new values are rare: at most `max_new_per_day` in the last 24 finished hours. The addresses
  of a public web site never are; the users of a server soon are.

What comes with a new host or a new program is new with it and not worth a word of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from vedette.analysis.keeping import Pieces
from vedette.analysis.stretches import runs_of, usable
from vedette.model.events import event_id
from vedette.model.findings import Evidence, Finding
from vedette.model.severity import SeverityFactor

_HOUR: Final = timedelta(hours=1)
_NEVER: Final = 1 << 62
_SHARDS: Final = 8
_DAYS_UNTIL_NOTED: Final = 7
"""How exactly it is known when a value was last met: enough to forget the oldest, and seldom to be written."""
_MAX_KEY: Final = 200
_DIGITS: Final = re.compile(r"\d+")
_PRIVILEGED: Final = re.compile(
    r"(?:.*\\)?(?:root|toor|sa|sys|system|admin\w*|sysadmin|superuser|wheel|postgres|oracle)(?:@.*)?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoveltyRule:
    """When novelty speaks, and its bounds.

    What is older than `reach` when it is read is history: learned, not told. `max_values` are kept by source and kind,
    those met longest ago are forgotten first; `max_per_hour` new values of a source and kind become part of findings.
    """

    id: str = "vedette.novelty"
    learning: timedelta = timedelta(days=1)
    learning_events: int = 2_000
    reach: timedelta = timedelta(days=30)
    max_new_per_day: int = 5
    max_per_hour: int = 50
    max_values: int = 2_048
    max_all_values: int = 200_000
    max_sources: int = 128
    max_files: int = 64
    max_shown: int = 20
    max_text: int = 400


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: which rows have one (None: all where it is not null), what it is, and the words for it.

    `sentence` may name {value}, {user}, {host}, {source} and {time}.
    """

    name: str
    plural: str
    column: str
    value: pl.Expr
    condition: pl.Expr | None
    needs: str
    title: str
    sentence: str
    severity: int
    category: str = ""
    tags: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()


_IS_LOGIN: Final = (pl.col("event.category") == "authentication") & (pl.col("event.outcome") == "success")
_DID_NOT_FAIL: Final = pl.col("event.outcome").ne_missing("failure")
_USER: Final = pl.col("user.name")
_PROGRAM: Final = pl.coalesce(
    "process.executable", pl.col("process.command_line").str.extract(r'^\s*"?([^\s"]+)')
).str.extract(r"([^/\\]+)$")
_HAS_PROGRAM: Final = pl.col("process.executable").is_not_null() | pl.col("process.command_line").is_not_null()
_LOGIN: Final = pl.concat_str(_USER, pl.lit(" on "), pl.col("host.name").fill_null("?"))
_VALID_ACCOUNTS: Final = ("attack.initial_access", "attack.t1078")

KINDS: Final = (
    Kind("host", "hosts", "host.name", pl.col("host.name"), None, "host.name",
         "{value} writes to {source} for the first time",
         "{value} has never written to {source} in {time}.", 2, "host"),
    Kind("process", "programs", "process.name", pl.col("process.name"), None, "process.name",
         "{value} writes on {host} for the first time",
         "No message of {value} has ever come from {source} in {time}.", 2, "process"),
    Kind("login", "logins", "user.name", _LOGIN,
         _IS_LOGIN, "user.name",
         "{user} logged in on {host} for the first time",
         "{user} has never logged in on {host} in {time}.", 3, "authentication", _VALID_ACCOUNTS,
         ("Ask the account's owner whether this login was theirs; if not, lock the account and end its sessions.",
          "Look at what the account did since, and from where it came.")),
    Kind("login-from", "origins of logins", "source.ip",
         pl.concat_str(_USER, pl.lit(" from "), pl.coalesce("source.ip", "source.address")), _IS_LOGIN, "user.name",
         "{value}: a login from a new place",
         "A login as {value} has never been seen on {source} in {time}.", 3, "authentication", _VALID_ACCOUNTS,
         ("Ask the account's owner whether they work from this address; if not, lock the account.",)),
    Kind("user", "users", "user.name", _USER, _DID_NOT_FAIL, "user.name",
         "{value} is named on {source} for the first time",
         "The user {value} has never been named on {source} in {time}.", 2, "iam", (),
         ("Find out whether somebody created this account on purpose.",)),
    Kind("command", "commands", "process.command_line",
         pl.concat_str(_USER.fill_null("?"), pl.lit(" runs "), _PROGRAM), _HAS_PROGRAM, "",
         "{value} for the first time",
         "{value}: that has never been seen on {source} in {time}.", 3, "process", ("attack.execution", "attack.t1059"),
         ("Look at the whole command line and at who started it; ask that person whether they meant it.",)),
    Kind("address", "addresses", "source.ip", pl.coalesce("source.ip", "source.address"), _DID_NOT_FAIL, "",
         "{value} appears on {source} for the first time",
         "The address {value} has never appeared on {source} in {time}.", 2, "network"),
    Kind("template", "kinds of message", "template.id", pl.col("template.id"), None, "template.id",
         "A message of {host} that was never seen before",
         "A message of this kind has never come from {source} in {time}.", 2),
)  # fmt: skip
"""In this order: what is new with a host or a program has to know that these are new."""

_SAID_BY_LOGINS: Final = frozenset({"user", "address", "template"})


@dataclass(slots=True)
class _File:
    """How long a file is watched. `before` counts the rows before `hour`; it may speak from the hour `mature`."""

    first: int
    hour: int
    before: int = 0
    current: int = 0
    mature: int | None = None

    def add(self, hour: int, rows: int, rule: NoveltyRule) -> None:
        if hour > self.hour:
            self.before += self.current
            self.current, self.hour = 0, hour
            is_long = (hour - self.first) * _HOUR >= rule.learning
            if self.mature is None and is_long and self.before >= rule.learning_events:
                self.mature = hour
        self.current += rows


@dataclass(slots=True)
class _Shelf:
    """The known values of a kind: the hour each came, the day it was last met (to a week), the piece it is kept in; and
    how many were new by hour."""

    values: dict[str, list[int]] = field(default_factory=dict)
    new: dict[int, int] = field(default_factory=dict)

    def is_rare(self, hour: int, limit: int) -> bool:
        return sum(count for each, count in self.new.items() if hour - 24 <= each < hour) <= limit

    def note_new(self, hour: int) -> int:
        """How many are new in this hour with it."""
        self.new[hour] = self.new.get(hour, 0) + 1
        if len(self.new) > 48:
            self.new = {each: count for each, count in self.new.items() if each >= hour - 24}
        return self.new[hour]


@dataclass(slots=True)
class _News:
    """The new values of a source, kind and day: what a finding is made of."""

    day: int
    found_at: float
    first: int
    last: int
    known_for: int
    count: int = 0
    severity: int = 0
    privileged: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class _Watched:
    """All that is known of a source; times are hours since 1970."""

    first: int
    watermark: int
    files: OrderedDict[str, _File] = field(default_factory=OrderedDict)
    shelves: dict[str, _Shelf] = field(default_factory=dict)
    news: dict[str, _News] = field(default_factory=dict)


class Novelty:
    """The `Detector` of first times. `memory` is its state, to be kept with every commit.

    `is_same` may be asked whether a template is another name of known ones (templates are merged as they are learned).
    Findings do not depend on how the stream is cut as long as no bound is reached; `forgotten` counts values and
    sources given up, `capped` new values beyond the limit of an hour.
    """

    def __init__(
        self, rule: NoveltyRule | None = None, *, aliases: Callable[[str], Iterable[str]] | None = None
    ) -> None:
        self._rule = rule or NoveltyRule()
        self._aliases = aliases
        self._sources: OrderedDict[str, _Watched] = OrderedDict()
        self._size = 0
        self.forgotten = 0
        self.capped = 0
        self.memory = Pieces(self.name, write=self._write, read=self._read)

    @property
    def name(self) -> str:
        return "novelty"

    def snapshot(self) -> bytes | None:
        """Nothing: it is all in `memory`."""
        return None

    def restore(self, state: bytes) -> None:
        """Nothing to do: see `memory`."""

    def inspect(self, events: pl.DataFrame, now: datetime) -> list[Finding]:
        events = usable(events)
        if events.is_empty():
            return []
        runs, run_of_row = runs_of(events, _HOUR, "log.file.path")
        runs = self._meet(runs)
        grown: dict[tuple[str, str, int], _News] = {}
        rows = _Rows(events, runs, run_of_row)
        for kind in KINDS:
            for source, values in rows.new_values(kind, self._known):
                for news in self._take(kind, source, values, rows, now):
                    grown[source, kind.name, news.day] = news
        self._forget()
        return [_finding(self._rule, source, name, news) for (source, name, _), news in grown.items()]

    def _meet(self, runs: pl.DataFrame) -> pl.DataFrame:
        """The runs with the true watermark; what they tell of their files is noted."""
        met = pl.DataFrame(
            {"source": list(self._sources), "before": [one.watermark for one in self._sources.values()]},
            schema={"source": pl.String, "before": pl.Int64},
        )
        runs = runs.join(met, on="source", how="left", maintain_order="left").select(
            "source",
            pl.col("log.file.path").fill_null(""),
            "rows",
            hour=pl.max_horizontal("watermark", "before"),
        )
        for (source, path, hour), rows in _summed(runs):
            watched = self._sources.get(source)
            if watched is None:
                watched = self._sources[source] = _Watched(first=hour, watermark=hour)
            watched.watermark = max(watched.watermark, hour)
            masked = _DIGITS.sub("#", path)
            watched.files.setdefault(masked, _File(hour, hour)).add(hour, rows, self._rule)
            watched.files.move_to_end(masked)
            self._sources.move_to_end(source)
            self.memory.changed(f"{source}/head")
        return runs

    def _known(self, source: str, kind: Kind) -> dict[str, list[int]]:
        return self._shelf(source, kind).values

    def _shelf(self, source: str, kind: Kind) -> _Shelf:
        return self._sources[source].shelves.setdefault(kind.name, _Shelf())

    def _take(
        self, kind: Kind, source: str, values: Sequence[tuple[str, int]], rows: _Rows, now: datetime
    ) -> list[_News]:
        """Learn values with the hours they came in; what grew because they are worth a word."""
        watched, shelf = self._sources[source], self._shelf(source, kind)
        worth: dict[str, int] = {}
        rare_hour, is_rare = -1, False
        speaks_from = min((one.mature for one in watched.files.values() if one.mature is not None), default=_NEVER)
        history = (now - self._rule.reach).timestamp() // 3_600
        for value, hour in sorted(values, key=lambda pair: pair[1]):
            day = hour // 24
            if (entry := shelf.values.get(value)) is not None:
                if _is_long_ago(entry, day):
                    entry[1] = day
                    self.memory.changed(f"{source}/{kind.name}/{entry[2]}")
                continue
            if hour != rare_hour:
                rare_hour, is_rare = hour, shelf.is_rare(hour, self._rule.max_new_per_day)
            may_speak = is_rare and hour >= speaks_from and hour >= history and self._is_new(kind, value, shelf)
            number = shelf.note_new(hour)
            shard = zlib.crc32(value.encode(errors="surrogatepass")) % _SHARDS
            shelf.values[value] = [hour, day, shard]
            self._size += 1
            self.memory.changed(f"{source}/{kind.name}/{shard}")
            if not may_speak:
                continue
            if number > self._rule.max_per_hour:
                self.capped += 1
            else:
                worth[value] = hour
        if not worth:
            return []
        return self._tell(kind, source, rows.first_rows(kind, source, list(worth)), worth, now)

    def _is_new(self, kind: Kind, value: str, shelf: _Shelf) -> bool:
        if kind.name != "template" or self._aliases is None:
            return True
        return not any(alias in shelf.values for alias in self._aliases(value))

    def _tell(
        self, kind: Kind, source: str, rows: Sequence[dict[str, Any]], hours: dict[str, int], now: datetime
    ) -> list[_News]:
        watched = self._sources[source]
        told: list[_News] = []
        for row in sorted(rows, key=lambda one: hours[one["value"]]):
            hour = hours[row["value"]]
            if not self._is_settled(watched, kind, row, hour):
                continue
            news = watched.news.get(kind.name)
            if news is None or news.day < hour // 24:
                news = _News(hour // 24, now.timestamp(), row["time"], row["time"], hour - watched.first)
                watched.news[kind.name] = news
            _add(news, kind, row, self._rule)
            self.memory.changed(f"{source}/news")
            told.append(news)
        return told

    def _is_settled(self, watched: _Watched, kind: Kind, row: dict[str, Any], hour: int) -> bool:
        """Whether the row's file, host and program are known for long enough, and no other kind says the same."""
        file = watched.files.get(_DIGITS.sub("#", row["path"] or ""))
        if file is None or file.mature is None or hour < file.mature:
            return False
        if row["is_login"] and kind.name in _SAID_BY_LOGINS:
            return False
        owners = {} if kind.name == "host" else {"host": row["host"]}
        if kind.name == "template":
            owners["process"] = row["process"]
        if kind.name == "login-from":
            owners["login"] = row["login"]
        for name, value in owners.items():
            shelf = watched.shelves.get(name)
            entry = shelf.values.get(_key(value)) if shelf and value else None
            if entry is not None and (hour - entry[0]) * _HOUR < self._rule.learning:
                return False
        return True

    def _forget(self) -> None:
        for source, watched in self._sources.items():
            while len(watched.files) > self._rule.max_files:
                watched.files.popitem(last=False)
                self.forgotten += 1
            for name, shelf in watched.shelves.items():
                if len(shelf.values) > self._rule.max_values:
                    self._thin(source, name, shelf, self._rule.max_values * 7 // 8)
        while len(self._sources) > self._rule.max_sources:
            source, watched = self._sources.popitem(last=False)
            self.forgotten += 1
            self._size -= sum(len(shelf.values) for shelf in watched.shelves.values())
            for key in ("head", "news", *(f"{name}/{n}" for name in watched.shelves for n in range(_SHARDS))):
                self.memory.changed(f"{source}/{key}")
        while self._size > self._rule.max_all_values:
            shelves = ((s, name, shelf) for s, one in self._sources.items() for name, shelf in one.shelves.items())
            source, name, shelf = max(shelves, key=lambda one: len(one[2].values))
            self._thin(source, name, shelf, len(shelf.values) // 2)

    def _thin(self, source: str, kind: str, shelf: _Shelf, kept: int) -> None:
        oldest = sorted(shelf.values.items(), key=lambda item: item[1][1])[: len(shelf.values) - kept]
        for value, entry in oldest:
            del shelf.values[value]
            self.memory.changed(f"{source}/{kind}/{entry[2]}")
        self.forgotten += len(oldest)
        self._size -= len(oldest)

    def _write(self, key: str) -> bytes:
        parts = key.rsplit("/", 2)
        if parts[-1] in {"head", "news"}:
            source, what = key.rsplit("/", 1)
            watched = self._sources.get(source)
            if watched is None:
                return b""
            return _json(_head(watched) if what == "head" else {k: asdict(one) for k, one in watched.news.items()})
        source, kind, shard = parts
        watched = self._sources.get(source)
        if watched is None:
            return b""
        values = watched.shelves.get(kind, _Shelf()).values
        number = int(shard)
        return _json({value: entry[:2] for value, entry in values.items() if entry[2] == number})

    def _read(self, key: str, piece: bytes) -> None:
        state = json.loads(piece)
        parts = key.rsplit("/", 2)
        if parts[-1] in {"head", "news"}:
            source, what = key.rsplit("/", 1)
            watched = self._sources.setdefault(source, _Watched(0, 0))
            if what == "news":
                watched.news = {name: _News(**one) for name, one in state.items()}
                return
            watched.first, watched.watermark = state["first"], state["watermark"]
            watched.files = OrderedDict((path, _File(*numbers)) for path, numbers in state["files"])
            for name, new in state["new"].items():
                watched.shelves.setdefault(name, _Shelf()).new = {int(hour): count for hour, count in new.items()}
            return
        source, kind, shard = parts
        values = {str(value): [int(first), int(last), int(shard)] for value, (first, last) in state.items()}
        self._sources.setdefault(source, _Watched(0, 0)).shelves.setdefault(kind, _Shelf()).values.update(values)
        self._size += len(values)


class _Rows:
    """The rows of a batch with the source and the hour of their runs."""

    def __init__(self, events: pl.DataFrame, runs: pl.DataFrame, run_of_row: pl.Series) -> None:
        self._events = events
        self._runs = runs
        self._run_of_row = run_of_row.alias("run")
        self._sources = runs["source"].to_list()
        self._hours = runs["hour"].to_list()
        self._is_one_source = runs["source"].n_unique() == 1

    def new_values(
        self, kind: Kind, known: Callable[[str, Kind], dict[str, list[int]]]
    ) -> list[tuple[str, list[tuple[str, int]]]]:
        """By source the values that are not known or not known today, each with the hour it first comes in."""
        if kind.needs and self._events[kind.needs].null_count() == self._events.height:
            return []
        if self._is_one_source and self._are_known(kind, known(self._sources[0], kind)):
            return []
        met = self._distinct(kind)
        found: dict[str, list[tuple[str, int]]] = {}
        by_source: dict[str, dict[str, list[int]]] = {}
        for value, run in zip(met["value"].to_list(), met["run"].to_list(), strict=True):
            source, hour = self._sources[run], self._hours[run]
            values = by_source.get(source)
            if values is None:
                values = by_source[source] = known(source, kind)
            key = _key(value)
            entry = values.get(key)
            if entry is None or _is_long_ago(entry, hour // 24):
                found.setdefault(source, []).append((key, hour))
        return list(found.items())

    def _are_known(self, kind: Kind, values: Mapping[str, list[int]]) -> bool:
        """Whether nothing is to be learned: what it mostly is, and quicker to see than where each value comes first."""
        today = max(self._hours) // 24
        met = self._of(kind)["value"].unique().to_list()
        entries = (values.get(_key(value)) for value in met)
        return all(entry is not None and not _is_long_ago(entry, today) for entry in entries)

    def _of(self, kind: Kind, *columns: str) -> pl.DataFrame:
        """`value` and these columns (`run` is one) where the kind has a value. Values are made for these rows only."""
        wanted = list(dict.fromkeys([*kind.value.meta.root_names(), *columns]))
        told = [self._run_of_row if name == "run" else pl.col(name) for name in wanted]
        if kind.condition is None:
            rows = self._events.select(told)
        else:
            rows = self._events.select(*told, holds=kind.condition).filter("holds")
        rows = rows.select(kind.value.alias("value"), *columns)
        return rows.filter(pl.col("value").is_not_null()) if rows["value"].null_count() else rows

    def _distinct(self, kind: Kind) -> pl.DataFrame:
        """The values with the first run of their source that has them."""
        if self._is_one_source:
            return self._of(kind, "run").unique("value", keep="first", maintain_order=True)
        return self._of(kind, "run", "vedette.source").unique(
            ["value", "vedette.source"], keep="first", maintain_order=True
        )

    def first_rows(self, kind: Kind, source: str, values: Sequence[str]) -> list[dict[str, Any]]:
        """The first row of each of the values, as a finding tells of it."""
        rows = self._events.filter(pl.col("vedette.source") == source)
        if kind.condition is not None:
            rows = rows.filter(kind.condition)
        wanted = rows.with_columns(kind.value.alias("value")).filter(
            pl.col("value").str.slice(0, _MAX_KEY).is_in(list(values))
        )
        return (
            wanted.unique("value", keep="first", maintain_order=True)
            .select(
                pl.col("value").str.slice(0, _MAX_KEY),
                time=pl.col("@timestamp").to_physical(),
                generation=pl.col("vedette.generation").fill_null(0),
                offset=pl.col("log.offset").fill_null(0),
                path=pl.col("log.file.path"),
                process=pl.col("process.name"),
                host=pl.col("host.name"),
                user=pl.col("user.name"),
                address=pl.coalesce("source.ip", "source.address"),
                ip=pl.col("source.ip"),
                login=_LOGIN,
                is_login=_IS_LOGIN.fill_null(value=False),
                text=pl.coalesce("event.original", "message").fill_null(""),
            )
            .unique("value", keep="first", maintain_order=True)
            .to_dicts()
        )


def _summed(runs: pl.DataFrame) -> list[tuple[tuple[str, str, int], int]]:
    grouped = runs.group_by("source", "log.file.path", "hour", maintain_order=True).agg(pl.col("rows").sum())
    return [((source, path, hour), rows) for source, path, hour, rows in grouped.iter_rows()]


def _add(news: _News, kind: Kind, row: dict[str, Any], rule: NoveltyRule) -> None:
    user = row["user"] or ""
    severity = kind.severity
    if kind.category == "authentication" and _PRIVILEGED.fullmatch(user):
        severity += 2
        news.privileged = news.privileged or user
    news.severity = max(news.severity, severity)
    news.count += 1
    news.first, news.last = min(news.first, row["time"]), max(news.last, row["time"])
    if len(news.rows) < rule.max_shown:
        shown = {key: row[key] for key in ("value", "time", "generation", "offset", "host", "user", "address", "ip")}
        news.rows.append(shown | {"text": row["text"][: rule.max_text]})


def _finding(rule: NoveltyRule, source: str, kind_name: str, news: _News) -> Finding:
    kind = next(one for one in KINDS if one.name == kind_name)
    first = news.rows[0]
    words = {
        "value": first["value"],
        "user": first["user"] or "somebody",
        "host": first["host"] or source,
        "source": source,
        "time": _long(news.known_for),
    }
    summary = kind.sentence.format(**words)
    title = kind.title.format(**words)
    if news.count > 1:
        title = f"{news.count} {kind.plural} that {source} never had before"
        if kind.name == "template":
            summary += f" {news.count - 1} more like it since."
        else:
            names = ", ".join(row["value"] for row in news.rows[1:5])
            summary += f" So it is with {news.count - 1} more: {names}{', …' if news.count > 5 else '.'}"
    factors = [SeverityFactor(f"first time: {kind.name.replace('-', ' ')}", kind.severity)]
    if news.privileged:
        factors.append(SeverityFactor(f"{news.privileged} may do everything", news.severity - kind.severity))
    identifiers = tuple(event_id(row["generation"], row["offset"]) for row in news.rows)
    return Finding(
        id=_id(rule.id, source, kind.name, str(news.day)),
        rule_id=f"{rule.id}.{kind.name}",
        rule_name=f"First time: {kind.name.replace('-', ' ')}",
        rule_level="low" if kind.severity + (2 if news.privileged else 0) < 5 else "medium",
        title=title,
        summary=summary,
        factors=tuple(factors),
        first_seen=_moment(news.first),
        last_seen=_moment(news.last),
        found_at=datetime.fromtimestamp(news.found_at, UTC),
        entity=_entity(news.rows, source),
        evidence=tuple(
            Evidence(
                clause=f"never seen on {source} in {_long(news.known_for)}",
                column=kind.column,
                value=row["value"],
                event_id=identifier,
                text=row["text"],
            )
            for row, identifier in zip(news.rows, identifiers, strict=True)
        ),
        event_ids=identifiers,
        event_count=news.count,
        category=kind.category,
        actions=kind.actions,
        tags=kind.tags,
        sources=(source,),
        details={"new_values": news.count, "known_for_hours": news.known_for},
    )


def _entity(rows: Sequence[dict[str, Any]], source: str) -> dict[str, str]:
    """What all of them have in common."""
    entity = {"vedette.source": source}
    for column, key in (("source.ip", "ip"), ("host.name", "host"), ("user.name", "user")):
        values = {row[key] for row in rows}
        if len(values) == 1 and (value := values.pop()):
            entity[column] = value
    return entity


def _head(watched: _Watched) -> dict[str, Any]:
    return {
        "first": watched.first,
        "watermark": watched.watermark,
        "files": [[path, list(asdict(file).values())] for path, file in watched.files.items()],
        "new": {name: shelf.new for name, shelf in watched.shelves.items()},
    }


def _key(value: str) -> str:
    return value[:_MAX_KEY]


def _is_long_ago(entry: Sequence[int], day: int) -> bool:
    return entry[1] + _DAYS_UNTIL_NOTED <= day


def _json(state: object) -> bytes:
    return json.dumps(state, separators=(",", ":")).encode()


def _id(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _long(hours: int) -> str:
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
