"""One correlation rule at work: from sightings to findings in the making.

What it means, one sighting after the other as they arrive: a sighting belongs to the key's episode whose latest arrival
is no further away than the timespan and the allowance for lateness, else to a known finding around that moment, else
it begins an episode. When a window of the timespan fulfils the condition the episode becomes a finding, which every
further sighting of the episode lets grow.

A condition that only a window that is over tells (fewer than, exactly, not) is judged in windows that begin with
a sighting, once the events of its source have passed the window's end and the allowance.

The sightings are grouped in columns; Python handles runs of one key, and single rows only before a condition holds.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, NamedTuple

import polars as pl

from vedette.detection.correlation.episodes import Episode, Span, Term, Watch
from vedette.detection.correlation.gauges import TEMPORAL, Condition, Member
from vedette.detection.correlation.marks import Marks
from vedette.detection.correlation.sightings import KEY_SEPARATOR, Run, Sighting, Table, runs
from vedette.detection.correlation.tally import MAX_EVENT_IDS, MAX_SAMPLES, MAX_TEXT, Summary, Tally, cut, finding_id
from vedette.detection.sigma.rules import CorrelationRule, CorrelationType
from vedette.model.findings import Evidence

MAX_KEYS: Final = 4_096
_MAX_EPISODES_PER_KEY: Final = 16
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_MICROSECONDS: Final = 1_000_000
_place: Final = attrgetter("row", "key")


class Told(NamedTuple):
    """A moment at which a correlation held, for the rules over it. `weight` is 1 at first, 0 for a finding that goes on."""

    row: int
    time: int
    generation: int
    offset: int
    weight: int
    key: str
    host: str | None
    source: str | None
    address: str | None


class Witness(NamedTuple):
    """What a correlator asks of the batch it works on."""

    text: Callable[[int], str]
    """The record of a row."""
    evidence: Callable[[Sighting, int], Sequence[Evidence]]
    """What proves a sighting of a rule: its place among those of the correlation, or among all for single rules."""
    category: Callable[[int], str]
    """The category of a row."""
    marks: Marks
    wall: int


@dataclass(slots=True)
class _Key:
    """What is remembered of a key; `text` is how it was written down last, until it changes."""

    episodes: list[Episode] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    text: str | None = None


class Correlator:
    """One rule's windows. The tallies of a stream do not depend on how it was cut, as long as no bound is reached;
    what the bounds cost is counted in `evicted`, events of windows that were over in `too_late`."""

    def __init__(
        self, rule: CorrelationRule, part_titles: Sequence[str], *, is_told: bool, max_keys: int = MAX_KEYS
    ) -> None:
        self.rule = rule
        self._titles = part_titles
        self._is_told = is_told
        self._max_keys = max_keys
        self._condition = Condition(rule)
        self._span = Span(max(1, int(rule.timespan.total_seconds() * _MICROSECONDS)))
        self._keys: OrderedDict[str, _Key] = OrderedDict()
        self._newest = 0
        self._soonest: dict[str, int] = {}
        self._counts_attempts = rule.type is CorrelationType.EVENT_COUNT
        self._is_temporal = rule.type in TEMPORAL
        self.evicted = 0
        self.too_late = 0

    @property
    def waits(self) -> bool:
        """Whether it asks for every batch, for the time that passes."""
        return self._condition.waits_for_the_end

    def go_on_as(self, rule: CorrelationRule, part_titles: Sequence[str], *, is_told: bool) -> None:
        """Take a rule that means the same with other words."""
        self.rule, self._titles, self._is_told = rule, part_titles, is_told

    def take(self, frame: pl.DataFrame, witness: Witness) -> tuple[list[Tally], list[Told]]:
        """Findings that are new or have grown, and what the rules over this one are told. `frame` has the columns of
        a Sighting, in order of arrival; so are the moments told, whatever their keys."""
        told: list[Told] = []
        tallies = self._take_terms(frame, witness, told) if self.waits else self._take_episodes(frame, witness, told)
        return tallies, sorted(told, key=_place)

    def to_text(self) -> str:
        """The windows as JSON. What has not changed is not written again."""
        keys = []
        for key, known in self._keys.items():
            if known.text is None:
                state = {"e": [one.to_json() for one in known.episodes], "t": [one.to_json() for one in known.terms]}
                known.text = f"{_encode(key)}:{_encode(state)}"
            keys.append(known.text)
        return f'{{"newest":{self._newest},"keys":{{{",".join(keys)}}}}}'

    def load(self, state: dict[str, Any]) -> None:
        """Continue from what `to_text` wrote."""
        keys: OrderedDict[str, _Key] = OrderedDict()
        for key, known in state["keys"].items():
            episodes = [Episode.from_json(one, self._condition, self._span) for one in known["e"]]
            keys[key] = _Key(episodes, [Term.from_json(one) for one in known["t"]])
        self._newest = int(state["newest"])
        self._keys = keys
        self._find_soonest()

    def _without_passing(self, frame: pl.DataFrame, wall: int) -> pl.DataFrame:
        """The sightings, of a batch with more keys than are remembered, without those that would be begun only to be
        given up at its end: an attack from everywhere. They are counted as if they had been."""
        if frame.height <= self._max_keys or frame.get_column("key").n_unique() <= self._max_keys:
            return frame
        keys = (
            frame.select("key", "weight", "time", place=pl.int_range(pl.len(), dtype=pl.UInt32))
            .group_by("key", maintain_order=True)
            .agg(pl.len().alias("rows"), pl.col("weight", "time", "place").first())
        )
        early = keys.head(max(0, keys.height - self._max_keys))
        cannot_fill = (pl.col("rows") == 1) & (pl.col("weight") <= 1) & (self._condition.least_members > 1)
        gone = early.filter(cannot_fill & ~pl.col("key").is_in(list(self._keys)))
        if gone.is_empty():
            return frame
        self.evicted += gone.height
        latest = gone.get_column("time").clip(upper_bound=wall + self._span.reach).top_k(1)
        self._newest = max(self._newest, *latest.to_list())
        stays = pl.repeat(True, frame.height, eager=True).scatter(gone.get_column("place"), False)
        return frame.filter(stays)

    # --- conditions that hold as soon as enough has come -----------------------------------------------

    def _take_episodes(self, frame: pl.DataFrame, witness: Witness, told: list[Told]) -> list[Tally]:
        if frame.is_empty():
            return []
        grown: dict[str, Tally] = {}
        frame = self._without_passing(frame, witness.wall)
        stretches = runs(frame, self._span.reach)
        table = Table(frame, stretches)
        for run in stretches:
            for episode in self._take_run(run, table, witness, told):
                if episode.tally is not None:
                    grown[episode.tally.id] = episode.tally
            self._newest = max(self._newest, min(run.high, witness.wall + self._span.reach))
        self._forget(witness.wall)
        return list(grown.values())

    def _take_run(self, run: Run, table: Table, witness: Witness, told: list[Told]) -> Iterator[Episode]:
        known = self._touch(run.key)
        episode = self._find(known, run.first) or self._begin(known, run.first)
        episode.widen(run.low, run.high, run.last)
        episode.touched = witness.wall
        if known.episodes[-1] is not episode:
            known.episodes.remove(episode)
            known.episodes.append(episode)
        rest: Sequence[int] = run.rows
        if episode.tally is None:
            rest = self._fill(episode, run, table, witness, told)
        if rest and episode.tally is not None:
            self._grow(episode, episode.tally, run.key, rest, table, witness, told)
        if episode.tally is not None:
            yield episode

    def _find(self, known: _Key, time: int) -> Episode | None:
        """The episode that a sighting belongs to, most recently touched first."""
        for episode in reversed(known.episodes):
            if episode.is_near(time, self._span):
                return episode
        for episode in reversed(known.episodes):
            if episode.is_around(time, self._span):
                return episode
        return None

    def _begin(self, known: _Key, time: int) -> Episode:
        episode = Episode(time, time, time, 0, Watch(self._condition, self._span))
        known.episodes.append(episode)
        if len(known.episodes) > _MAX_EPISODES_PER_KEY:
            del known.episodes[0]
            self.evicted += 1
        return episode

    def _fill(self, episode: Episode, run: Run, table: Table, witness: Witness, told: list[Told]) -> Sequence[int]:
        """Go row by row, but only until a window is full; the rows that are left then."""
        watch = episode.watch
        if watch is None:
            return run.rows
        for place, sighting in enumerate(table.rows(run.rows)):
            if self._counts_attempts and sighting.weight <= 0:
                continue
            if watch.counts_again(sighting.time, sighting.part, sighting.weight, sighting.value):
                continue
            full = watch.add(self._member(sighting, witness))
            if full is None:
                continue
            window, measure = full
            tally = self._open(run.key, window, sighting, witness)
            tally.measure = measure
            episode.watch, episode.tally, episode.told = None, tally, sighting.time
            told.append(_told(sighting, run.key, weight=1))
            self.evicted += watch.dropped
            return run.rows[place + 1 :]
        self.evicted += watch.dropped
        watch.dropped = 0
        return []

    def _member(self, sighting: Sighting, witness: Witness) -> Member:
        text = cut(witness.text(sighting.row))[: MAX_TEXT // 2] if self._is_temporal else ""
        return Member(
            sighting.time,
            sighting.part,
            sighting.weight,
            sighting.value,
            sighting.event_id,
            1,
            sighting.user,
            sighting.host,
            sighting.source,
            sighting.address,
            text,
        )

    def _open(self, key: str, window: Sequence[Member], latest: Sighting, witness: Witness) -> Tally:
        """The finding that a full window begins. The sighting that filled it is the first whose proof is asked for;
        of the ones before, the record is what is left."""
        first = window[0]
        tally = Tally(
            id=finding_id(self.rule.id, key, first.time, first.event_id),
            found_at=witness.wall,
            start=first.time,
            last=window[-1].time,
            entity=self.entity(key, latest.part),
            category=witness.category(latest.row),
        )
        tally.add(
            Summary(
                sum(one.weight for one in window),
                first.time,
                window[-1].time,
                [one.user for one in window],
                [one.host for one in window],
                [one.source for one in window],
                [one.address for one in window],
                [one.value if isinstance(one.value, str) else None for one in window],
            )
        )
        for one in window:
            tally.name_event(one.event_id)
            if self._is_temporal and one.event_id != latest.event_id and tally.wants_sample(one.part):
                tally.sample(one.part, [self._recorded(one, key)])
        tally.sample(latest.part, witness.evidence(latest, latest.part))
        return tally

    def _recorded(self, member: Member, key: str) -> Evidence:
        entity = self.entity(key, member.part)
        column, value = next(iter(entity.items()), ("", ""))
        return Evidence(self._titles[member.part], column, value, member.event_id, member.text)

    def _grow(
        self,
        episode: Episode,
        tally: Tally,
        key: str,
        rows: Sequence[int],
        table: Table,
        witness: Witness,
        told: list[Told],
    ) -> None:
        tally.add(table.summary(rows))
        for number in self._wanted(tally, rows, table):
            sighting = next(table.rows([number]))
            if sighting.weight > 0 or not self._counts_attempts:
                tally.name_event(sighting.event_id)
                if tally.wants_sample(sighting.part):
                    tally.sample(sighting.part, witness.evidence(sighting, sighting.part))
        if self._is_told:
            self._tell(episode, key, rows, table, told)

    def _wanted(self, tally: Tally, rows: Sequence[int], table: Table) -> list[int]:
        """The rows whose id or proof is wanted, few of many."""
        wanted: dict[int, None] = {}
        if len(tally.event_ids) < MAX_EVENT_IDS:
            known = set(tally.event_ids)
            for number, row in zip(rows, table.rows(rows), strict=False):
                if row.weight > 0 or not self._counts_attempts:
                    known.add(row.event_id)
                    wanted[number] = None
                if len(known) >= MAX_EVENT_IDS:
                    break
        waiting = {part: MAX_SAMPLES for part in range(len(self._titles)) if tally.wants_sample(part)}
        if waiting:
            for number, part in zip(rows, table.parts(rows), strict=True):
                if part in waiting:
                    wanted[number] = None
                    waiting[part] -= 1
                    if not waiting[part]:
                        del waiting[part]
                        if not waiting:
                            break
        return sorted(wanted)

    def _tell(self, episode: Episode, key: str, rows: Sequence[int], table: Table, told: list[Told]) -> None:
        heard = episode.told if episode.told is not None else episode.low
        refresh = self._span.refresh
        due = heard + refresh
        if episode.high < due:
            episode.told = heard
            return
        for number, time in zip(rows, table.times(rows), strict=True):
            if time >= due:
                heard, due = time, time + refresh
                told.append(_told(next(table.rows([number])), key, weight=0))
        episode.told = heard

    # --- conditions that only a window that is over tells ----------------------------------------------

    def _take_terms(self, frame: pl.DataFrame, witness: Witness, told: list[Told]) -> list[Tally]:
        found: dict[str, Tally] = {}
        if not frame.is_empty():
            stretches = runs(frame, None)
            table = Table(frame, stretches)
            for run in stretches:
                known = self._touch(run.key)
                for sighting in table.rows(run.rows):
                    self._close(run.key, known, sighting.row, witness, found, told)
                    self._put(run.key, known, sighting, witness)
                self._newest = max(self._newest, min(run.high, witness.wall + self._span.reach))
            self._find_soonest()
        if any(witness.marks.passed(source, deadline) is not None for source, deadline in self._soonest.items()):
            for key, known in list(self._keys.items()):
                if self._close(key, known, None, witness, found, told) and not known.terms:
                    del self._keys[key]
        self._find_soonest()
        self._forget(witness.wall)
        return list(found.values())

    def _close(
        self, key: str, known: _Key, row: int | None, witness: Witness, found: dict[str, Tally], told: list[Told]
    ) -> bool:
        """Judge the windows of a key that were over before a row, None for the end of the batch; whether any was."""
        is_changed = False
        for term in list(known.terms):
            at = witness.marks.passed(term.source, term.deadline(self._span))
            if at is None or (row is not None and at > row):
                continue
            is_changed = True
            known.terms.remove(term)
            known.text = None
            self.evicted += term.dropped
            measure = self._condition.gauge(term.members).reading(term.members, 0)
            if not self._condition.holds(measure):
                continue
            term.tally.measure = measure
            found[term.tally.id] = term.tally
            told.append(_told_of(term, key, max(at, 0)))
        return is_changed

    def _put(self, key: str, known: _Key, sighting: Sighting, witness: Witness) -> None:
        source = sighting.source or ""
        term = next((one for one in reversed(known.terms) if one.covers(sighting.time, self._span)), None)
        if term is None:
            at = witness.marks.passed(source, sighting.time + self._span.reach)
            if at is not None and at <= sighting.row:
                self.too_late += 1
                return
            tally = Tally(
                id=finding_id(self.rule.id, key, sighting.time, sighting.event_id),
                found_at=witness.wall,
                start=sighting.time,
                last=sighting.time,
                entity=self.entity(key, sighting.part),
                category=witness.category(sighting.row),
            )
            term = Term(sighting.time, source, witness.wall, tally)
            known.terms.append(term)
            if len(known.terms) > _MAX_EPISODES_PER_KEY:
                del known.terms[0]
                self.evicted += 1
        term.touched = witness.wall
        value = sighting.value if isinstance(sighting.value, str) else None
        term.tally.add(
            Summary(
                sighting.weight, sighting.time, sighting.time,
                [sighting.user], [sighting.host], [sighting.source], [sighting.address], [value],
            )
        )  # fmt: skip
        term.tally.name_event(sighting.event_id)
        if term.tally.wants_sample(sighting.part):
            term.tally.sample(sighting.part, witness.evidence(sighting, sighting.part))
        term.add(self._member(sighting, witness))

    def _find_soonest(self) -> None:
        if not self.waits:
            return
        self._soonest = {}
        for known in self._keys.values():
            for term in known.terms:
                deadline = term.deadline(self._span)
                self._soonest[term.source] = min(deadline, self._soonest.get(term.source, deadline))

    # --- keys ------------------------------------------------------------------------------------------

    def entity(self, key: str, part: int) -> dict[str, str]:
        """The columns that the key stands for, as the rule at `part` names them."""
        if not self.rule.group_by:
            return {}
        identifier = self.rule.rules[part]
        names = [self.rule.aliases.get(name, {}).get(identifier, name) for name in self.rule.group_by]
        return dict(zip(names, key.split(KEY_SEPARATOR), strict=False))

    def _touch(self, key: str) -> _Key:
        known = self._keys.setdefault(key, _Key())
        known.text = None
        self._keys.move_to_end(key)
        return known

    def _forget(self, wall: int) -> None:
        """Drop what can no longer matter, then, counted, what is too much."""
        horizon = self._newest - self._span.reach
        for key, known in list(self._keys.items()):
            if known.terms:
                break
            if known.episodes and known.episodes[-1].touched >= wall - self._span.reach:
                break
            kept = [one for one in known.episodes if one.high >= horizon]
            if len(kept) != len(known.episodes):
                known.episodes, known.text = kept, None
            if not kept:
                del self._keys[key]
        while len(self._keys) > self._max_keys:
            _, gone = self._keys.popitem(last=False)
            self.evicted += len(gone.episodes) + len(gone.terms)


def _told(sighting: Sighting, key: str, *, weight: int) -> Told:
    return Told(
        sighting.row,
        sighting.time,
        sighting.generation,
        sighting.offset,
        weight,
        key,
        sighting.host,
        sighting.source,
        sighting.address,
    )


def _told_of(term: Term, key: str, row: int) -> Told:
    """A window that is over is told at the event time it was over, under the place of its first event."""
    generation, _, offset = term.members[0].event_id.partition("-")
    first = term.members[0]
    return Told(
        row, term.start + 0, int(generation, 16), int(offset, 16), 1, key, first.host, first.source, first.address
    )
