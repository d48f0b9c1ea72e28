"""What a correlation measures in a window, and whether its condition holds.

A gauge follows a sliding window: members come in at one end and leave at the other. Each step costs the same however
full the window is, except where a median or an order is asked for.
"""

from __future__ import annotations

import operator
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import floor, isnan
from typing import Final, Protocol, TypeAlias

from vedette.detection.sigma.rules import (
    AllOccur,
    AnyOccurs,
    CorrelationRule,
    CorrelationType,
    Occurrence,
    Occurs,
    OccursNot,
)

Value: TypeAlias = str | float | None

_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
}
OPERATOR_SIGNS: Final = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "=", "neq": "!="}

STATISTICS: Final = (
    CorrelationType.VALUE_SUM,
    CorrelationType.VALUE_AVG,
    CorrelationType.VALUE_PERCENTILE,
    CorrelationType.VALUE_MEDIAN,
)
_COUNTING: Final = (
    CorrelationType.EVENT_COUNT,
    CorrelationType.VALUE_COUNT,
    CorrelationType.TEMPORAL,
    CorrelationType.TEMPORAL_ORDERED,
)
TEMPORAL: Final = (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED)


@dataclass(slots=True)
class Member:
    """A sighting that may still become part of a full window; several of the same kind and moment may share one.

    `part` is the place of its rule among those of the correlation, `weight` the attempts it stands for, `rows` the
    events.
    """

    time: int
    part: int
    weight: int
    value: Value
    event_id: str
    rows: int = 1
    user: str | None = None
    host: str | None = None
    source: str | None = None
    address: str | None = None
    text: str = ""


class Gauge(Protocol):
    """The measure of one window."""

    def add(self, member: Member) -> None: ...

    def remove(self, member: Member) -> None: ...

    def reading(self, window: Sequence[Member], start: int) -> float:
        """The measure of the members from `start` on, which are those that were added and not removed."""
        ...


class Condition:
    """When a correlation rule holds. Immutable; makes the gauges of its windows."""

    def __init__(self, rule: CorrelationRule) -> None:
        self._rule = rule
        self._parts = {identifier: place for place, identifier in enumerate(rule.rules)}
        tests = rule.conditions
        if not tests and rule.type in TEMPORAL:
            tests = (("gte", 1.0 if rule.occurrence is not None else float(len(rule.rules))),)
        self._tests = [(_OPERATORS[name], number) for name, number in tests]
        self._make = self._maker()
        self.may_share = rule.type not in (CorrelationType.VALUE_PERCENTILE, CorrelationType.VALUE_MEDIAN)
        """Whether several sightings may share a member without changing the measure."""
        self.counts_kinds = (
            rule.type in (CorrelationType.VALUE_COUNT, CorrelationType.TEMPORAL) and not self.waits_for_the_end
        )
        """Whether more of the same kind changes nothing: values or rules are told apart, and more are wanted."""
        self.only_rises = rule.type in _COUNTING and rule.occurrence is None and not self.waits_for_the_end
        """Whether a window that holds others measures no less than they do."""
        self.least_members = (
            max(
                (floor(number) + (name == "gt" or number > floor(number)) for name, number in tests),
                default=1,
            )
            if self.only_rises
            else 1
        )
        """How many members of weight 1 a window needs to be full."""

    @property
    def waits_for_the_end(self) -> bool:
        """Whether more members can undo it, so that only a window that is over tells.

        An average or a median can go either way; it speaks as soon as it holds for what is there.
        """
        if self._rule.occurrence is not None:
            return _denies(self._rule.occurrence)
        if self._rule.type in STATISTICS and self._rule.type is not CorrelationType.VALUE_SUM:
            return False
        return any(name not in ("gt", "gte") for name, _ in self._rule.conditions)

    @property
    def is_ordered(self) -> bool:
        return self._rule.type is CorrelationType.TEMPORAL_ORDERED

    @property
    def adds_values(self) -> bool:
        """Whether the values of members that share one add up."""
        return self._rule.type in (CorrelationType.VALUE_SUM, CorrelationType.VALUE_AVG)

    def gauge(self, window: Iterable[Member] = ()) -> Gauge:
        """A gauge of these members."""
        made = self._make()
        for member in window:
            made.add(member)
        return made

    def holds(self, measure: float) -> bool:
        return not isnan(measure) and all(test(measure, number) for test, number in self._tests)

    def _maker(self) -> Callable[[], Gauge]:
        rule = self._rule
        match rule.type:
            case CorrelationType.EVENT_COUNT:
                return CountGauge
            case CorrelationType.VALUE_COUNT:
                return DistinctGauge
            case CorrelationType.VALUE_SUM:
                return SumGauge
            case CorrelationType.VALUE_AVG:
                return MeanGauge
            case CorrelationType.VALUE_MEDIAN:
                return lambda: QuantileGauge(50)
            case CorrelationType.VALUE_PERCENTILE:
                return lambda: QuantileGauge(rule.percentile)
            case CorrelationType.TEMPORAL | CorrelationType.TEMPORAL_ORDERED:
                is_ordered = rule.type is CorrelationType.TEMPORAL_ORDERED
                occurrence = rule.occurrence
                if occurrence is not None:
                    return lambda: OccurrenceGauge(occurrence, self._parts, is_ordered=is_ordered)
                return OrderGauge if is_ordered else PartsGauge


