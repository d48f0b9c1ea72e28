"""Which rules match which events.

Events are told apart by kind (format, category, program, Windows channel and event id …). For each kind it is known which
rules are about it, which of them hold whatever else the event says, and which literals the others need. The literals are
looked for in all events of the kind at once; the exact conditions are evaluated where one was found.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import polars as pl

from vedette.detection.sigma.distinct import ColumnCheck, FlatEvents, places_asked
from vedette.detection.sigma.evidence import evidence_of
from vedette.detection.sigma.expressions import Check, check_of, places_in
from vedette.detection.sigma.fields import URL_PARTS, Record, field_values
from vedette.detection.sigma.gates import Gate, GateEvents
from vedette.detection.sigma.kinds import KINDS, is_flat, kind_frame
from vedette.detection.sigma.logsources import Test, logsource_map
from vedette.detection.sigma.plans import SAMPLE, Plan, learned_rarity
from vedette.detection.sigma.rules import DetectionRule, LogSource, RuleProblem
from vedette.detection.sigma.triggers import (
    DECIDED,
    PLACE_MARK,
    VALUES,
    Needle,
    Outlook,
    Rarity,
    Viewpoint,
    asks_for,
    guessed_rarity,
    outlook,
    values_of,
)
from vedette.model.events import EVENT_SCHEMA
from vedette.model.findings import Evidence

__all__ = ["MATCHES", "RuleMatcher", "field_values"]

MATCHES: Final = pl.Schema({"rule": pl.UInt32, "row": pl.UInt32})
_MAX_KINDS: Final = 4_096
_LONGEST_ACTION: Final = 64
MANY_ROWS: Final = 96
"""From here a rule is evaluated in columns instead of row by row."""

Kind = tuple[str | None, ...]
Found = tuple[int, pl.Series]
"""A rule's place and rows it matches."""


