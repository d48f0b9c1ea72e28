"""What rules matched in a batch, in columns: the facts of the rows, the keys they are grouped by, the values they count.

A *sighting* is a row that a rule matched, or a moment at which a correlation that is referred to held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, repeat
from typing import Final, NamedTuple, Protocol, TypeAlias

import polars as pl

from vedette.detection.correlation.tally import MAX_NAME, Summary
from vedette.detection.sigma.rules import DetectionRule, LogSource
from vedette.model.events import event_id

KEY_SEPARATOR: Final = "\x1f"
_SMALL: Final = 4_096
_ONE_BY_ONE: Final = 1_024
_FEW: Final = 48
_FIRST_CHUNK: Final = 32
_NAMES: Final = ("user", "host", "source", "address", "value")
_NEARLY_ALL: Final = 1.3


class FieldValues(Protocol):
    """The values of a field as a rule names it, one String a row."""

    def __call__(self, events: pl.DataFrame, field: str, *, logsource: LogSource | None = None) -> pl.Series: ...


Askers: TypeAlias = Mapping[tuple[LogSource, str], Sequence[int]]
"""The places of the rules of which a field is asked, by the log source whose words its name is one of."""


class Sighting(NamedTuple):
    """A row of a batch as a rule matched it. `part` is the place of the rule among those of the correlation."""

    row: int
    part: int
    time: int
    generation: int
    offset: int
    weight: int
    key: str
    value: str | float | None
    user: str | None
    host: str | None
    source: str | None
    address: str | None

    @property
    def event_id(self) -> str:
        return event_id(self.generation, self.offset)


_FACTS: Final = (
    pl.coalesce("@timestamp", "event.ingested").cast(pl.Int64).alias("time"),
    pl.col("vedette.generation").fill_null(0).alias("generation"),
    pl.col("log.offset").fill_null(0).alias("offset"),
    pl.col("user.name").str.head(MAX_NAME).alias("user"),
    pl.col("host.name").str.head(MAX_NAME).alias("host"),
    pl.col("vedette.source").alias("source"),
    pl.coalesce("source.ip", "source.address").str.head(MAX_NAME).alias("address"),
)


class Batch:
    """The events of a batch by the rule that matched them. What is looked up once is kept until the batch is done."""

    def __init__(
        self,
        events: pl.DataFrame,
        matches: pl.DataFrame,
        rules: Sequence[DetectionRule],
        field_values: FieldValues,
        askers: Askers,
    ) -> None:
        self.events = events
        self._rules = rules
        self._field_values = field_values
        self._askers = askers
        grouped = matches.group_by("rule", maintain_order=True).agg("row")
        self._rows: dict[int, pl.Series] = dict(zip(grouped["rule"].to_list(), grouped["row"], strict=True))
        self._all_facts: pl.DataFrame | None = None
        self._facts: dict[int, pl.DataFrame] = {}
        self._fields: dict[tuple[int, str], pl.Series] = {}
        self._shared: dict[tuple[LogSource, str], tuple[pl.Series, pl.Series]] = {}
        self._about: dict[LogSource, tuple[pl.Series, pl.DataFrame]] = {}
        self._unions: dict[tuple[int, ...], pl.Series] = {}
        self._places: dict[tuple[int, int], pl.Series] = {}

    @property
    def places(self) -> Iterator[int]:
        """Places of the rules that matched something."""
        return iter(self._rows)

    def has(self, place: int) -> bool:
        return place in self._rows

    @property
    def all_facts(self) -> pl.DataFrame:
        """Time, place and names of every event of the batch, in its order."""
        if self._all_facts is None:
            self._all_facts = self.events.select(_FACTS).with_row_index("row")
        return self._all_facts

    def facts(self, place: int) -> pl.DataFrame:
        """The same of the rows that a rule matched."""
        if place not in self._facts:
            self._facts[place] = self.all_facts[self._rows[place]]
        return self._facts[place]

    def column(self, place: int, name: str) -> pl.Series:
        """A column of the events that a rule matched."""
        return self.events.get_column(name).gather(self._rows[place])

    def field(self, place: int, name: str) -> pl.Series:
        """Values of a field on the rows that a rule matched, the first MAX_NAME characters of each."""
        wanted = place, name
        if wanted not in self._fields:
            rows, values = self._shared_by_all(self._rules[place].logsource, name, place)
            is_all = self._rows[place].len() == rows.len()
            self._fields[wanted] = values if is_all else values.gather(self._places_in(rows, place))
        return self._fields[wanted]

    def _shared_by_all(self, logsource: LogSource, name: str, place: int) -> tuple[pl.Series, pl.Series]:
        """Values of a field on the rows of all rules of which it is asked, and these rows, in order."""
        wanted = logsource, name
        if wanted not in self._shared:
            places = [one for one in self._askers.get(wanted, (place,)) if one in self._rows]
            rows, events = self._around(logsource, self._union(tuple(places)))
            values = self._field_values(events, name, logsource=logsource)
            self._shared[wanted] = rows, _cut(values)
        return self._shared[wanted]

    def _around(self, logsource: LogSource, rows: pl.Series) -> tuple[pl.Series, pl.DataFrame]:
        """The events to look a field up on, and their rows: all that rules about the log source matched where that is
        not many more, as looking up costs less than picking out."""
        if logsource not in self._about:
            about = self._union(tuple(one for one in self._rows if self._rules[one].logsource == logsource))
            self._about[logsource] = about, self._picked(about)
        about, events = self._about[logsource]
        return (about, events) if rows.len() * _NEARLY_ALL >= about.len() else (rows, self._picked(rows))

    def _places_in(self, rows: pl.Series, place: int) -> pl.Series:
        """Where the rows of a rule stand among others, which hold them all and are kept as long as the batch."""
        wanted = id(rows), place
        if wanted not in self._places:
            self._places[wanted] = rows.search_sorted(self._rows[place])
        return self._places[wanted]

    def _picked(self, rows: pl.Series) -> pl.DataFrame:
        return self.events if rows.len() == self.events.height else self.events[rows]

    def _union(self, places: tuple[int, ...]) -> pl.Series:
        """The rows that any of these rules matched, in order."""
        if len(places) == 1:
            return self._rows[places[0]]
        if places not in self._unions:
            self._unions[places] = pl.concat([self._rows[one] for one in places]).unique().sort()
        return self._unions[places]

    def field_of_row(self, row: int, name: str) -> str | None:
        """The value of a field on one event, whichever rule matched it."""
        value = self._field_values(self.events[row], name)[0]
        return None if value is None else str(value)[:MAX_NAME]

    def category(self, row: int) -> str:
        """The category of an event, empty where it has none."""
        return self._name(row, "event.category")

    def text(self, row: int) -> str:
        """The record of an event."""
        return self._name(row, "event.original")

    def _name(self, row: int, column: str) -> str:
        """Empty, too, when nothing came: a moment that only time brought about has the row 0 of an empty batch."""
        return str(self.events.get_column(column)[row] or "") if self.events.height else ""


class Table:
    """Sightings of one correlation by number. Fetched by stretches from a large table, of which few are asked for
    singly; all at once from a small one or one with many keys, where that is cheaper than asking.

    The frame has the columns of a Sighting, in their order.
    """

    def __init__(self, frame: pl.DataFrame, runs: Sequence[Run] = ()) -> None:
        self._columns = frame
        is_asked_for_singly = frame.height <= _SMALL or len(runs) * _FEW > frame.height
        self._runs = runs
        self._run_of = {} if is_asked_for_singly else {id(run.rows): place for place, run in enumerate(runs)}
        self._all = list(map(Sighting, *map(pl.Series.to_list, frame))) if is_asked_for_singly else None

    def rows(self, numbers: Sequence[int]) -> Iterator[Sighting]:
        """The sightings with these numbers, in this order, fetched as they are asked for."""
        if self._all is not None:
            yield from map(self._all.__getitem__, numbers)
            return
        begin, length = 0, _FIRST_CHUNK
        while begin < len(numbers):
            chunk = self._columns[list(numbers[begin : begin + length])]
            yield from map(Sighting._make, chunk.iter_rows())
            begin, length = begin + length, length * 4

    def times(self, numbers: Sequence[int]) -> list[int]:
        return list(map(self._times.__getitem__, numbers))

    def parts(self, numbers: Sequence[int]) -> list[int]:
        return list(map(self._parts.__getitem__, numbers))

    @cached_property
    def _times(self) -> list[int]:
        times: list[int] = self._columns.get_column("time").to_list()
        return times

    @cached_property
    def _parts(self) -> list[int]:
        parts: list[int] = self._columns.get_column("part").to_list()
        return parts

    @cached_property
    def _wholes(self) -> list[Summary]:
        """The runs, each summed up, all in one go."""
        numbers = pl.Series(list(chain.from_iterable(run.rows for run in self._runs)), dtype=pl.UInt32)
        places = chain.from_iterable(repeat(place, len(run.rows)) for place, run in enumerate(self._runs))
        run_of_row = pl.zeros(numbers.len(), dtype=pl.UInt32, eager=True)
        run_of_row.scatter(numbers, pl.Series(list(places), dtype=pl.UInt32))
        frame = self._columns.with_columns(run_of_row.alias("run"))
        counts = pl.col("weight") > 0
        summed_up = frame.group_by("run", maintain_order=True).agg(
            pl.col("weight").filter(counts).sum(),
            pl.col("time").filter(counts).min().alias("low"),
            pl.col("time").filter(counts).max().alias("high"),
            *(_distinct(frame, name) for name in _NAMES),
        )
        return [
            Summary(int(weight), _int(low), _int(high), users, hosts, sources, addresses, _texts(values))
            for _, weight, low, high, users, hosts, sources, addresses, values in summed_up.iter_rows()
        ]

    def summary(self, numbers: Sequence[int]) -> Summary:
        """These sightings, summed up; times are those of the ones that count. Runs are known by their list of rows."""
        whole = self._run_of.get(id(numbers))
        if whole is not None:
            return self._wholes[whole]
        if len(numbers) <= _FEW or self._columns.height <= _ONE_BY_ONE:
            return summed(list(self.rows(numbers)))
        rows = self._columns[list(numbers)]
        counted = rows.filter(pl.col("weight") > 0)
        times = counted.get_column("time")
        names = (rows.get_column(name).unique(maintain_order=True).to_list() for name in _NAMES)
        users, hosts, sources, addresses, values = names
        return Summary(
            int(counted.get_column("weight").sum()),
            _int(times.min()),
            _int(times.max()),
            users,
            hosts,
            sources,
            addresses,
            _texts(values),
        )


def summed(rows: Sequence[Sighting]) -> Summary:
    """A few sightings, summed up."""
    times = [row.time for row in rows if row.weight > 0]
    return Summary(
        sum(row.weight for row in rows if row.weight > 0),
        min(times, default=0),
        max(times, default=0),
        [row.user for row in rows],
        [row.host for row in rows],
        [row.source for row in rows],
        [row.address for row in rows],
        _texts(row.value for row in rows),
    )


class Run(NamedTuple):
    """A stretch of sightings of one key of which each is near the one before it. `rows` are numbers of the table."""

    key: str
    rows: list[int]
    first: int
    last: int
    low: int
    high: int


def runs(frame: pl.DataFrame, is_near: int | None) -> list[Run]:
    """The sightings by key, those of one key in order; cut where a gap is longer than `is_near`."""
    if frame.height <= _ONE_BY_ONE:
        return _runs_of_few(frame.get_column("key").to_list(), frame.get_column("time").to_list(), is_near)
    time = pl.col("time")
    numbered = pl.DataFrame([frame.get_column("key"), frame.get_column("time")]).with_row_index("number")
    by = ["key"]
    if is_near is not None:
        is_new = (time - time.shift(1).over("key")).abs() > is_near
        numbered = numbered.with_columns(run=is_new.fill_null(value=False).cum_sum().over("key"))
        by.append("run")
    grouped = numbered.group_by(by, maintain_order=True).agg(
        pl.col("number"),
        time.first().alias("first"),
        time.last().alias("last"),
        time.min().alias("low"),
        time.max().alias("high"),
    )
    return [Run(key, *row[-5:]) for key, *row in grouped.iter_rows()]


def _runs_of_few(keys: Sequence[str], times: Sequence[int], is_near: int | None) -> list[Run]:
    """The same, one sighting after the other: cheaper than columns where there are few."""
    rows: list[tuple[str, list[int]]] = []
    latest: dict[str, list[int]] = {}
    for number, (key, time) in enumerate(zip(keys, times, strict=True)):
        run = latest.get(key)
        if run is None or (is_near is not None and abs(time - times[run[-1]]) > is_near):
            latest[key] = run = []
            rows.append((key, run))
        run.append(number)
    found = []
    for key, run in rows:
        of_run = [times[number] for number in run]
        found.append(Run(key, run, of_run[0], of_run[-1], min(of_run), max(of_run)))
    return found


def _distinct(frame: pl.DataFrame, name: str) -> pl.Expr:
    """The values of a run. Mostly host and source are the same for all, and the address is the key: one of them will do."""
    values = frame.get_column(name)
    is_one = values.eq_missing(values.head(1)).all() or values.equals(frame.get_column("key"))
    return pl.col(name).head(1) if is_one else pl.col(name).unique(maintain_order=True)


def _cut(values: pl.Series) -> pl.Series:
    longest = values.str.len_bytes().max()
    return values.str.head(MAX_NAME) if isinstance(longest, int) and longest > MAX_NAME else values


def _texts(values: Sequence[str | float | None] | Iterator[str | float | None]) -> list[str | None]:
    return [value if isinstance(value, str) else None for value in values]


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
