"""Correlation rules: read, and their references to other rules resolved."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from vedette.detection.sigma.documents import RuleDocument
from vedette.detection.sigma.occurrences import OccurrenceFault, occurrence_of, rules_in, with_ids
from vedette.detection.sigma.rules import CorrelationRule, CorrelationType, Occurrence, Rule, RuleProblem

_MAX_REFERENCES: Final = 1_000
_TIMESPAN: Final = re.compile(r"([0-9]{1,9})([smhdwMy])")
_UNITS: Final = {
    "s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1),
    "w": timedelta(weeks=1), "M": timedelta(seconds=2_629_746), "y": timedelta(seconds=31_556_952),
}  # fmt: skip
_LONGEST: Final = timedelta(days=3_660)
_OPERATORS: Final = ("lt", "lte", "gt", "gte", "eq", "neq")
_COUNTING: Final = (CorrelationType.EVENT_COUNT, CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED)
_REMEDY: Final = "see https://sigmahq.io/docs/meta/correlations.html"


@dataclass(frozen=True, slots=True)
class CorrelationDraft:
    """A correlation whose `rules` and aliases are still as written; `fault` is (reason, remedy, line)."""

    rule: CorrelationRule
    lines: Mapping[str, int]
    fault: tuple[str, str, int] | None = None


class _Wrong(Exception):
    def __init__(self, reason: str, remedy: str = _REMEDY, needle: str = "correlation") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.needle = needle


def draft_of(head: Mapping[str, Any], document: RuleDocument) -> CorrelationDraft:
    """The rule of the document; what is wrong with it is kept in the draft, so that its id stays taken."""
    try:
        rule = _rule(head, document.content["correlation"])
    except _Wrong as wrong:
        empty = CorrelationRule(
            **head, type=CorrelationType.EVENT_COUNT, rules=(), group_by=(), timespan=timedelta(minutes=1)
        )
        return CorrelationDraft(empty, {}, (wrong.reason, wrong.remedy, document.line_of(wrong.needle)))
    return CorrelationDraft(rule, {one: document.line_of(one) for one in rule.rules})


def resolved(
    drafts: Mapping[str, CorrelationDraft], others: Sequence[Rule]
) -> tuple[list[CorrelationRule], list[RuleProblem]]:
    """The correlations whose references all lead to rules that are used, with ids for names; and what is wrong with
    the others."""
    names = _names((*others, *(draft.rule for draft in drafts.values())))
    problems: dict[str, RuleProblem] = {}
    rules: dict[str, CorrelationRule] = {}
    for identifier, draft in drafts.items():
        if draft.fault is not None:
            problems[identifier] = _problem(draft, *draft.fault)
            continue
        unknown = [one for one in draft.rule.rules if one.lower() not in names]
        if unknown:
            remedy = "correct the id or name, or load the pack it belongs to"
            reason = f"the correlation refers to the rule {unknown[0]!r}, which is unknown or cannot be used"
            problems[identifier] = _problem(draft, reason, remedy, draft.lines[unknown[0]])
        else:
            rules[identifier] = _with_ids(draft.rule, names)
    usable = {one.id for one in others}
    while True:  # a rule that falls takes those with it that refer to it; ends since each round drops one or stops
        ready = [rule for rule in rules.values() if rule.id not in usable and set(rule.rules) <= usable]
        if not ready:
            break
        usable.update(rule.id for rule in ready)
    for identifier, rule in rules.items():
        if identifier in usable:
            continue
        line = drafts[identifier].rule.line
        if _in_cycle(identifier, rules):
            chain = " → ".join(_in_cycle(identifier, rules))
            reason, remedy = f"the correlation refers to itself: {chain}", "take one of these references out"
        else:
            missing = next(one for one in rule.rules if one not in usable)
            reason = f"the correlation refers to the rule {missing!r}, which cannot be used"
            remedy = "repair that rule first"
        problems[identifier] = _problem(drafts[identifier], reason, remedy, line)
    return [rule for identifier, rule in rules.items() if identifier in usable], list(problems.values())


def _problem(draft: CorrelationDraft, reason: str, remedy: str, line: int) -> RuleProblem:
    return RuleProblem(draft.rule.path, line or draft.rule.line, reason, remedy, draft.rule.id)


def _names(rules: Iterable[Rule]) -> dict[str, str]:
    names: dict[str, str] = {}
    for rule in rules:
        names[rule.id.lower()] = rule.id
    for rule in rules:
        if rule.name:
            names.setdefault(rule.name.lower(), rule.id)
    return names


def _with_ids(rule: CorrelationRule, names: Mapping[str, str]) -> CorrelationRule:
    aliases = {
        alias: {names.get(one.lower(), one): field for one, field in fields.items()}
        for alias, fields in rule.aliases.items()
    }
    occurrence = None if rule.occurrence is None else with_ids(rule.occurrence, names)
    return replace(rule, rules=tuple(names[one.lower()] for one in rule.rules), aliases=aliases, occurrence=occurrence)


def _in_cycle(start: str, rules: Mapping[str, CorrelationRule]) -> list[str]:
    """The way from a rule back to itself; empty where there is none."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for one in rules[way[-1]].rules:
            if one == start:
                return [*way, one]
            if one in rules and one not in seen:
                seen.add(one)
                ways.append([*way, one])
    return []


