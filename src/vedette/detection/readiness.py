"""Readiness: whether a rule could fire on the events at hand, and what it waits for otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from vedette.detection.sigma.rules import (
    AllOf,
    AnyOf,
    Clause,
    CorrelationRule,
    CorrelationType,
    DetectionRule,
    LogSource,
    Node,
    Not,
    Operator,
    RuleSet,
)

_HOLDS_WITHOUT_A_VALUE: Final = (Operator.IS_NULL,)


class Deliveries(Protocol):
    """What the sources deliver, as far as known."""

    def has_logs(self, logsource: LogSource) -> bool:
        """Whether any event is of these logs."""
        ...

    def has_values(self, logsource: LogSource, field: str) -> bool:
        """Whether any event of these logs has a value of the field."""
        ...


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a rule could fire. `needs` are what nothing delivers: logs, fields, rules."""

    needs: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        return not self.needs

    def __str__(self) -> str:
        if not self.needs:
            return "ready"
        few = ", ".join(self.needs[:3]) + (f" and {len(self.needs) - 3} more" if len(self.needs) > 3 else "")
        return f"needs {few}, no source delivers {'it' if len(self.needs) == 1 else 'them'}"


def readiness_of(rules: RuleSet, deliveries: Deliveries) -> dict[str, Readiness]:
    """The readiness of every rule, by id. A correlation waits for the rules it joins: for all of a sequence, for one of
    those that are counted together."""
    known: dict[str, Readiness] = {rule.id: _of_detection(rule, deliveries) for rule in rules.detections}
    correlations = {rule.id: rule for rule in rules.correlations}
    for rule in rules.correlations:
        known[rule.id] = _of_correlation(rule, known, correlations, frozenset())
    return known


def fields_of(node: Node) -> tuple[str, ...]:
    """The fields whose values a condition asks for, in order."""
    return tuple(dict.fromkeys(_fields(node)))


def _fields(node: Node) -> Iterator[str]:
    match node:
        case AllOf(members) | AnyOf(members):
            for member in members:
                yield from _fields(member)
        case Not(member):
            yield from _fields(member)
        case Clause(field=str(field)):
            yield field


def can_hold(node: Node) -> bool:
    """Whether a condition could hold for any event at all."""
    match node:
        case AllOf(members):
            return all(map(can_hold, members))
        case AnyOf(members):
            return any(map(can_hold, members))
        case Clause(operator=Operator.NEVER):
            return False
        case _:
            return True


def _of_detection(rule: DetectionRule, deliveries: Deliveries) -> Readiness:
    if not deliveries.has_logs(rule.logsource):
        return Readiness((f"logs of {rule.logsource}",))
    missing = _missing(rule.condition, lambda field: deliveries.has_values(rule.logsource, field))
    return Readiness(tuple(dict.fromkeys(missing)))


def _missing(node: Node, has: Callable[[str], bool]) -> list[str]:
    """Fields without which the condition can never hold; empty where it could."""
    match node:
        case AllOf(members):
            return [field for member in members for field in _missing(member, has)]
        case AnyOf(members):
            wanting = [_missing(member, has) for member in members]
            return min(wanting, key=len, default=[])
        case Not():
            return []
        case Clause(field=field, operator=operator, value=value):
            holds_without = operator in _HOLDS_WITHOUT_A_VALUE or (operator is Operator.EXISTS and value == "false")
            if field is None or holds_without:
                return []
            wanted = [field, value] if operator is Operator.SAME_AS else [field]
            return [name for name in wanted if not has(name)]


def _of_correlation(
    rule: CorrelationRule,
    known: Mapping[str, Readiness],
    correlations: Mapping[str, CorrelationRule],
    above: frozenset[str],
) -> Readiness:
    joined = []
    for name in rule.rules:
        if name in correlations and name not in above:
            joined.append(_of_correlation(correlations[name], known, correlations, above | {rule.id}))
        else:
            joined.append(known.get(name, Readiness((f"the rule {name}",))))
    needs_all = rule.type in (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED)
    if needs_all and rule.occurrence is None:
        return Readiness(tuple(dict.fromkeys(need for one in joined for need in one.needs)))
    return min(joined, key=lambda one: len(one.needs), default=Readiness())