class CountGauge:
    """How many attempts."""

    def __init__(self) -> None:
        self._total = 0

    def add(self, member: Member) -> None:
        self._total += member.weight

    def remove(self, member: Member) -> None:
        self._total -= member.weight

    def reading(self, window: Sequence[Member], start: int) -> float:
        return self._total


class DistinctGauge:
    """How many different values."""

    def __init__(self) -> None:
        self._values: Counter[Value] = Counter()

    def add(self, member: Member) -> None:
        if member.value is not None:
            self._values[member.value] += 1

    def remove(self, member: Member) -> None:
        if member.value is None:
            return
        self._values[member.value] -= 1
        if not self._values[member.value]:
            del self._values[member.value]

    def reading(self, window: Sequence[Member], start: int) -> float:
        return len(self._values)


class SumGauge:
    """The sum of the values; a member holds the sum of its rows."""

    def __init__(self) -> None:
        self._total = 0.0
        self._rows = 0

    def add(self, member: Member) -> None:
        if isinstance(member.value, float):
            self._total += member.value
            self._rows += member.rows

    def remove(self, member: Member) -> None:
        if isinstance(member.value, float):
            self._total -= member.value
            self._rows -= member.rows

    def reading(self, window: Sequence[Member], start: int) -> float:
        return self._total


class MeanGauge(SumGauge):
    """The average of the values; nothing holds for none."""

    def reading(self, window: Sequence[Member], start: int) -> float:
        return self._total / self._rows if self._rows else float("nan")


class QuantileGauge:
    """A percentile of the values, interpolated between the two nearest; nothing holds for none."""

    def __init__(self, percentile: float) -> None:
        self._share = min(100.0, max(0.0, percentile)) / 100
        self._values: list[float] = []

    def add(self, member: Member) -> None:
        if isinstance(member.value, float):
            insort(self._values, member.value)

    def remove(self, member: Member) -> None:
        if isinstance(member.value, float):
            del self._values[bisect_left(self._values, member.value)]

    def reading(self, window: Sequence[Member], start: int) -> float:
        if not self._values:
            return float("nan")
        place = self._share * (len(self._values) - 1)
        low = int(place)
        high = min(low + 1, len(self._values) - 1)
        return self._values[low] + (self._values[high] - self._values[low]) * (place - low)


class PartsGauge:
    """How many of the rules have matched."""

    def __init__(self) -> None:
        self._parts: Counter[int] = Counter()

    def add(self, member: Member) -> None:
        self._parts[member.part] += 1

    def remove(self, member: Member) -> None:
        self._parts[member.part] -= 1
        if not self._parts[member.part]:
            del self._parts[member.part]

    def reading(self, window: Sequence[Member], start: int) -> float:
        return len(self._parts)


class OrderGauge(PartsGauge):
    """How many of the rules have matched one after the other in the order they are listed."""

    def reading(self, window: Sequence[Member], start: int) -> float:
        if len(self._parts) <= 1:
            return len(self._parts)
        ends: list[int] = []
        for place in range(start, len(window)):
            part = window[place].part
            at = bisect_left(ends, part)
            if at == len(ends):
                ends.append(part)
            else:
                ends[at] = part
        return len(ends)


class OccurrenceGauge(PartsGauge):
    """1 where a condition over rules holds, else 0."""

    def __init__(self, occurrence: Occurrence, parts: dict[str, int], *, is_ordered: bool) -> None:
        super().__init__()
        self._occurrence = occurrence
        self._part_of = parts
        self._is_ordered = is_ordered

    def reading(self, window: Sequence[Member], start: int) -> float:
        if self._is_ordered:
            return float(self._end(self._occurrence, window, start) is not None)
        return float(self._occurs(self._occurrence))

    def _occurs(self, node: Occurrence) -> bool:
        match node:
            case Occurs():
                return self._part_of.get(node.rule, -1) in self._parts
            case AllOccur():
                return all(map(self._occurs, node.members))
            case AnyOccurs():
                return any(map(self._occurs, node.members))
            case OccursNot():
                return not self._occurs(node.member)

    def _end(self, node: Occurrence, window: Sequence[Member], start: int) -> int | None:
        """The place behind the earliest end of what is asked for, looked for from `start`."""
        match node:
            case Occurs():
                part = self._part_of.get(node.rule, -1)
                return next((place + 1 for place in range(start, len(window)) if window[place].part == part), None)
            case AllOccur():
                place = start
                for member in node.members:
                    end = self._end(member, window, place)
                    if end is None:
                        return None
                    place = end
                return place
            case AnyOccurs():
                ends = [end for member in node.members if (end := self._end(member, window, start)) is not None]
                return min(ends, default=None)
            case OccursNot():
                return start if self._end(node.member, window, start) is None else None


def _denies(node: Occurrence) -> bool:
    match node:
        case Occurs():
            return False
        case OccursNot():
            return True
        case AllOccur() | AnyOccurs():
            return any(map(_denies, node.members))