class RuleMatcher:
    """Matches a fixed set of rules. Compiles a rule when an event first needs it; one that cannot be compiled is left out
    and named in `problems`. Called from one thread."""

    def __init__(self, rules: Sequence[DetectionRule]) -> None:
        self._rules = tuple(rules)
        self._checks: dict[int, Check | None] = {}
        self._columns: dict[int, ColumnCheck | None] = {}
        self._gates: dict[int, Gate | None] = {}
        self._problems: dict[int, RuleProblem] = {}
        self._plans: OrderedDict[Kind, Plan] = OrderedDict()
        self._shared_plans: dict[tuple[Any, ...], Plan] = {}
        self._places_of = {logsource: places_in(logsource) for logsource in {rule.logsource for rule in rules}}
        self._programs: set[str] = set()
        self._actions = frozenset(
            value
            for rule in rules
            for value in values_of(rule.condition, "event.action")
            if len(value) < _LONGEST_ACTION
        )
        self._groups = self._grouped()
        self._outlooks: dict[tuple[int, bool], Outlook] = {}
        self._asks_for_kind: dict[int, bool] = {}

    @property
    def problems(self) -> tuple[RuleProblem, ...]:
        """Rules that are left out or can hardly match, and why."""
        return tuple(self._problems[place] for place in sorted(self._problems))

    def match(self, events: pl.DataFrame) -> pl.DataFrame:
        """Columns `rule` (place among the rules) and `row` (of the events), sorted by row, then rule."""
        if events.height == 0 or not self._rules:
            return pl.DataFrame(schema=MATCHES)
        parts = [part for plan, kind, rows in self._work(events) for part in self._matched(events, plan, kind, rows)]
        if not parts:
            return pl.DataFrame(schema=MATCHES)
        rules = [pl.Series("rule", [place], dtype=pl.UInt32).new_from_index(0, rows.len()) for place, rows in parts]
        return pl.DataFrame([pl.concat(rules), pl.concat([rows for _, rows in parts]).alias("row")]).sort("row", "rule")

    def evidence(self, rule_place: int, event: Mapping[str, Any]) -> tuple[Evidence, ...]:
        """What in the event the rule's condition rests on."""
        rule = self._rules[rule_place]
        return evidence_of(rule, event, self._places_of[rule.logsource])

    def _grouped(self) -> list[tuple[LogSource, Test, list[int]]]:
        places: dict[LogSource, list[int]] = {}
        for place, rule in enumerate(self._rules):
            places.setdefault(rule.logsource, []).append(place)
        groups: list[tuple[LogSource, Test, list[int]]] = []
        for logsource, members in places.items():
            test, unknown = logsource_map().test(logsource)
            groups.append((logsource, test, members))
            self._programs.update(unknown)
            for place in members if unknown else ():
                rule = self._rules[place]
                reason = f"nothing is known of the log source {', '.join(unknown)!r}"
                remedy = "it is used on events whose format or program has that name"
                self._problems[place] = RuleProblem(rule.path, rule.line, reason, remedy, rule.id)
        return groups

    def _work(self, events: pl.DataFrame) -> Iterator[tuple[Plan, Kind, pl.Series]]:
        """The plans that have something to do, one of their kinds, and their rows."""
        rows_by_plan: dict[int, tuple[Plan, Kind, list[pl.Series]]] = {}
        for *values, rows in kind_frame(events, self._programs, self._actions).iter_rows():
            kind = tuple(values)
            plan = self._plan(kind)
            if not plan.is_empty:
                rows_by_plan.setdefault(id(plan), (plan, kind, []))[2].append(pl.Series("row", rows, dtype=pl.UInt32))
        for plan, kind, parts in rows_by_plan.values():
            yield plan, kind, pl.concat(parts).sort() if len(parts) > 1 else parts[0]

    def _plan(self, kind: Kind) -> Plan:
        plan = self._plans.get(kind)
        if plan is None:
            plan = self._plans[kind] = self._made_plan(kind, guessed_rarity)
            if len(self._plans) > _MAX_KINDS:
                self._plans.popitem(last=False)
        return plan

    def _made_plan(self, kind: Kind, rarity: Rarity) -> Plan:
        named = dict(zip(KINDS, kind, strict=True))
        certain: list[int] = []
        others: list[tuple[int, Outlook]] = []
        asks_for_kind = False
        for place, expected in self._outlooks_of(named, rarity):
            asks_for_kind |= self._asks_for_kind[place]
            if expected.truth is True:
                certain.append(place)
            elif expected.truth is None:
                others.append((place, expected))
        flat = is_flat(named)
        own = kind if asks_for_kind else None
        key = (flat, own, *certain, None, *((place, expected.trigger) for place, expected in others))
        plan = self._shared_plans.get(key)
        if plan is None:
            if len(self._shared_plans) > _MAX_KINDS:
                self._shared_plans.clear()
            plan = self._shared_plans[key] = Plan.made(certain, others, is_flat=flat)
        return plan

    def _outlooks_of(self, kind: Mapping[str, str | None], rarity: Rarity) -> Iterator[tuple[int, Outlook]]:
        for logsource, test, members in self._groups:
            if test.fits(kind):
                for place in members:
                    yield place, self._outlook(place, logsource, kind, rarity)

    def _outlook(self, place: int, logsource: LogSource, kind: Mapping[str, str | None], rarity: Rarity) -> Outlook:
        is_guess = rarity is guessed_rarity
        key = place, is_flat(kind)
        if is_guess and key in self._outlooks:
            return self._outlooks[key]
        rule = self._rules[place]
        view = Viewpoint(self._places_of[logsource], kind, rarity, is_flat(kind))
        made = outlook(rule.condition, view)
        if place not in self._asks_for_kind:
            self._asks_for_kind[place] = asks_for(rule.condition, DECIDED)
        if is_guess and not self._asks_for_kind[place]:
            self._outlooks[key] = made
        return made

    def _learned(self, events: pl.DataFrame, plan: Plan, kind: Kind, rows: pl.Series) -> Plan:
        """A plan whose literals are rare in these events. Takes the place of the old one for all its kinds."""
        needles: set[Needle] = set()

        def note(needle: Needle) -> float:
            needles.add(needle)
            return guessed_rarity(needle)

        for _ in self._outlooks_of(dict(zip(KINDS, kind, strict=True)), note):
            pass
        step = max(1, rows.len() // SAMPLE)
        some = rows.gather_every(step)
        sample = _Reader(events[some], some, is_flat=plan.is_flat)
        better = self._made_plan(kind, learned_rarity(needles, sample.texts, some))
        better.seen, better.learn_at = plan.seen, plan.learn_at
        for one, old in self._plans.items():
            if old is plan:
                self._plans[one] = better
        return better

    def _keys_of(self, plan: Plan) -> tuple[str, ...]:
        """The keys of `fields` that the rules of the plan ask for on every event."""
        if plan.keys is None:
            columns = [column.removeprefix(VALUES).split(PLACE_MARK) for column in plan.columns if VALUES in column]
            asked = [
                places_asked(self._rules[place].condition, self._places_of[self._rules[place].logsource]) or ()
                for place in plan.untriggered
            ]
            names = {name for places in (*columns, *(one for some in asked for one in some)) for name in places}
            plan.keys = tuple(sorted(name for name in names if name not in URL_PARTS and name not in EVENT_SCHEMA))
        return plan.keys

    def _matched(self, events: pl.DataFrame, plan: Plan, kind: Kind, rows: pl.Series) -> Iterable[Found]:
        for place in plan.certain:
            yield place, rows
        if not plan.untriggered and not plan.triggered:
            return
        if plan.wants_to_learn(rows.len()):
            plan = self._learned(events, plan, kind, rows)
        some = events if rows.len() == events.height else events[rows]
        reader = _Reader(some, rows, is_flat=plan.is_flat, keys=self._keys_of(plan))
        candidates = plan.candidates(reader.texts, rows) if plan.scanners else {}
        for place in plan.untriggered:
            yield from self._evaluated(place, reader, None)
        for place, of_rule in candidates.items():
            yield from self._evaluated(place, reader, of_rule)

    def _evaluated(self, place: int, reader: _Reader, rows: list[int] | None) -> Iterable[Found]:
        check = self._check(place)
        if check is None:
            return
        count = reader.rows.len() if rows is None else len(rows)
        if reader.is_flat and count >= MANY_ROWS and (columns := self._column_check(place)) is not None:
            held = columns.held(reader.flat, reader.rows, None if rows is None else reader.places(rows))
            if held.len():
                yield place, held
            return
        wanted = reader.rows.to_list() if rows is None else rows
        if count >= MANY_ROWS and (gate := self._gate(place)) is not None:
            numbers = reader.rows if rows is None else pl.Series("row", rows, dtype=pl.UInt32)
            sure, is_open = gate.sift(reader.columns, None if rows is None else reader.places(rows))
            if sure.any():
                yield place, numbers.filter(sure)
            wanted = numbers.filter(is_open).to_list()
        holding = [row for row, record in zip(wanted, reader.records(wanted), strict=True) if check(record)]
        if holding:
            yield place, pl.Series("row", holding, dtype=pl.UInt32)

    def _check(self, place: int) -> Check | None:
        if place not in self._checks:
            rule = self._rules[place]
            try:
                self._checks[place] = check_of(rule.condition, self._places_of[rule.logsource])
            except (ValueError, KeyError, RecursionError) as error:
                self._checks[place] = None
                reason = f"the condition cannot be compiled: {error}"
                self._problems[place] = RuleProblem(rule.path, rule.line, reason, "correct the value", rule.id)
        return self._checks[place]

    def _gate(self, place: int) -> Gate | None:
        if place not in self._gates:
            rule = self._rules[place]
            try:
                self._gates[place] = Gate(rule.condition, self._places_of[rule.logsource])
            except (ValueError, RecursionError):
                self._gates[place] = None
        return self._gates[place]

    def _column_check(self, place: int) -> ColumnCheck | None:
        if place not in self._columns:
            rule = self._rules[place]
            places_of = self._places_of[rule.logsource]
            asked = places_asked(rule.condition, places_of)
            usable = asked is not None and not any(name in URL_PARTS for places in asked for name in places)
            self._columns[place] = ColumnCheck(rule.condition, places_of, asked) if asked and usable else None
        return self._columns[place]


class _Reader:
    """The events of one plan in one batch, taken apart as far as somebody asks."""

    def __init__(self, events: pl.DataFrame, rows: pl.Series, *, is_flat: bool, keys: Sequence[str] = ()) -> None:
        self.rows = rows
        self.is_flat = is_flat
        self.flat = FlatEvents(events, keys)
        self._events = events
        self._places: dict[int, int] | None = None
        self._is_whole = int(rows[-1]) + 1 == rows.len()
        self._records: dict[int, Record] = {}

    def records(self, rows: Sequence[int]) -> Iterator[Record]:
        missing = [row for row in rows if row not in self._records]
        if missing:
            some = self._events[self.places(missing)]
            self._records.update(zip(missing, map(Record, some.iter_rows(named=True)), strict=True))
        return (self._records[row] for row in rows)

    @cached_property
    def columns(self) -> GateEvents:
        return GateEvents(self._events)

    def texts(self, column: str) -> pl.Series:
        """What needles are looked for in."""
        if not column.startswith(VALUES):
            return self._events[column].cast(pl.String)
        return self.flat.values(tuple(column.removeprefix(VALUES).split(PLACE_MARK)))

    def places(self, rows: Sequence[int]) -> pl.Series:
        """Where the rows stand among the events of the plan."""
        if self._is_whole:
            return pl.Series("row", rows, dtype=pl.UInt32)
        if self._places is None:
            self._places = {row: place for place, row in enumerate(self.rows)}
        return pl.Series("row", [self._places[row] for row in rows], dtype=pl.UInt32)
