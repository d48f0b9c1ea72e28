"""Which rules match which events.

Events are told apart by kind (format, category, program, Windows channel and event id …). For each kind it is known which
rules are about it, which of them hold whatever else the event says, and which literals the others need. The literals are
looked for in all events of the kind at once; the exact conditions are evaluated where one was found.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from vedette.detection.sigma.evidence import evidence_of
from vedette.detection.sigma.expressions import Check, check_of, places_in
from vedette.detection.sigma.fields import Record, field_values
from vedette.detection.sigma.kinds import KINDS, kind_frame
from vedette.detection.sigma.logsources import KIND_KEYS, Test, logsource_map
from vedette.detection.sigma.rules import DetectionRule, LogSource, RuleProblem
from vedette.detection.sigma.scanning import LiteralScanner
from vedette.detection.sigma.triggers import Outlook, guessed_rarity, kind_keys_in, outlook
from vedette.model.findings import Evidence

__all__ = ["MATCHES", "RuleMatcher", "field_values"]

MATCHES: Final = pl.Schema({"rule": pl.UInt32, "row": pl.UInt32})
_MAX_KINDS: Final = 4_096
_KIND_KEYS: Final = frozenset(KIND_KEYS)
_ODD: Final = r"\\u00(?:[46][1-9a-fA-F]|[57][0-9aA]|3[0-9])|[\u{212A}\u{0130}\u{017F}]"
"""Texts that write ASCII letters in another way: what stands in them cannot be told by literals."""


class RuleMatcher:
    """Matches a fixed set of rules. Compiles a rule when an event first needs it; one that cannot be compiled is left out
    and named in `problems`. Called from one thread."""

    def __init__(self, rules: Sequence[DetectionRule]) -> None:
        self._rules = tuple(rules)
        self._checks: dict[int, Check | None] = {}
        self._problems: dict[int, RuleProblem] = {}
        self._outlooks: dict[int, Outlook] = {}
        self._plans: OrderedDict[tuple[str | None, ...], _Plan] = OrderedDict()
        self._shared_plans: dict[tuple[Any, ...], _Plan] = {}
        self._places_of = {logsource: places_in(logsource) for logsource in {rule.logsource for rule in rules}}
        self._groups = self._grouped()

    @property
    def problems(self) -> tuple[RuleProblem, ...]:
        """Rules that are left out or can hardly match, and why."""
        return tuple(self._problems[place] for place in sorted(self._problems))

    def match(self, events: pl.DataFrame) -> pl.DataFrame:
        """Columns `rule` (place among the rules) and `row` (of the events), sorted by row, then rule."""
        if events.height == 0 or not self._rules:
            return pl.DataFrame(schema=MATCHES)
        rows_by_plan: dict[int, tuple[_Plan, list[pl.Series]]] = {}
        for *kind, rows in kind_frame(events).iter_rows():
            plan = self._plan(tuple(kind))
            if not plan.is_empty:
                rows_by_plan.setdefault(id(plan), (plan, []))[1].append(pl.Series("row", rows, dtype=pl.UInt32))
        parts = [
            part
            for plan, rows in rows_by_plan.values()
            for part in self._matched(events, plan, pl.concat(rows).sort() if len(rows) > 1 else rows[0])
        ]
        if not parts:
            return pl.DataFrame(schema=MATCHES)
        return pl.concat(parts).unique().sort("row", "rule")

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
            for place in members if unknown else ():
                rule = self._rules[place]
                reason = f"nothing is known of the log source {', '.join(unknown)!r}"
                remedy = "it is used on events whose format or program has that name"
                self._problems[place] = RuleProblem(rule.path, rule.line, reason, remedy, rule.id)
        return groups

    def _plan(self, kind: tuple[str | None, ...]) -> _Plan:
        plan = self._plans.get(kind)
        if plan is None:
            plan = self._plans[kind] = self._made_plan(dict(zip(KINDS, kind, strict=True)))
            if len(self._plans) > _MAX_KINDS:
                self._plans.popitem(last=False)
        return plan

    def _made_plan(self, kind: Mapping[str, str | None]) -> _Plan:
        certain: list[int] = []
        triggered: list[tuple[int, Outlook]] = []
        for logsource, test, members in self._groups:
            if not test.fits(kind):
                continue
            for place in members:
                expected = self._outlook(place, logsource, kind)
                if expected.truth is True:
                    certain.append(place)
                elif expected.truth is None:
                    triggered.append((place, expected))
        key = (*certain, None, *((place, expected.trigger) for place, expected in triggered))
        plan = self._shared_plans.get(key)
        if plan is None:
            if len(self._shared_plans) > _MAX_KINDS:
                self._shared_plans.clear()
            plan = self._shared_plans[key] = _Plan.made(certain, triggered)
        return plan

    def _outlook(self, place: int, logsource: LogSource, kind: Mapping[str, str | None]) -> Outlook:
        known = self._outlooks.get(place)
        if known is not None:
            return known
        rule = self._rules[place]
        made = outlook(rule.condition, self._places_of[logsource], kind, guessed_rarity)
        if not kind_keys_in(rule.condition, _KIND_KEYS):
            self._outlooks[place] = made
        return made

    def _matched(self, events: pl.DataFrame, plan: _Plan, rows: pl.Series) -> Iterable[pl.DataFrame]:
        for place in plan.certain:
            yield _pairs(place, rows)
        candidates = self._candidates(events, plan, rows)
        if not candidates:
            return
        wanted = sorted({row for of_rule in candidates.values() for row in of_rule})
        records = dict(zip(wanted, map(Record, events[wanted].iter_rows(named=True)), strict=True))
        for place, of_rule in candidates.items():
            check = self._check(place)
            if check is not None:
                held = [row for row in of_rule if check(records[row])]
                if held:
                    yield _pairs(place, pl.Series("row", held, dtype=pl.UInt32))

    def _candidates(self, events: pl.DataFrame, plan: _Plan, rows: pl.Series) -> dict[int, list[int]]:
        """Rows to evaluate, by rule."""
        everywhere = rows.to_list() if plan.untriggered else []
        candidates = dict.fromkeys(plan.untriggered, everywhere)
        if plan.scanner is None:
            return candidates
        some = events[rows].select(plan.columns)
        hits = [plan.scanner.hits(some[name].cast(pl.String), rows) for name in plan.columns]
        found = pl.concat(hits).unique().join(plan.places_by_literal, on="literal").select("place", "row").unique()
        for place, of_rule in found.group_by("place").agg("row").iter_rows():
            candidates[place] = of_rule
        odd = some.select(pl.any_horizontal(pl.col(plan.columns).cast(pl.String).str.contains(_ODD))).to_series()
        if odd.any():
            odd_rows = rows.filter(odd.fill_null(value=False)).to_list()
            for place in plan.triggered:
                candidates[place] = list({*candidates.get(place, ()), *odd_rows})
        return candidates

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


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to do with events of a kind. Rules by their places: `certain` hold for each, `triggered` where one of their
    literals stands, `untriggered` have to be evaluated on each."""

    certain: tuple[int, ...]
    untriggered: tuple[int, ...]
    triggered: tuple[int, ...]
    columns: tuple[str, ...]
    scanner: LiteralScanner | None
    places_by_literal: pl.DataFrame = field(repr=False)

    @classmethod
    def made(cls, certain: Sequence[int], others: Sequence[tuple[int, Outlook]]) -> _Plan:
        triggers = {place: expected.trigger for place, expected in others if expected.trigger is not None}
        pairs = [(literal, place) for place, trigger in triggers.items() for literal in trigger.literals]
        columns = sorted({column for trigger in triggers.values() for column in trigger.columns})
        literals = {literal for literal, _ in pairs}
        return cls(
            tuple(certain),
            tuple(place for place, expected in others if expected.trigger is None),
            tuple(triggers),
            tuple(columns),
            LiteralScanner(list(literals)) if literals else None,
            pl.DataFrame(pairs, schema={"literal": pl.String, "place": pl.UInt32}, orient="row"),
        )

    @property
    def is_empty(self) -> bool:
        return not (self.certain or self.untriggered or self.triggered)


def _pairs(place: int, rows: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"row": rows}).select(
        pl.lit(place, dtype=pl.UInt32).alias("rule"), pl.col("row").cast(pl.UInt32)
    )