def _rule(head: Mapping[str, Any], written: object) -> CorrelationRule:
    if not isinstance(written, dict):
        raise _Wrong("`correlation` is no mapping")
    kind = _kind(written.get("type"))
    occurrence = _occurrence(written.get("condition"), kind)
    rules = _references(written, occurrence)
    operators, value_field, percentile = _condition(written.get("condition"), kind)
    return CorrelationRule(
        **head,
        type=kind,
        rules=rules,
        group_by=_names_of(written.get("group-by", written.get("group_by")), "group-by"),
        timespan=_timespan(written.get("timespan", written.get("timeframe"))),
        conditions=operators,
        occurrence=occurrence,
        value_field=value_field,
        percentile=percentile,
        aliases=_aliases(written.get("aliases")),
        generate=_flag(written.get("generate")),
    )


def _kind(written: object) -> CorrelationType:
    try:
        return CorrelationType(str(written))
    except ValueError:
        known = ", ".join(CorrelationType)
        raise _Wrong(f"the correlation type {written!r} does not exist", f"use one of {known}", "type:") from None


def _occurrence(written: object, kind: CorrelationType) -> Occurrence | None:
    """Sigma's extended condition, which only the temporal types have."""
    if not isinstance(written, str):
        return None
    if kind not in {CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED}:
        remedy = "compare a number: `gte: 10`; only temporal and temporal_ordered take conditions over rules"
        raise _Wrong(f"the condition {written!r} does not fit the type {kind}", remedy, "condition:")
    try:
        return occurrence_of(written)
    except OccurrenceFault as fault:
        remedy = "join rules with `and`, `or`, `not` and brackets"
        raise _Wrong(f"the condition {written!r} cannot be read: {fault}", remedy, "condition:") from None


def _references(written: Mapping[str, Any], occurrence: Occurrence | None) -> tuple[str, ...]:
    rules = _names_of(written.get("rules"), "rules")
    if occurrence is not None:
        named = rules_in(occurrence)
        if rules and (odd := set(named) ^ set(rules)):
            remedy = "name the same rules in both, or leave `rules` out"
            raise _Wrong(f"{min(odd)!r} stands only in one of `rules` and `condition`", remedy, "condition:")
        rules = rules or named
    if not rules:
        raise _Wrong("the correlation refers to no rule", "list ids or names under `rules`")
    if len(rules) > _MAX_REFERENCES:
        raise _Wrong(f"the correlation refers to {len(rules)} rules", f"keep it below {_MAX_REFERENCES}", "rules:")
    return rules


def _names_of(written: object, key: str) -> tuple[str, ...]:
    values = written if isinstance(written, list) else [] if written is None else [written]
    if any(isinstance(one, (dict, list)) for one in values):
        raise _Wrong(f"`{key}` is nested", "give a name or a flat list of names", f"{key}:")
    return tuple(str(one) for one in values)


def _timespan(written: object) -> timedelta:
    found = _TIMESPAN.fullmatch(str(written))
    remedy = "write a number and one of s, m, h, d, w, M, y: `timespan: 5m`"
    if found is None or int(found[1]) == 0:
        raise _Wrong(f"the timespan {written!r} cannot be read", remedy, "timespan")
    try:
        span = int(found[1]) * _UNITS[found[2]]
    except OverflowError:
        span = timedelta.max
    if span > _LONGEST:
        raise _Wrong(f"the timespan {written!r} is longer than ten years", remedy, "timespan")
    return span


def _condition(written: object, kind: CorrelationType) -> tuple[tuple[tuple[str, float], ...], str | None, float]:
    is_temporal = kind in {CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED}
    if isinstance(written, str):
        return (), None, 50.0
    if written is None and is_temporal:
        return (), None, 50.0
    if not isinstance(written, dict):
        raise _Wrong("the correlation has no condition", "add one, such as `condition: {gte: 10}`", "condition")
    unknown = sorted({str(key) for key in written} - {*_OPERATORS, "field", "percentile"})
    if unknown:
        raise _Wrong(f"the condition has the unknown key {unknown[0]!r}", f"use {', '.join(_OPERATORS)}", "condition:")
    operators = tuple((name, _number(written[name])) for name in _OPERATORS if name in written)
    fields = _names_of(written.get("field"), "field")
    if kind not in _COUNTING and len(fields) != 1:
        raise _Wrong(
            f"the type {kind} needs the field whose values count", "add `field` to the condition", "condition:"
        )
    if not operators and not is_temporal:
        raise _Wrong("the condition compares with no number", "add one, such as `gte: 10`", "condition:")
    percentile = _number(written.get("percentile", 50))
    if not 0 <= percentile <= 100:
        raise _Wrong(f"the percentile {percentile} lies outside 0-100", "correct it", "percentile")
    return operators, fields[0] if fields else None, percentile


def _number(written: object) -> float:
    try:
        number = float(str(written))
    except ValueError:
        number = float("nan")
    if isinstance(written, bool) or not math.isfinite(number):
        raise _Wrong(f"{written!r} is no number to compare with", "write a number: `gte: 10`", "condition:")
    return number


def _aliases(written: object) -> dict[str, dict[str, str]]:
    if written is None:
        return {}
    if not isinstance(written, dict) or not all(isinstance(one, dict) for one in written.values()):
        raise _Wrong("`aliases` is no mapping of names to rules and their fields", needle="aliases:")
    return {str(alias): {str(one): str(field) for one, field in fields.items()} for alias, fields in written.items()}


def _flag(written: object) -> bool:
    if written is not None and not isinstance(written, bool):
        raise _Wrong(f"`generate` is {written!r}", "write true or false", "generate:")
    return bool(written)
