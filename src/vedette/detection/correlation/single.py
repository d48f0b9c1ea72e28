"""Windows of rules about single events: one growing finding for each rule, entity and hour of event time.

What it means, one match after the other as they arrive: a match belongs to the window of its rule and entity that
began no more than a timespan before it (or, late, a minute after it), most recently touched first; else it begins one.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import polars as pl

from vedette.detection.correlation.correlator import Witness
from vedette.detection.correlation.episodes import LATENESS
from vedette.detection.correlation.sightings import KEY_SEPARATOR, Batch, Run, Sighting, Table, runs
from vedette.detection.correlation.tally import MAX_EVENT_IDS, MAX_SAMPLES, Tally, finding_id
from vedette.detection.sigma.rules import DetectionRule, LogSource

WINDOW: Final = timedelta(hours=1)
MAX_WINDOWS: Final = 4_096
_MAX_WINDOWS_PER_RULE: Final = 512
_MAX_WINDOWS_PER_KEY: Final = 8
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_MICROSECOND: Final = timedelta(microseconds=1)

_ABOUT_ADDRESSES: Final = frozenset(
    {"authentication", "webserver", "proxy", "firewall", "dns", "network", "vpn", "mail", "email", "antispam", "web"}
)
_ABOUT_HOSTS: Final = frozenset({"windows", "linux", "macos"})
_SERVICES_WITH_PEERS: Final = frozenset(
    {"sshd", "vsftpd", "proftpd", "auth", "syslog", "security", "apache", "nginx", "modsecurity", "ftp", "smtp"}
)


def is_about_a_host(logsource: LogSource) -> bool:
    """Whether what such logs tell happens on a host, whoever is connected to it: processes, files, the registry."""
    if (logsource.category or "") in _ABOUT_ADDRESSES or (logsource.service or "") in _SERVICES_WITH_PEERS:
        return False
    return logsource.category is not None or (logsource.product or "") in _ABOUT_HOSTS


@dataclass(slots=True)
class _Window:
    anchor: int
    touched: int
    tally: Tally

    def covers(self, time: int, length: int) -> bool:
        return self.anchor - LATENESS <= time <= self.anchor + length


@dataclass(slots=True)
class _Key:
    windows: list[_Window] = field(default_factory=list)
    text: str | None = None


class SingleWindows:
    """The windows of all rules about single events. Bounded by rule and altogether; `evicted` counts what that costs."""

    def __init__(
        self, rules: Sequence[DetectionRule], *, window: timedelta = WINDOW, max_windows: int = MAX_WINDOWS
    ) -> None:
        self._length = window // _MICROSECOND
        self._max = max_windows
        self._keys: dict[str, OrderedDict[str, _Key]] = {}
        self._number = 0
        self._newest = 0
        self.evicted = 0
        self.use(rules)

    def use(self, rules: Sequence[DetectionRule]) -> None:
        """Go on with these rules; the windows of rules that are gone are forgotten."""
        self._rules = rules
        self._is_about_host = pl.Series(
            "is_about_host", [is_about_a_host(rule.logsource) for rule in rules], dtype=pl.Boolean
        )
        known = {rule.id for rule in rules}
        self._keys = {rule: keys for rule, keys in self._keys.items() if rule in known}
        self._number = sum(map(len, self._keys.values()))

    def take(self, batch: Batch, matches: pl.DataFrame, witness: Witness) -> list[tuple[DetectionRule, Tally]]:
        """Findings that are new or have grown. `matches` are the pairs of rule and row that make findings."""
        frame = self._frame(batch, matches)
        stretches = runs(frame, None)
        table = Table(frame, stretches)
        grown: dict[str, tuple[DetectionRule, Tally]] = {}
        for run in stretches:
            place, _, key = run.key.partition(KEY_SEPARATOR)
            rule = self._rules[int(place)]
            for tally in self._take_run(int(place), key, run, table, witness):
                grown[tally.id] = rule, tally
            self._newest = max(self._newest, min(run.high, witness.wall + self._length))
        self._forget(witness.wall)
        return list(grown.values())

    def to_text(self) -> str:
        """The windows as JSON. What has not changed is not written again."""
        rules = []
        for rule, keys in self._keys.items():
            pieces = []
            for key, known in keys.items():
                if known.text is None:
                    windows = [[one.anchor, one.touched, one.tally.to_json()] for one in known.windows]
                    known.text = f"{_encode(key)}:{_encode(windows)}"
                pieces.append(known.text)
            if pieces:
                rules.append(f"{json.dumps(rule)}:{{{','.join(pieces)}}}")
        return f'{{"newest":{self._newest},"rules":{{{",".join(rules)}}}}}'

    def load(self, state: dict[str, Any]) -> None:
        """Continue from what `to_text` wrote, for the rules there are."""
        known = {rule.id for rule in self._rules}
        loaded: dict[str, OrderedDict[str, _Key]] = {}
        for rule, keys in state["rules"].items():
            if rule not in known:
                continue
            loaded[rule] = OrderedDict(
                (str(key), _Key([_Window(int(a), int(t), Tally.from_json(tally)) for a, t, tally in windows]))
                for key, windows in keys.items()
            )
        self._newest = int(state["newest"])
        self._keys = loaded
        self._number = sum(map(len, loaded.values()))

    def _frame(self, batch: Batch, matches: pl.DataFrame) -> pl.DataFrame:
        """The sightings, with a key that tells rule and entity."""
        facts = batch.all_facts
        rows = matches.get_column("row")
        if rows.len() != facts.height or not (rows == facts.get_column("row")).all():
            facts = facts[rows]
        host = pl.when(pl.col("host").is_not_null() | pl.col("user").is_not_null()).then(
            pl.concat_str(
                pl.lit("h"), pl.col("host").fill_null(""), pl.lit(KEY_SEPARATOR), pl.col("user").fill_null("")
            )
        )
        peer = pl.lit("a") + pl.col("address")
        source = pl.lit("s") + pl.col("source").fill_null("")
        place = matches.get_column("rule")
        is_about_host = self._is_about_host.gather(place)
        key = pl.when("is_about_host").then(pl.coalesce(host, peer, source)).otherwise(pl.coalesce(peer, host, source))
        return (
            facts.with_columns(place.alias("rule"), is_about_host)
            .filter(pl.col("time").is_not_null())
            .with_columns(
                key=pl.concat_str(pl.col("rule"), key, separator=KEY_SEPARATOR),
                part=pl.lit(0, dtype=pl.UInt8),
                weight=pl.lit(1, dtype=pl.Int64),
                value=pl.lit(None, dtype=pl.String),
            )
            .select(Sighting._fields)
        )

    def _take_run(self, place: int, key: str, run: Run, table: Table, witness: Witness) -> Iterator[Tally]:
        rule = self._rules[place]
        of_rule = self._keys.setdefault(rule.id, OrderedDict())
        known = of_rule.get(key)
        if known is None:
            known = of_rule[key] = _Key()
            self._number += 1
        known.text = None
        of_rule.move_to_end(key)
        for first, rows in self._by_window(known, run, table):
            window = self._find(known, first)
            if window is None:
                sighting = next(table.rows(rows))
                window = _Window(first, witness.wall, self._open(rule, key, sighting, witness))
                known.windows.append(window)
                if len(known.windows) > _MAX_WINDOWS_PER_KEY:
                    del known.windows[0]
                    self.evicted += 1
            window.touched = witness.wall
            self._grow(place, window.tally, rows, table, witness)
            yield window.tally

    def _by_window(self, known: _Key, run: Run, table: Table) -> Iterator[tuple[int, list[int]]]:
        """The run in stretches that share a window, each with the time that finds it."""
        window = self._find(known, run.first)
        anchor = window.anchor if window else run.first
        if anchor - LATENESS <= run.low and run.high <= anchor + self._length:
            yield run.first, run.rows
            return
        rows: list[int] = []
        first = run.first
        for number, time in zip(run.rows, table.times(run.rows), strict=True):
            if not anchor - LATENESS <= time <= anchor + self._length:
                yield first, rows
                rows, first = [], time
                window = self._find(known, time)
                anchor = window.anchor if window else time
            rows.append(number)
        yield first, rows

    def _find(self, known: _Key, time: int) -> _Window | None:
        for place in range(len(known.windows) - 1, -1, -1):
            window = known.windows[place]
            if window.covers(time, self._length):
                if place != len(known.windows) - 1:
                    known.windows.append(known.windows.pop(place))
                return window
        return None

    def _open(self, rule: DetectionRule, key: str, first: Sighting, witness: Witness) -> Tally:
        return Tally(
            id=finding_id(rule.id, key, first.time, first.event_id),
            found_at=witness.wall,
            start=first.time,
            last=first.time,
            entity=_entity(key),
            category=witness.category(first.row),
        )

    def _grow(self, place: int, tally: Tally, rows: Sequence[int], table: Table, witness: Witness) -> None:
        tally.add(table.summary(rows))
        wanted = MAX_EVENT_IDS - len(tally.event_ids)
        wanted = max(wanted, MAX_SAMPLES if tally.wants_sample(0) else 0)
        for sighting in table.rows(rows[:wanted]):
            tally.name_event(sighting.event_id)
            if tally.wants_sample(0):
                tally.sample(0, witness.evidence(sighting, place))

    def _forget(self, wall: int) -> None:
        """Drop what is over, then, counted, what is too much: of a rule with too many, then of the rule with most."""
        horizon = self._newest - self._length - LATENESS
        for keys in self._keys.values():
            for key, known in list(keys.items()):
                last = known.windows[-1] if known.windows else None
                if last and last.touched >= wall - self._length:
                    break
                if all(one.tally.last < horizon for one in known.windows):
                    del keys[key]
                    self._number -= 1
            while len(keys) > _MAX_WINDOWS_PER_RULE:
                self._evict(keys)
        while self._number > self._max:
            self._evict(max(self._keys.values(), key=len))

    def _evict(self, keys: OrderedDict[str, _Key]) -> None:
        keys.popitem(last=False)
        self._number -= 1
        self.evicted += 1


def _entity(key: str) -> dict[str, str]:
    kind, rest = key[:1], key[1:]
    if kind == "h":
        host, _, user = rest.partition(KEY_SEPARATOR)
        return {name: value for name, value in (("host.name", host), ("user.name", user)) if value}
    return {"source.address" if kind == "a" else "vedette.source": rest}
